#!/bin/bash
# An image from a machine whose CLOCK_MONOTONIC is hours ahead of this one's, and one from a machine hours
# behind: nanoTime never decreases, scheduled tasks fire when they should; and by a way that can't set
# the clock forward, the restore is refused by name and never stalls.
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

# Four seconds of its second life: some 20 ticks, and nothing else.
(alone "${now[@]}" timeout -s TERM 6 "$jsnap" restore --tids auto "$image" >second.out 2>second.err) || true
grep -q "jsnap: restored .*(tids: userns)" second.err || fail "second.err does not say 'restored (tids: userns)'"
! grep -q "BACKWARDS\|EARLY" second.out || fail "$(grep -m 1 "BACKWARDS\|EARLY" second.out)"
ticks=$(grep -c '^tick' second.out || true)
if [ "$ticks" -lt 5 ] || [ "$ticks" -gt 60 ]; then fail "$ticks ticks within six seconds"; fi
say "$ticks ticks within six seconds"

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
