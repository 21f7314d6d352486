#!/bin/bash
# What doctor says of a place is what happens there: the way it names, and the line it gives for
# another, taken at its word.
. "$(dirname "$0")/lib.sh"

use_jdk 17
own 1000
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap

# doctor NAME FILTER CAPABILITY UID WAY [OPTION...]
doctor() {
	local name=$1 way=$5 status=0
	options "$2" "$3" "$4" nnp
	shift 5
	run "$name" "$@" -- "$jsnap" doctor --json
	wait "$pid" || status=$?
	expect "doctor's exit status in $name" $status 0
	expect "doctor's way in $name" "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["tids"])' "$name.out")" "$way"
}

advice() { # NAME PROBE
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["probes"][sys.argv[2]]["advice"])' "$1.out" "$2"
}

doctor docker docker nocap 1000 walk
doctor dockercr docker cr 0 walk
doctor podman podman nocap 1000 userns
doctor podmanroot podman nocap 0 walk
advice podmanroot clone3 | grep -q -- '--cap-add CHECKPOINT_RESTORE' || fail "advice: $(advice podmanroot clone3)"
doctor podmancr podman cr 0 clone3
# The line for Docker names jsnap's own filter, which opens clone3 (docs/privileges.md says what else).
advice docker clone3 | grep -q -- '--cap-add CHECKPOINT_RESTORE --security-opt seccomp=.*jsnap-seccomp.json' ||
	fail "advice: $(advice docker clone3)"
under_profile() { # NAME UID WAY NNP COMMAND...
	local name=$1 way=$3
	options docker cr "$2" "$4"
	options=("${options[@]/#seccomp=*/seccomp=$here/../../packaging/container/jsnap-seccomp.json}")
	shift 4
	run "$name" -- "$@" doctor --json
	wait "$pid" || fail "doctor under jsnap's filter"
	expect "doctor's way under jsnap's filter, $name" \
		"$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["tids"])' "$name.out")" "$way"
}
under_profile filter 0 clone3 nnp "$jsnap"
# Docker sets no ambient capabilities: another user than root needs the file capability, too, and is told so.
as_docker=(setpriv --ambient-caps=-all --inh-caps=-all)
under_profile user 1000 walk priv "${as_docker[@]}" "$jsnap"
advice user clone3 | grep -q "setcap cap_checkpoint_restore=p $jsnap" || fail "advice: $(advice user clone3)"
under_profile usercap 1000 clone3 priv "${as_docker[@]}" "$JSNAP_TEST_WORK/cap/bin/jsnap"
# Forced to a way that does not work, it says so by its status.
options docker nocap 1000 nnp
status=0
run forced -- "$jsnap" doctor --tids clone3
wait "$pid" || status=$?
expect "doctor's exit status for --tids clone3 under Docker's filter" $status 1
grep -q "it cannot be restored here" forced.out || fail "forced.out: $(tail -n 1 forced.out)"
say "$(grep -A 2 '^clone3' forced.out | tail -n 2)"
