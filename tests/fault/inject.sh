#!/bin/bash
# ENOSPC, EIO, EMFILE and ENOMEM at each call of jsnap that can return them (tests/fault/inject.c): the
# command fails in words, or does without what it could not have; the program lives, nothing is left.
#
# inject.sh dump|restore ERRNO [STEP [VICTIM]]: every STEP-th call
# inject.sh verify|inspect|list|prune ERRNO [STEP]: what reads or removes says what it could not, and the image
# stays whole or is gone.
# inject.sh checkpoint|run|again ERRNO [STEP]: the same with a JVM, whose own calls succeed, and of calls that
# are reached by one path the first alone. `run` finds no snapshot, `again` finds one: the application answers,
# restored or cold, and stored is a whole snapshot or none.
victim=${4:-threads}
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/program_lib.sh"

use_mode userns
jsnap=$jsnap-loaded # the same, but with a C library that calls can be taken from
verb=$1 errno=$2 step=${3:-1}
inject=$JSNAP_TEST_WORK/scripts/jsnap_inject.so
refused=0 survived=0
export ASAN_OPTIONS=verify_asan_link_order=0 # of a sanitized jsnap

# run N COMMAND...: sets `status` and `call`, the call that failed; "" when there are fewer than N.
run() {
	local n=$1
	shift
	rm -f mark
	status=0
	LD_PRELOAD=$inject JSNAP_INJECT=$errno:$n JSNAP_INJECT_MARK=$dir/mark timeout 60 "$@" </dev/null >i.out 2>i.err || status=$?
	call=$(cat mark 2>/dev/null || true)
}

judge() { # N WHAT: whether it ended as it may; 126: what failed was to execute java
	case $status in
	0) survived=$((survived + 1)) ;;
	125 | 126)
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
		case $call in unlink | stat | fstat) rm -f images/x.jsnap.lock ;; esac # could not be removed, or told to be its own
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

inject_reader() { # COMMAND...: of the store that holds one snapshot
	local image=store/x-$(printf '%032d' 0).jsnap
	program_start
	"$jsnap" dump --pid "$program" --image kept.jsnap || fail "jsnap dump"
	wait "$program" || true
	mkdir -p store
	for ((n = 1; ; n += step)); do
		cp kept.jsnap "$image"
		run "$n" "$jsnap" "$verb" --store "$dir/store" "$@"
		[ -n "$call" ] || break
		if [ $verb.$status = verify.1 ]; then
			grep -q ': could not be checked: \|: whole, but would not restore here: ' i.out || fail "$errno at call $n ($call) of verify: status 1, and no word"
			refused=$((refused + 1))
		else
			judge "$n" "$verb"
		fi
		if [ $verb != prune ]; then
			[ $status != 0 ] || [ -s i.out ] || fail "$errno at call $n ($call) of $verb: says nothing of the snapshot"
			cmp -s kept.jsnap "$image" || fail "$errno at call $n ($call) of $verb: the image is another"
		elif [ $status = 0 ] && [ -e "$image" ]; then
			fail "$errno at call $n ($call) of prune: an image is left, and no word"
		fi
	done
	[ "$status" = 0 ] || fail "$verb without failing calls: $(cat i.err)"
}

inject_verify() { inject_reader x; }
inject_inspect() { inject_reader --json x; }
inject_list() { inject_reader; }
inject_prune() { inject_reader --all; }

no_half() { # N WHAT: in the store
	local image left
	for image in store/*.jsnap; do
		[ -e "$image" ] || continue
		"$jsnap" verify "$image" >verify.out 2>&1 || fail "$errno at call $1 ($call) of $2: $(cat verify.out)"
	done
	left=$(find store -name '*tmp*')
	[ -z "$left" ] || fail "$errno at call $1 ($call) of $2: left in the store: $left"
}

use_tiny() {
	export JSNAP_INJECT_PATHS=1
	use_jdk 17
	port=$(free_port)
	tiny=(--store "$dir/store" --tids $tids --set-env LD_PRELOAD= -Xmx64m -XX:+UseSerialGC -jar "$cache/tiny.jar" "$port")
}

inject_checkpoint() {
	for ((n = 1; ; n += step)); do
		rm -rf store/*
		run "$n" "$jsnap" checkpoint "${tiny[@]}"
		[ -n "$call" ] || break
		judge "$n" checkpoint
		until_true 10 "$errno at call $n ($call) of checkpoint: all is gone" no_process
		[ $status != 0 ] || snapshot_exists || fail "$errno at call $n ($call) of checkpoint: no snapshot, and no word"
		no_half "$n" checkpoint
	done
	[ "$status" = 0 ] || fail "a checkpoint without failing calls: $(cat i.err)"
}

answers() { [ "$(get /hello)" = hello ]; }
answers_or_ended() { answers || ended "$pid"; }
# What becomes of the snapshot is said; after a restore that failed by the moment's fault there is no other.
settled() {
	local last='snapshot .* taken|no snapshot: |cold start: no snapshots can be kept'
	[ $verb = run ] || last='restored |cold start: '
	grep -Eq "jsnap: ($last)" i.err || ended "$pid"
}

inject_run() { # as the application's user sees it, from the store `whole`
	mkdir -p whole
	for ((n = 1; ; n += step)); do
		rm -rf store mark i.err
		cp -a whole store
		start i env LD_PRELOAD="$inject" JSNAP_INJECT=$errno:$n JSNAP_INJECT_MARK="$dir/mark" "$jsnap" run "${tiny[@]}"
		until_true 60 "$errno at call $n of $verb: it serves" answers_or_ended
		until_true 60 "$errno at call $n of $verb: word of the snapshot" settled
		if ended "$pid"; then
			status=0
			wait "$pid" || status=$?
			[ $status != 0 ] || fail "$errno at call $n of $verb: it ended with 0: $(cat i.err)"
		else
			answers || fail "$errno at call $n ($(cat mark)) of $verb: it does not answer any more"
			stop "$pid" TERM
			expect "$errno at call $n of $verb: the exit status" $status 143
			status=0
		fi
		until_true 20 "$errno at call $n of $verb: all is gone" no_process
		call=$(cat mark 2>/dev/null || true)
		[ -n "$call" ] || break
		judge "$n" $verb
		no_half "$n" $verb
	done
	[ "$status" = 0 ] || fail "a run without failing calls: $(cat i.err)"
}

inject_again() {
	"$jsnap" checkpoint "${tiny[@]}" </dev/null >i.out 2>i.err || fail "jsnap checkpoint: $(cat i.err)"
	rm -rf whole
	cp -a store whole
	inject_run
}

case $verb in checkpoint | run | again) use_tiny ;; esac
"inject_$verb"
[ $((refused + survived)) -gt 0 ] || fail "no call failed: is $inject loaded?"
say "$errno, every $step. call of $verb: $refused refused, $survived done without"
until_true 10 "all is gone" no_program
rm -f images/x.jsnap*
nothing_left
