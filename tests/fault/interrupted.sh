#!/bin/bash
# Before the program is there, jsnap can be stopped as a java that starts: while it reads an image from a
# pipe that stalls, waits for another jsnap or for a file that does not open; by a signal and from a
# terminal. Nothing is left, and the program is not started after all.
#
# interrupted.sh
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/program_lib.sh"

use_mode userns
mkfifo pipe keys

# The lease's holder is told when somebody opens the file, who waits until it is given up (fcntl(2)).
lease='$SIG{IO} = "IGNORE"; open my $f, "<", $ARGV[0] or die $!; fcntl $f, 1024, 1 or die $!; $| = 1; print "held\n"; sleep 1000'

waits() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = jsnap ] && [ "$(process_state "$1")" = S ]; }

# A shell without job control starts what it puts in the background with SIGINT ignored.
start_restore() { start stopped env --default-signal=INT,HUP bash -c 'exec "$0" restore --tids '"$tids"' "$1" <&8' "$jsnap" "$1"; }

# What comes through the pipe (open at descriptor 8) is the first so many bytes, and no end.
feed() {
	head -c "$1" images/x.jsnap >&8 &
	fed=$!
}

ends() { # SIGNAL STATUS WHAT [GONE]: the jsnap that was started; GONE tells that nothing is left
	until_true 10 "$3: jsnap waits" waits "$pid"
	kill "-$1" "$pid"
	until_true 10 "$3: SIG$1 ends it" ended "$pid"
	status=0
	wait "$pid" || status=$?
	expect "$3: the exit status after SIG$1" "$status" "$2"
	until_true 10 "$3: no process is left" "${4:-no_program}"
}

each_signal=("TERM 143" "INT 130" "HUP 129")

program_start
"$jsnap" dump --pid "$program" --image images/x.jsnap || fail "jsnap dump"
wait "$program" || true
size=$(stat -c %s images/x.jsnap)

for bytes in 0 1000 $((size / 2)) $((size - 1)); do
	for how in "${each_signal[@]}"; do
		exec 8<>pipe
		feed "$bytes"
		start_restore -
		until_true 10 "jsnap reads" ended $fed
		# shellcheck disable=SC2086
		ends $how "a pipe that stalls after $bytes of $size bytes"
		exec 8>&-
	done
done
expect "what is beside the image" "$(ls -A images)" x.jsnap

exec 8<>pipe
feed $((size - 1))
env --default-signal=INT,QUIT script -qec "exec '$jsnap' restore --tids $tids - <&8" /dev/null <keys >screen &
terminal=$!
exec 7>keys
reads() {
	local child
	for child in $(children $terminal); do waits "$child" && ended $fed && return; done
	return 1
}
until_true 10 "jsnap reads on a terminal" reads
printf '\003' >&7
until_true 10 "Ctrl-C ends it" ended $terminal
status=0
wait $terminal || status=$?
expect "the exit status after Ctrl-C" $status 130
exec 7>&- 8>&-

exec 9>images/x.jsnap.lock 8</dev/null
flock 9
for how in "${each_signal[@]}"; do
	: >stopped.err
	start_restore images/x.jsnap
	said stopped "jsnap: another jsnap is working on this snapshot: waiting for it" "a lock"
	# shellcheck disable=SC2086
	ends $how "a lock that is held"
done
start waiting "$jsnap" restore --tids $tids images/x.jsnap
said waiting "waiting for it" "a lock"
flock -u 9
program_answers
kill -KILL "$pid"
wait "$pid" || true
until_true 10 "all is gone" no_program

# As the first process of a container, before it has read its configuration.
exec 6<>pipe
for how in "${each_signal[@]}"; do
	start first env --default-signal=INT,HUP unshare --map-user=1000 --map-group=1000 --pid --mount-proc --fork \
		--kill-child "$jsnap" run --config "$dir/pipe" -version
	first_waits() { first=($(children "$pid")) && waits "${first[0]:-0}"; }
	until_true 10 "jsnap reads its configuration" first_waits
	kill "-${how% *}" "${first[0]}"
	until_true 10 "SIG${how% *} ends the first process" ended "$pid"
	status=0
	wait "$pid" || status=$?
	expect "the exit status of the first process after SIG${how% *}" "$status" "${how#* }"
done
exec 6>&-

# A program with an open log that does not open.
start log bash -c 'exec 5>>log; exec sleep 1000'
log_open() { [ "$(cat "/proc/$pid/comm")" = sleep ]; }
until_true 10 "the program has its log" log_open
"$jsnap" dump --pid "$pid" --image images/log.jsnap || fail "jsnap dump"
wait "$pid" || true
perl -e "$lease" log >held 2>held.err &
holder=$!
until_true 10 "the lease on the log" grep -q held held
hangs() { [ -n "$(children "$pid")" ]; }
no_jsnap() {
	local pid
	for pid in $(our_processes); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		bash | perl | "") ;;
		*) [ "$(process_state "$pid")" = Z ] || return 1 ;;
		esac
	done
}
for how in "${each_signal[@]}"; do
	start_restore images/log.jsnap
	until_true 10 "the process is being made" hangs
	sleep 0.2
	# shellcheck disable=SC2086
	ends $how "a restore that hangs" no_jsnap
done
kill "$holder"
wait "$holder" || true
nothing_left
