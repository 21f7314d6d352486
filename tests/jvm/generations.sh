#!/bin/bash
# Snapshot, restore, snapshot, restore, several generations by the plumbing verbs, each of which must
# answer right with the PID and the threads of the one before.
#
# generations.sh tiny|h2|tomcat|spring JDK G1|Serial cap|userns [N]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$2"
use_mode "$4"
app_use "$1"
start_timed first "$port" "$path" "$JAVA_HOME/bin/java" "-XX:+Use${3}GC" "${java_args[@]}"
java=$pid
number=$pid
[ "$app" != h2 ] || ./fill.sh >fill.out
app_check 200
for ((generation = 1; generation <= ${5:-5}; generation++)); do
	lasting_threads "$java" >before
	"$jsnap" dump --pid "$java" --image "$dir/generation.jsnap" 2>dump.err || fail "dump $generation"
	status=0
	wait "$pid" 2>/dev/null || status=$?
	expect "the end of the dumped process" $status 137
	bytes=$(stat -c %s generation.jsnap)
	start_timed "restored$generation" "$port" "$path" "$jsnap" restore --tids $tids "$dir/generation.jsnap"
	java=$(java_below "$pid")
	expect "the PID in generation $generation" "$(inner_number "$java")" "$number"
	lasting_threads "$java" >after
	lost=$(comm -23 before after)
	[ -z "$lost" ] || say "threads that ended in generation $generation: $lost"
	expect "the oldest threads" "$(sort -n after | head -5)" "$(sort -n before | head -5)"
	app_check 200
	say "generation $generation: image $((bytes >> 20)) MiB, first answer after $ttfr_ms ms"
	rm generation.jsnap
done
stop "$pid" TERM
expect "the exit status after SIGTERM" $status 143
nothing_left
