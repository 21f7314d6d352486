#!/bin/bash
# ENOSPC, EIO, EMFILE and ENOMEM at each call of jsnap that can return them (tests/fault/inject.c): the
# command fails in words, or does without what it could not have; the program lives, nothing is left.
#
# inject.sh dump|restore ERRNO [STEP [VICTIM]]: every STEP-th call
victim=${4:-threads}
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/program_lib.sh"

use_mode userns
verb=$1 errno=$2 step=${3:-1}
inject=$JSNAP_TEST_WORK/scripts/jsnap_inject.so
refused=0 survived=0

# run N COMMAND...: sets `status` and `call`, the call that failed; "" when there are fewer than N.
run() {
	local n=$1
	shift
	rm -f mark
	status=0
	LD_PRELOAD=$inject JSNAP_INJECT=$errno:$n JSNAP_INJECT_MARK=$dir/mark timeout 60 "$@" </dev/null >i.out 2>i.err || status=$?
	call=$(cat mark 2>/dev/null || true)
}

judge() { # N WHAT: whether it ended as it may
	case $status in
	0) survived=$((survived + 1)) ;;
	125)
		[ -s i.err ] || fail "$errno at call $1 ($call) of $2: no message"
		refused=$((refused + 1))
		;;
	*) fail "$errno at call $1 ($call) of $2: exit status $status: $(cat i.err)" ;;
	esac
}

inject_dump() {
	program_start
	for ((n = 1; ; n += step)); do
		run "$n" "$jsnap" dump --pid "$program" --image "$dir/images/x.jsnap" --leave-running
		[ -n "$call" ] || break
		judge "$n" dump
		program_answers
		if [ $status = 0 ]; then
			"$jsnap" inspect images/x.jsnap >/dev/null || fail "$errno at call $n ($call): the image is bad"
			zstd -tq images/x.jsnap || fail "$errno at call $n ($call): zstd does not accept the image"
		elif [ -e images/x.jsnap ]; then
			fail "$errno at call $n ($call): failed, and left an image"
		fi
		rm -f images/x.jsnap
		[ "$call" != unlink ] || rm -f images/x.jsnap.lock # what was to be removed and could not
		[ -z "$(ls -A images)" ] || fail "$errno at call $n ($call): left in images: $(ls -A images)"
	done
	[ "$status" = 0 ] || fail "a dump without failing calls: $(cat i.err)"
	kill -KILL "$program"
}

inject_restore() {
	program_start
	"$jsnap" dump --pid "$program" --image images/x.jsnap || fail "jsnap dump"
	wait "$program" || true
	touch v/go # what is restored checks itself and ends with 0
	for ((n = 1; ; n += step)); do
		rm -f images/x.jsnap.hot
		run "$n" "$jsnap" restore --tids $tids --probation 0 "$dir/images/x.jsnap"
		[ -n "$call" ] || break
		judge "$n" restore
		no_program || fail "$errno at call $n ($call) of restore: a process is left"
		[ -z "$(find images -name '*tmp*')" ] || fail "$errno at call $n ($call): left in images: $(ls -A images)"
	done
	[ "$status" = 0 ] || fail "a restore without failing calls: $(cat i.err)"
}

"inject_$verb"
[ $refused -gt 0 ] || fail "no call failed: is $inject loaded?"
say "$errno, every $step. call of $verb: $refused refused, $survived done without"
until_true 10 "all is gone" no_program
rm -f images/x.jsnap*
nothing_left
