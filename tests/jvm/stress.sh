#!/bin/bash
# A program under load that checks itself without end (tests/apps/stress) is checkpointed many times at
# whatever moment it is in; each time it goes on, or is restored and goes on.
#
# stress.sh JDK G1|Serial|Parallel|Z|Shenandoah cap|userns [N [on|off|agent]]
#
# With on or off (compressed object pointers) it holds everything else a Java program may hold as well
# (tests/apps/stress/Objects.java), with the flight recorder, native memory tracking and a profiler's
# agent running. With agent the snapshots are those of `jsnap run`: with its agent in the program, and
# written from a twin while it goes on; each second one is then restored in its place (what it
# would have written to files meanwhile is no moment's state, so it has none of those objects).
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$3"
port=$(free_port)
options=("-XX:+Use${2}GC" -Xmx256m)
objects=()
profiler=-agentpath:$cache/libasyncProfiler.so=start,event=ctimer,interval=5ms,file=$dir/profile.txt,collapsed
with=${5:-}
case $with in
agent) options+=("$profiler") ;;
on | off)
	[ "$with" = on ] && options+=(-XX:+UseCompressedOops) || options+=(-XX:-UseCompressedOops)
	options+=(-XX:NativeMemoryTracking=summary -Djava.io.tmpdir="$dir/tmp"
		"-XX:StartFlightRecording=settings=profile,filename=$dir/end.jfr")
	# Its timers, one for each thread, and their signals are as much a test as what it sees.
	options+=("$profiler")
	objects=(objects)
	;;
esac
if ! "$JAVA_HOME/bin/java" "${options[@]:0:1}" -version >/dev/null 2>version.err; then
	JSNAP_TEST_STRICT=0 # no package brings what a build leaves out
	skip "JDK $1 here has no collector $2: $(head -1 version.err)"
fi
run=("$jsnap" run --store "$dir/store" --tids $tids --no-checkpoint --ready "tcp:$port" "${options[@]}" -jar "$cache/stress.jar" "$port")
if [ "$with" = agent ]; then
	start stress "${run[@]}"
else
	start stress "$JAVA_HOME/bin/java" "${options[@]}" -jar "$cache/stress.jar" "$port" "${objects[@]}"
	java=$pid
fi
until_true $((2 * patience)) "the program serves" get /status >/dev/null

# Every worker has done something since the last look.
advanced() {
	get /status | tr ' ' '\n' | tail -n +2 | sort >now.counts || return 1
	join -t= last.counts now.counts | awk -F= '$3 <= $2 { exit 1 }'
}

remember() {
	get /status | tr ' ' '\n' | tail -n +2 | sort >last.counts
	[ "$(wc -l <last.counts)" -ge $((${#objects[@]} ? 26 : 18)) ] || fail "the status names too few workers"
}

# 01 is ESTABLISHED in /proc/net/tcp, which an IPv6 socket with an IPv4 peer appears in too.
no_connection() {
	! awk -v port="$(printf ':%04X' "$port")" '$2 ~ port "$" && ($4 == "01" || $4 == "08") { found = 1 } END { exit !found }' \
		/proc/net/tcp /proc/net/tcp6
}

# Before the program is told to end, for HotSpot stops its collector before its agents: the profiler then
# waits for virtual threads that are being unmounted, and these for memory, for ever (JDK 21 with ZGC,
# now and then, jsnap or not; docs/testing.md).
stop_profiler() {
	"$JAVA_HOME/bin/jcmd" "$(java_below "$pid")" JVMTI.agent_load "$cache/libasyncProfiler.so" \
		"\"stop,file=$dir/profile.txt,collapsed\"" >profiler.out 2>&1 && [ -s profile.txt ] ||
		fail "the profiler does not stop: $(tail -1 profiler.out)"
}

# Where many programs start, somebody may have one of its numbers for a while: then it is restored when it is free.
serves_again() {
	get /status >/dev/null && return
	if ended "$pid" && tail -1 restored.err | grep -q "jsnap: restore of .* is taken by "; then
		sleep 1
		start restored "$jsnap" restore --tids $tids "$dir/stress.jsnap"
	fi
	return 1
}

remember
for ((i = 1; i <= ${4:-50}; i++)); do
	# A moment of its own each time; no established connection may be open in it.
	sleep 0.0$((RANDOM % 10))$((RANDOM % 10))
	until_true 5 "the status connection is gone" no_connection
	if [ "$with" = agent ]; then
		timeout $((2 * patience)) "$jsnap" checkpoint --pid "$pid" 2>dump.err || fail "checkpoint $i"
		if ((i % 2 == 0)); then
			stop_profiler
			stop "$pid" TERM
			start "restored$i" "${run[@]}"
			until_true "$patience" "restore $i serves" get /status >/dev/null
			said "restored$i" "jsnap: restored" "restore $i"
		fi
	elif ((i % 2)); then
		"$jsnap" dump --pid "$java" --image "$dir/live.jsnap" --leave-running 2>dump.err || fail "dump $i"
		rm live.jsnap
	else
		"$jsnap" dump --pid "$java" --image "$dir/stress.jsnap" 2>dump.err || fail "dump $i"
		wait "$pid" 2>/dev/null || true
		start restored "$jsnap" restore --tids $tids "$dir/stress.jsnap"
		until_true "$patience" "restore $i serves" serves_again
		java=$(java_below "$pid")
		rm stress.jsnap
	fi
	ended "$pid" && fail "the program ended after checkpoint $i"
	until_true "$patience" "all workers go on after checkpoint $i" advanced
	remember
done
grep -h "violated" ./*.err && fail "an invariant was violated"
say "$((i - 1)) checkpoints; $(get /status | cut -c1-120)..."
if [ ${#objects[@]} -gt 0 ]; then
	"$JAVA_HOME/bin/jcmd" "$java" VM.native_memory summary >nmt.out 2>&1 && grep -q "Java Heap" nmt.out ||
		fail "native memory tracking: $(tail -1 nmt.out)"
	"$JAVA_HOME/bin/jcmd" "$java" JFR.check >jfr.out 2>&1 && grep -q "running" jfr.out ||
		fail "the flight recorder: $(tail -1 jfr.out)"
fi
[ -z "$with" ] || stop_profiler
stop "$pid" TERM
expect "the exit status after SIGTERM" $status 143
if [ ${#objects[@]} -gt 0 ]; then
	"$JAVA_HOME/bin/jfr" summary end.jfr >summary.out 2>&1 && grep -q "jdk.ExecutionSample" summary.out ||
		fail "the recording can't be read: $(tail -1 summary.out)"
	grep -q "Objects" profile.txt || fail "the profiler saw nothing"
	rm -rf tmp/stress* tmp/20*
fi
nothing_left
