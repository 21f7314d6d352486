#!/bin/bash
# The main job on one application: the first `run` serves and leaves a snapshot, the second is restored
# from it, is the same process and answers right.
#
# case.sh tiny|h2|tomcat|spring JDK G1|Serial|Parallel|Z cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$2"
use_mode "$4"
app_use "$1"
gc=-XX:+Use${3}GC

command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" "$gc" "${java_args[@]}")

check_threads_stay() { # BEFORE AFTER: every thread of the first file is in the second
	local lost
	lost=$(comm -23 "$1" "$2")
	[ -z "$lost" ] || fail "threads with another TID or gone: $lost"
	say "$(wc -l <"$1") threads kept their TIDs"
}

# As `java` does it, for the figures and for the exit status that SIGTERM gives.
start_timed java "$port" "$path" "$JAVA_HOME/bin/java" "$gc" "${java_args[@]}"
java_ms=$ttfr_ms
stop "$pid" TERM
java_status=$status
app_stopped java

# First: cold, and a snapshot in the background. H2's database file must stay as it was at the
# snapshot, so there the verb is the one that ends the program.
rm -rf database
mkdir -p database
if [ "$app" = h2 ]; then
	command[1]=checkpoint
	MARK=first start first "${command[@]}"
	until_true "$patience" "the checkpoint ends" ended "$pid"
	wait "$pid" || fail "jsnap checkpoint exited with $?"
	command[1]=run
	: >before
else
	MARK=first start_timed first "$port" "$path" "${command[@]}"
	say "cold under jsnap: $ttfr_ms ms (java alone: $java_ms ms)"
	said first "jsnap: cold start:" "the first run"
	java=$(java_below "$pid")
	[ -n "$java" ] || fail "no java below jsnap"
	number=$(inner_number "$java")
	until_true "$patience" "the snapshot" snapshot_settled
	lasting_threads "$java" >early
	app_check 100
	lasting_threads "$java" >late
	comm -12 early late >before
	stop "$pid" TERM
	expect "the exit status after SIGTERM" "$status" "$java_status"
	app_stopped first
fi
snapshot_exists || fail "no snapshot"
"$jsnap" list --store "$dir/store" >list.out || fail "jsnap list"

# Second: restored, by a caller with another umask and out-of-memory score.
umask 027
echo 123 >/proc/self/oom_score_adj
MARK=second start_timed second "$port" "$path" "${command[@]}"
say "restored: $ttfr_ms ms, $(awk "BEGIN { printf \"%.1f\", $java_ms / $ttfr_ms }") times sooner than java"
said second "jsnap: restored .*(tids: $tids)" "the second run"
java=$(java_below "$pid")
[ -n "$java" ] || fail "no java below jsnap"
lasting_threads "$java" >after
if [ "$app" != h2 ]; then
	expect "the PID" "$(inner_number "$java")" "$number"
	check_threads_stay before after
fi
[ "$4" = userns ] || expect "the PID as others see it" "$java" "$(inner_number "$java")"
expect "its umask" "$(awk '/^Umask:/ { print $2 }' /proc/"$java"/status)" 0027
expect "its out-of-memory score" "$(cat /proc/"$java"/oom_score_adj)" 123
expect "capabilities of the restored process" \
	"$(awk '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }' /proc/"$java"/task/*/status | sort -u)" 0000000000000000
app_check "$requests"
if [ "$app" = spring ]; then
	expect "the environment it sees" "$(get '/env?name=MARK')" second
	expect "the PID it sees" "$(get /pid)" "$number"
fi
"$JAVA_HOME/bin/jstack" "$java" >jstack.out 2>jstack.err || fail "jstack"
grep -q "Full thread dump" jstack.out || fail "jstack gave no thread dump"
stop "$pid" TERM
expect "the exit status after SIGTERM of the restored one" "$status" "$java_status"
app_stopped second
nothing_left
