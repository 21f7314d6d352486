#!/bin/bash
# jsnap ended by force: what it leaves, and what the very next `run` makes of it. N random moments of a
# checkpoint, and as many of a restore, which JSNAP_TEST_SEED repeats.
#
# kills.sh JDK cap|userns [N]
[ -n "${JSNAP_TEST_REAPED:-}" ] ||
	JSNAP_TEST_REAPED=1 exec "${JSNAP_TEST_WORK:?}/scripts/jsnap-reaper" "$0" "$@"
export JSNAP_TEST_SEED=${JSNAP_TEST_SEED:-$((RANDOM << 15 | RANDOM))}
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
n=${3:-10}
self="JSNAP_TEST_SEED=$JSNAP_TEST_SEED $self"
say "JSNAP_TEST_SEED=$JSNAP_TEST_SEED"
RANDOM=$JSNAP_TEST_SEED
command=("$jsnap" run --store "$dir/store" --metrics "$dir/metrics.prom" --tids $tids "${warmup[@]}" -XX:+UseSerialGC "${java_args[@]}")

# Mounts on /proc, which jsnap makes in namespaces of its own, and in our folder.
mounts() { awk -v ours="$dir" '$5 == "/proc" || index($5, ours) == 1' /proc/self/mountinfo; }
mounts_before=$(mounts)
answers() { [ "$(get "$path")" = hello ]; }
now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
# A moment of what takes MS milliseconds, or soon after it: `moment`, in seconds; doze waits so long, and
# starts no process for it.
draw() { moment=$(awk "BEGIN { printf \"%.6f\", $1 * 1.1 * $((RANDOM << 15 | RANDOM)) / 2 ^ 30 / 1000 }"); }
mkfifo never
doze() { read -rt "$moment" <>never || true; }
no_writer() { ! grep -sqx jsnap-writer $(printf '/proc/%s/comm ' $(our_processes)) /dev/null; }

# Every image in the store is whole, and a name that a kill has left is hidden.
store_consistent() {
	local image
	for image in store/*.jsnap; do
		[ ! -e "$image" ] || "$jsnap" verify "$image" 2>&1 | grep -q ": whole" || fail "$1: $("$jsnap" verify "$image" 2>&1)"
	done
	[ -z "$(find store -name '*tmp*' -not -name '.*')" ] || fail "$1 left $(ls -A store)"
	expect "the mounts after $1" "$(mounts)" "$mounts_before"
}

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

# SIGKILL at any moment of a checkpoint, from the demand to the hot copy: of jsnap, of the process that
# writes the image, or of both. The program goes on and serves; the store has the snapshot before or the
# new one, or none; the next run works and removes what was left.
start_timed cut "$port" "$path" "$jsnap" run --no-checkpoint "${command[@]:2}"
for i in 1 2; do # the first takes longer
	before=$(now_ms)
	"$jsnap" checkpoint --pid "$pid" >demand.out 2>demand.err || fail "jsnap checkpoint --pid: $(cat demand.err)"
	whole=$(($(now_ms) - before))
done
stop "$pid" TERM
say "a checkpoint takes $whole ms"
killed_writers=0 restored=0
for ((i = 1; i <= n; i++)); do
	((RANDOM % 2)) || rm -rf store/* store/.tiny*
	start_timed cut "$port" "$path" "$jsnap" run --no-checkpoint --no-restore "${command[@]:2}"
	java=$(java_below "$pid")
	draw $((RANDOM % 2 ? whole : whole / 16)) # the program is stopped in the beginning only
	"$jsnap" checkpoint --pid "$pid" >demand.out 2>demand.err &
	client=$!
	doze
	writer=
	for child in $(children "$pid"); do
		[ "$(cat "/proc/$child/comm" 2>/dev/null)" != jsnap-writer ] || writer=$child
	done
	if [ -n "$writer" ] && ((RANDOM % 2)); then
		kill -KILL "$writer" 2>/dev/null || true
		killed_writers=$((killed_writers + 1))
		wait "$client" || true
		answers || fail "the program does not go on after SIGKILL of the writer"
		ended "$pid" && fail "jsnap did not survive its writer"
	fi
	((RANDOM % 3)) || [ -z "$writer" ] || kill -KILL "$writer" 2>/dev/null || true
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	wait "$client" 2>/dev/null || true
	for ((k = 0; k < 20; k++)); do answers || fail "the program does not go on after SIGKILL of jsnap"; done
	until_true 20 "the writer is done" no_writer
	store_consistent "a checkpoint that was cut off"
	stop "$java" TERM
	until_true 10 "the program is gone" gone "$java"
	rm -f cut.err
	start_timed next "$port" "$path" "${command[@]}"
	answers || fail "the next run does not answer"
	until_true "$patience" "the snapshot" snapshot_settled
	! grep -q "jsnap: restored" next.err || restored=$((restored + 1))
	stop "$pid" TERM
	rm next.err
done
say "$n checkpoints were cut off, $killed_writers writers killed; then $restored runs restored, the others started cold"

# And of a restore, which every second time has the hot copy to make: nothing stays, and the next one is
# none the worse.
for i in 1 2; do
	((i == 2)) || rm -f store/*.hot
	start_timed whole "$port" "$path" "${command[@]}"
	((i == 2)) || making_ms=$ttfr_ms
	said whole "jsnap: restored" "the run before restores that are cut off"
	stop "$pid" TERM
done
ran=0 taken=0
for ((i = 1; i <= n; i++)); do
	if ((i % 2)); then
		rm -f store/*.hot
		draw "$making_ms"
	else
		draw "$ttfr_ms"
	fi
	# A cold start would stay: a number of the snapshot's may be another process's by now.
	start cut "$jsnap" run --on-restore-failure fail "${command[@]:2}"
	doze
	! grep -qs "jsnap: restored" cut.err || ran=$((ran + 1))
	kill -KILL "$pid" 2>/dev/null || true
	disown "$pid" 2>/dev/null || true
	! grep -qs "PID [0-9]* \(is\|was\) taken" cut.err || taken=$((taken + 1)) # ended by itself, perhaps
	! grep -qs "could not be restored" cut.err || grep -q "PID [0-9]* \(is\|was\) taken" cut.err || fail "a restore that nobody cut off: $(cat cut.err)"
	until_true 10 "a restore that was cut off leaves no process" no_process
	store_consistent "a restore that was cut off"
	rm -f cut.err
done
say "$n restores of $ttfr_ms ms, or $making_ms ms with a hot copy to make, were cut off, $ran after the program ran, $taken for numbers that other processes had"
start_timed next "$port" "$path" "${command[@]}"
said next "jsnap: restored" "the run after restores that were cut off"
stop "$pid" TERM

# The program dies with jsnap. Its numbers and its port may be its own for a moment more.
for ((i = 1; i <= (n < 50 ? n : 50); i++)); do
	start_timed again "$port" "$path" "${command[@]}"
	if grep -q "PID [0-9]* \(is\|was\) taken" again.err && ! grep -q "is taken by process .*(java)" again.err; then
		say "run $i: $(cat again.err)"
		stop "$pid" TERM
	else
		said again "jsnap: restored" "run $i, right after a SIGKILL of the one before"
		kill -KILL "$pid"
		disown "$pid"
	fi
	rm again.err
done
until_true 10 "the program dies with jsnap" no_process
nothing_left
