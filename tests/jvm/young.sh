#!/bin/bash
# A JVM's original TIDs by the ways of containers, without one: the snapshot is made in one PID namespace
# and restored in another, fresh one, as its first process.
#
# young.sh tiny|h2|tomcat|spring JDK G1|Serial|Parallel|Z walk|ns-last-pid
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$2"
use_mode userns
app_use "$1"
way=$4

young() { exec unshare --map-user=1000 --map-group=1000 --pid --mount-proc --kill-child "$@"; }
# The walk has no right at all there, ns_last_pid is for who has every one.
rights=()
[ "$way" = walk ] || rights=(--keep-caps)

words=(--store "$dir/store" --tids "$way" --log-level debug "${warmup[@]}" "-XX:+Use${3}GC" "${java_args[@]}")
start first young "$jsnap" checkpoint "${words[@]}"
until_true "$patience" "the checkpoint ends" ended "$pid"
wait "$pid" || fail "jsnap checkpoint exited with $?"
# The agent's own watch over the others ends when they go on.
"$jsnap" inspect --json store/*.jsnap | python3 -c '
import json, sys
for thread in json.load(sys.stdin)["threads"]:
	if thread["name"] != "jsnap-watch":
		print(thread["tid"])' | sort >wanted

start_timed second "$port" "$path" young "${rights[@]}" "$jsnap" run "${words[@]}"
said second "jsnap: restored .*(tids: $way)" "the second run"
java=$(java_below "$pid")
[ -n "$java" ] || fail "no java below jsnap"
inner_tids "$java" | sort >got
[ -z "$(comm -23 wanted got)" ] || fail "TIDs are lost: $(comm -23 wanted got | tr '\n' ' ')"
expect "capabilities of the restored process" \
	"$(awk '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }' /proc/"$java"/task/*/status | sort -u)" 0000000000000000
app_check "${JSNAP_TEST_REQUESTS:-100}"
# unshare keeps SIGTERM from itself: jsnap is its child.
kill "$(children "$pid")"
until_true 60 "jsnap ends after SIGTERM" ended "$pid"
status=0
wait "$pid" || status=$?
expect "the exit status after SIGTERM" $status 143
nothing_left
say "$(wc -l <wanted) threads, first answer after $ttfr_ms ms: $(grep -o 'restored .*' second.err)"
