#!/bin/bash
# jsnap ended by force: what it leaves, and what the very next `run` makes of it.
#
# kills.sh JDK cap|userns [N]
[ -n "${JSNAP_TEST_REAPED:-}" ] ||
	JSNAP_TEST_REAPED=1 exec "${JSNAP_TEST_WORK:?}/scripts/jsnap-reaper" "$0" "$@"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
n=${3:-10}
command=("$jsnap" run --store "$dir/store" --metrics "$dir/metrics.prom" --tids $tids "${warmup[@]}" -XX:+UseSerialGC "${java_args[@]}")
command[1]=checkpoint
"${command[@]}" </dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint exited with $?"
command[1]=run
grep -q '^jsnap_snapshots_total{name="tiny"} 1$' metrics.prom || fail "the metrics do not count the snapshot"

# The program ends while its snapshot is being written: the writer finishes, and the next run waits
# for it. As PID 1 jsnap itself waits, for nothing outlives it.
being_written() { snapshot_exists "$1" || [ -n "$(find "$1" -name '.*.tmp' -print -quit)" ]; }
for ((i = 1; i <= 3; i++)); do
	rm -rf store/*
	start ended "${command[@]}"
	until_true "$patience" "the snapshot is begun" being_written store
	kill -KILL "$(java_below "$pid")"
	wait "$pid" || expect "the exit status" $? 137
	start_timed next "$port" "$path" "${command[@]}"
	said next "jsnap: restored" "the run after one that ended while its snapshot was written"
	rm next.err
	until_true 5 "the metrics count the restore" grep -qx "jsnap_restores_total{name=\"tiny\",tids=\"$tids\"} 1" metrics.prom
	stop "$pid" TERM
done
if unshare -Urpf --mount-proc true 2>/dev/null; then
	mkdir -m 700 one
	as_init=("${command[@]}")
	as_init[3]=$dir/one
	start one unshare -Urpf --kill-child --mount-proc "${as_init[@]}"
	until_true "$patience" "the snapshot is begun" being_written one
	kill -KILL "$(java_below "$pid")"
	until_true 10 "the namespace is gone" ended "$pid"
	snapshot_exists one || fail "PID 1 ended before its snapshot was written"
fi

# SIGKILL of jsnap at any moment of a checkpoint: the program goes on and serves, the next run works and
# removes what was left.
for ((i = 1; i <= n; i++)); do
	rm -rf store/* store/.tiny*
	start_timed cut "$port" "$path" "${command[@]}"
	until_true "$patience" "the snapshot is begun" being_written store
	java=$(java_below "$pid")
	sleep 0.0$((RANDOM % 100))
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	rm cut.err
	for ((k = 0; k < 20; k++)); do
		[ "$(get "$path")" = "$(cat cut.body)" ] || fail "the program does not go on after SIGKILL of jsnap"
	done
	stop "$java" TERM
	until_true 10 "the program is gone" gone "$java"
	start_timed next "$port" "$path" "${command[@]}"
	until_true "$patience" "the snapshot" snapshot_settled
	stop "$pid" TERM
	rm next.err
done

# And of a restore: nothing stays, and the next one is none the worse.
for ((i = 1; i <= 3 * n; i++)); do
	start cut "${command[@]}"
	sleep 0.0$((RANDOM % 30 + 10))
	kill -KILL "$pid"
	disown "$pid"
	until_true 10 "a restore that was cut off leaves no process" no_process
	rm -f cut.err
done
start_timed next "$port" "$path" "${command[@]}"
said next "jsnap: restored" "the run after restores that were cut off"
stop "$pid" TERM

# The program dies with jsnap. Its numbers and its port may be its own for a moment more.
for ((i = 1; i <= n; i++)); do
	start_timed again "$port" "$path" "${command[@]}"
	said again "jsnap: restored" "run $i, right after a SIGKILL of the one before"
	rm again.err
	kill -KILL "$pid"
	disown "$pid"
done
until_true 10 "the program dies with jsnap" no_process
nothing_left
