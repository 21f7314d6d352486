#!/bin/bash
# Each named fault of the engine (snapshot/base/fault.h): a non-zero exit, a message that names it, the
# program alive, nothing left behind, and what was stored before as it was.
#
# faults.sh
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/program_lib.sh"

use_mode userns
checked=0

# failed NAME COMMAND...: under that fault.
failed() {
	local name=$1 status=0
	shift
	JSNAP_FAULT=$name timeout 60 "$@" </dev/null >f.out 2>f.err || status=$?
	[ $status = 125 ] || fail "$name: exit status $status, not 125: $(cat f.err)"
	grep -Eq "the fault '${name%%=*}' was asked for|system call 65535" f.err || fail "$name: not named: $(cat f.err)"
	say "$name: $(head -c 160 f.err)"
	checked=$((checked + 1))
}

program_start
"$jsnap" dump --pid "$program" --image images/x.jsnap --leave-running || fail "jsnap dump"
cp images/x.jsnap before.jsnap
for fault in freeze capture={0..14} stream image-write image-sync image-rename; do
	for live in "" --leave-running; do
		failed "$fault" "$jsnap" dump --pid "$program" --image "$dir/images/x.jsnap" $live
		program_answers
		cmp -s images/x.jsnap before.jsnap || fail "$fault: the image that was there is not what it was"
		[ "$(ls -A images)" = x.jsnap ] || fail "$fault: left in images: $(ls -A images)"
	done
done
"$jsnap" dump --pid "$program" --image images/x.jsnap || fail "the dump after the faults"
wait "$program" || true

cp images/x.jsnap before.jsnap
for fault in extract clone open-files region restorer; do
	failed "$fault" "$jsnap" restore --tids $tids "$dir/images/x.jsnap"
	no_process || fail "$fault: a process is left"
	cmp -s images/x.jsnap before.jsnap || fail "$fault: the image is not what it was"
	[ -z "$(find images -name '*tmp*')" ] || fail "$fault: left in images: $(ls -A images)"
done
start again "$jsnap" restore --tids $tids "$dir/images/x.jsnap"
program_answers
kill -KILL "$pid"
until_true 10 "all is gone" no_process
# A build without faults, and a name that is none, know nothing.
say "$checked faults"
nothing_left
