#!/bin/bash
# A snapshot made in a container with two processors and 1 GiB, restored in one that is allowed less: the JVM says what is
# allowed there, but for its heap, whose greatest size was decided at the first start. Where that would not fit, the
# restore is refused.
#
# limits.sh JDK
. "$(dirname "$0")/lib.sh"

[ "$(nproc)" -ge 2 ] || skip "one processor"
use_jdk "$1"
own 1000
options podman nocap 1000 nnp
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap
"$JAVA_HOME/bin/javac" --release 17 -d classes "$here/Limits.java" || fail "javac"
chmod -R a+rX classes
image=$dir/store/limits.jsnap
says() { grep -q "^$2" "$1.out"; }

run first --cpus 2 --memory 1g -- "$jsnap" checkpoint --image "$image" --ready log:^processors -cp "$dir/classes" Limits
until_true "$patience" "the checkpoint ends" ended "$pid"
wait "$pid" || fail "jsnap checkpoint: $(tail -n 3 first.err)"
says first "processors 2 memory 1024 heap 2" || fail "at first it says: $(head -n 1 first.out)"
heap=$(sed -n '1s/.* heap //p' first.out)

run second --cpus 1 --memory 512m -- "$jsnap" restore "$image"
until_true "$patience" "it says what it sees" says second "processors"
grep -q "jsnap: restored" second.err || fail "second.err: $(cat second.err)"
until_true 10 "it sees its new limits, and the heap of before" says second "processors 1 memory 512 heap $heap$"
pm kill -s TERM "second-$$" >/dev/null
until_true 60 "the container ends" ended "$pid"
[ "$(grep -c "^processors 2" second.out)" -le 1 ] || fail "it goes on to see the limits of before: $(head -n 5 second.out)"

run third --memory 128m -- "$jsnap" restore "$image"
until_true 60 "the container ends" ended "$pid"
status=0
wait "$pid" || status=$?
expect "the status where the heap does not fit" $status 125
grep -q "Java heap may grow to [0-9]* MiB, and this control group allows 128 MiB" third.err || fail "$(cat third.err)"
say "$(head -n 1 first.out), then $(tail -n 1 second.out)"
