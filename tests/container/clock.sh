#!/bin/bash
# An image from a machine whose CLOCK_MONOTONIC is hours ahead of this one's, and one from a machine hours
# behind: nanoTime never decreases, scheduled tasks fire when they should; and by a way that can't set
# the clock forward, the restore is refused by name and never stalls. Where it has gone on for hours, the
# other ways keep the tasks' pace, too.
#
# clock.sh ahead|behind
. "$(dirname "$0")/lib.sh"

use_jdk 17
own $nobody
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap
"$JAVA_HOME/bin/javac" -d classes "$here/Ticks.java" || fail "javac"
chmod -R a+rX classes
image=$dir/store/ticks.jsnap
words=(--image "$image" --ready "log:^tick 3" -cp "$dir/classes" Ticks)
there=()
now=()
if [ "$1" = ahead ]; then there=(-t 18000); else now=(-t 18000); fi
(alone "${there[@]}" "$jsnap" checkpoint "${words[@]}" >first.out 2>first.err) || fail "jsnap checkpoint"

# lives NAME WAY JSNAP [OPTION...]: twelve seconds of another life, by that way: at five ticks a second less
# the start, none in a heap and none late for longer than a busy machine makes it.
lives() {
	local name=$1 way=$2 jsnap=$3
	shift 3
	(alone "$@" "${now[@]}" timeout -s TERM 12 "$jsnap" restore --tids "$way" "$image" >"$name.out" 2>"$name.err") || true
	grep -q "jsnap: restored .*(tids: $way)" "$name.err" || fail "$name.err does not say 'restored (tids: $way)': $(cat "$name.err")"
	! grep -q BACKWARDS "$name.out" || fail "$name: $(grep -m 1 BACKWARDS "$name.out")"
	python3 - "$name.out" <<-'END' || fail "$name: the ticks do not come when they should"
		import sys
		at = [int(line.split()[2]) for line in open(sys.argv[1]) if line.startswith("tick ")]
		gaps = [b - a for a, b in zip(at, at[1:])]
		mean = sum(gaps) / max(len(gaps), 1)
		print("%d ticks, %.0f ms apart, %d at most" % (len(at), mean, max(gaps, default=0)), file=sys.stderr)
		sys.exit(not (20 <= len(at) <= 80 and 150 < mean < 300 and max(gaps) < 3000))
	END
}

lives second userns "$jsnap"
! grep -q EARLY second.out || fail "a task that is due in two hours was run"
if [ "$1" = behind ]; then
	lives third walk "$jsnap"
	lives fourth clone3 "$JSNAP_TEST_WORK/cap/bin/jsnap" -c
fi

if [ "$1" = ahead ]; then
	status=0
	(alone "$jsnap" restore --tids walk "$image" >third.out 2>third.err) || status=$?
	expect "the exit status where the clock can't be set" $status 125
	grep -q "CLOCK_MONOTONIC would go backwards by 1[78][0-9]* s" third.err || fail "$(cat third.err)"
	(alone timeout -s TERM 20 "$jsnap" run --no-checkpoint --tids walk "${words[@]}" >fourth.out 2>fourth.err) || true
	grep -q "cold start: .*CLOCK_MONOTONIC would go backwards" fourth.err || fail "$(cat fourth.err)"
	grep -q "^tick 3" fourth.out || fail "the program was not started cold"
	say "$(cat third.err)"
fi
