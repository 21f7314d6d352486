#!/bin/bash
# Restores of one image at the same time, each in namespaces of its own, by turns by walking and in a
# user namespace inside.
#
# many.sh [N]
. "$(dirname "$0")/lib.sh"

use_jdk 17
app_use tiny
own $nobody
n=${1:-50}
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap
(alone "$jsnap" checkpoint --image "$dir/store/tiny.jsnap" -XX:+UseSerialGC -Xmx64m "${java_args[@]}" >first.out 2>first.err) ||
	fail "jsnap checkpoint"
pids=()
# The first process of each namespace: unshare's death would not reach it, for the signal it asks for
# is forgotten when the user changes (PR_SET_PDEATHSIG, prctl(2)).
end_all() {
	local pid
	for pid in "${pids[@]}"; do
		kill -KILL $(cat "/proc/$pid/task/$pid/children") "$pid" || true
	done
}
trap 'status=$?; end_all 2>/dev/null; (exit $status); finish' EXIT
for ((i = 0; i < n; i++)); do
	way=walk
	[ $((i % 2)) = 0 ] || way=userns
	(alone "$jsnap" restore --tids $way "$dir/store/tiny.jsnap" >"$i.out" 2>"$i.err") &
	pids+=($!)
done
restored() { [ "$(grep -ls 'jsnap: restored' ./*.err | wc -l)" = "$n" ]; }
until_true "$patience" "all of $n are restored" restored
for ((i = 0; i < n; i++)); do
	java=$(java_of "${pids[i]}")
	[ -n "$java" ] || fail "restore $i has no java"
	expect "the PID of restore $i" "$(awk '/^NSpid:/ { print $NF }' "/proc/$java/status")" 100
	inner=$java
	until_true "$patience" "the answer of restore $i" get "$path" >answer
	expect "the answer of restore $i" "$(cat answer)" hello
done
say "$n restored at once: $(sed -n 's/.* in \([0-9.]*\) ms (tids: \(.*\))/\2 \1/p' ./*.err | sort -k1,1 -k2n |
	awk '{ t[$1] = t[$1] " " $2; n[$1]++ } END { for (w in t) { split(t[w], a, " "); printf "%s median %s most %s ms  ", w, a[int((n[w] + 1) / 2)], a[n[w]] } }')"
