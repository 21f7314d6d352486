#!/bin/bash
# --warmup-steady: warm-up goes on until the compilers rest and a request takes no less time than before, and
# is over then, long before the time it may take.
#
# steady.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny

# warm NAME OPTION...: a snapshot by that warm-up; what it says of it goes to NAME.err.
warm() {
	local name=$1
	shift
	start "$name" "$jsnap" checkpoint --image "$dir/store/$name.jsnap" --tids $tids --log-level debug --warmup "http://127.0.0.1:$port/hello" \
		--warmup-requests 100 "$@" "${java_args[@]}"
	wait "$pid" || fail "jsnap checkpoint exited with $?"
	[ -e "store/$name.jsnap" ] || fail "$name: there is no snapshot"
}

warm counted
grep -q "warm after 100 requests$" counted.err || fail "without the rule: $(grep 'warm after' counted.err)"
! grep -q "methods compiled" counted.err || fail "without the rule it is asked for compilations"

warm steady --warmup-steady on --warmup-time 10m
! grep -q "time was up" steady.err || fail "it did not level off in ten minutes"
# The last four rounds are as steady.h says: ten methods compiled a second at most, and no request a twentieth
# faster than the best before. There was something to wait for earlier.
sed -n 's/.*warm-up: \([0-9]*\) requests in \([0-9.]*\) s, \([0-9.]*\) ms each, \([0-9]*\) methods compiled.*/\2 \3 \4/p' \
	steady.err >rounds
awk '{
		level = $3 > 10 * $1 + 1 || (best && $2 < best * 0.94) ? 0 : level + 1
		if (!best || $2 < best) best = $2
		active += $3 > 10 * $1
	}
	END { exit !(level >= 4 && active > 0) }' rounds || fail "seconds, ms and compilations of its rounds: $(cat rounds)"
expect "rounds after it had levelled off" "$(grep -c 'levelled off' steady.err)" 1
requests=$(sed -n 's/.*warm after \([0-9]*\) requests.*/\1/p' steady.err)
[ "$requests" -gt 100 ] || fail "it was warm after $requests requests"
say "steady after $(wc -l <rounds) rounds and $requests requests"

# A limit of time is kept, level or not.
warm limited --warmup-steady on --warmup-time 700ms
grep -q "time was up" limited.err || fail "--warmup-time does not end it: $(grep 'warm after' limited.err)"

# Too short a limit for one answer: said, and a snapshot all the same.
warm none --warmup-time 1ms
grep -q "jsnap: --warmup-time was up before http://127.0.0.1:$port/hello had answered once" none.err ||
	fail "no answer at all: $(cat none.err)"
! grep -q "had answered once" limited.err || fail "it says that nothing was answered"
nothing_left
