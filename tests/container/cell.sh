#!/bin/bash
# One cell of the matrix: the snapshot is made in one container and restored in another, fresh one.
#
# cell.sh tiny|h2|spring FILTER CAPABILITY UID NNP WAY
#	FILTER docker|podman|none	the seccomp filter
#	CAPABILITY nocap|cr|fcap	none at all; CAP_CHECKPOINT_RESTORE from the runtime; as a file
#					capability that the runtime's bounding set allows, and only as one
#	UID 0|1000	NNP nnp|priv	no_new_privs or not
#	WAY				how the original TIDs must have been obtained
. "$(dirname "$0")/lib.sh"

use_jdk 17
app_use "$1"
way=$6
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap
capability=$3
through=()
if [ "$capability" = fcap ]; then
	jsnap=$JSNAP_TEST_WORK/cap/bin/jsnap
	capability=cr
	# podman gives what it adds to an ordinary user as ambient capabilities too.
	through=(setpriv --ambient-caps=-all --inh-caps=-all)
fi
options "$2" "$capability" "$4" "$5"
own "$4"
words=(--store "$dir/store" --warmup "http://127.0.0.1:$port$path" --warmup-requests 100 --log-level debug
	-XX:+UseSerialGC "${java_args[@]}")

run first -- "${through[@]}" "$jsnap" checkpoint "${words[@]}"
until_true "$patience" "the checkpoint ends" ended "$pid"
wait "$pid" || fail "jsnap checkpoint exited with $?"
image=$(echo store/*.jsnap)
# Only its owner may look into it.
HOME=$dir/home setpriv --reuid="$4" --regid="$4" --clear-groups "$jsnap" inspect --json "$dir/$image" >inspect.json
python3 -c '
import json, sys
for thread in json.load(open("inspect.json"))["threads"]:
	print(thread["tid"])' | sort -n >wanted

# How old a process is, and with it how long its first answer took, in ms.
age_ms() {
	awk -v hz="$(getconf CLK_TCK)" 'NR == FNR { now = $1; next } { sub(/.*\) /, ""); printf "%d", (now - $20 / hz) * 1000 }' \
		/proc/uptime "/proc/$1/stat"
}

run second -- "${through[@]}" "$jsnap" run --tids auto "${words[@]}"
await second "$path"
first_ms=$(age_ms "$inner")
grep -q "jsnap: restored .*(tids: $way)" second.err || fail "second.err does not say 'restored (tids: $way)'"
java=$(java_of "$inner")
[ -n "$java" ] || fail "no java in the container"
inner_tids "$java" >got
[ -z "$(comm -23 <(sort wanted) <(sort got))" ] || fail "TIDs are lost: $(comm -23 <(sort wanted) <(sort got) | tr '\n' ' ')"
expect "capabilities of the restored process" "$(capabilities "$java")" 0000000000000000
for ((i = 0; i < 100; i++)); do
	get "$path" >page
	[ -s page ] || fail "request $i has no answer"
done
# What docker exec does: other processes come and go in there.
for ((i = 0; i < 3; i++)); do
	pm exec "second-$$" true || fail "podman exec"
done
get "$path" >page || fail "no answer after podman exec"
pm kill -s TERM "second-$$" >/dev/null
until_true 60 "the container ends after SIGTERM" ended "$pid"
status=0
wait "$pid" || status=$?
expect "the exit status after SIGTERM" $status 143

# The same snapshot restored outside of containers, where exact numbers are to be had: within the walk and
# such a restore the first answer has to be there. Figures of one run, but of a machine that may be busy.
# There is no filter there: that has to be allowed.
(HOME=$dir/home exec unshare --net --pid --mount-proc --kill-child setpriv --reuid="$4" --regid="$4" --clear-groups \
	"$jsnap" restore --lsm ignore --log-level debug "$dir/$image" >normal.out 2>normal.err) &
normal=$!
normal_restored() {
	ended $normal && fail "the restore outside: $(tail -n 2 normal.err)"
	grep -q "jsnap: restored" normal.err
}
until_true "$patience" "the restore outside" normal_restored
kill "$(cat /proc/$normal/task/$normal/children)"
wait $normal || true
took() { sed -n 's/.*jsnap: restored .* in \([0-9.]*\) ms.*/\1/p' "$1.err"; }
walk_ms=$(sed -n 's/.*the walk takes .* about \([0-9.]*\) ms.*/\1/p' second.err)
[ "$way" != walk ] || [ -n "$walk_ms" ] || fail "second.err does not say what the walk takes"
figures="restored in $(took second) ms (outside: $(took normal) ms, walk: ${walk_ms:-0} ms), first answer after $first_ms ms"
awk "BEGIN { whole = $(took normal) + ${walk_ms:-0}; exit !($(took second) < 5 * whole + 1500 && $first_ms < 10 * whole + 5000) }" ||
	fail "$figures"
say "$figures"
say "$(wc -l <wanted) threads, TIDs $(head -n 1 wanted) to $(tail -n 1 wanted); $(grep -o 'restored .*' second.err)"
