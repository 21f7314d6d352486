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
# The agent's own watch over the others ends when they go on.
python3 -c '
import json, sys
for thread in json.load(open("inspect.json"))["threads"]:
	if thread["name"] != "jsnap-watch":
		print(thread["tid"])' | sort -n >wanted

run second -- "${through[@]}" "$jsnap" run --tids auto "${words[@]}"
await second "$path"
until_true 10 "second.err says 'restored (tids: $way)'" grep -q "jsnap: restored .*(tids: $way)" second.err
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

walk_ms=$(sed -n 's/.*the walk takes .* about \([0-9.]*\) ms.*/\1/p' second.err)
[ "$way" != walk ] || [ -n "$walk_ms" ] || fail "second.err does not say what the walk takes"

# timed NAME COMMAND...: in a container with `options`, adds to NAME.us the microseconds from the start of jsnap to
# its first answer, for which something asks from before.
cat >timed.sh <<'END'
set -e
exec 3< <(exec python3 "$1" "$2" "$3" "$4.answered")
read -r -u 3 _
exec 3<&-
echo "${EPOCHREALTIME/[.,]/}" >"$4.started"
shift 4
exec "$@"
END
timed() {
	local name=$1
	shift
	rm -f "home/$name.started" "home/$name.answered"
	run "$name" -- "${through[@]}" bash "$dir/timed.sh" "$here/first_answer.py" $port "$path" "$dir/home/$name" "$@"
	answered() {
		[ -e "home/$name.answered" ] || ! ended "$pid" || fail "$name: the container ended: $(tail -n 3 "$name.err")"
		[ -e "home/$name.answered" ]
	}
	until_true "$patience" "the first answer of $name" answered
	until_true 10 "$name.err says 'restored'" grep -q "jsnap: restored" "$name.err"
	echo $(($(<"home/$name.answered") - $(<"home/$name.started"))) >>"$name.us"
	pm rm -f -t 0 "$name-$$" >/dev/null
	wait "$pid" || true
}
extreme() { sort -n "$1.us" | "$2" -n 1; }

# The first answer is there within the walk and a normal restore: that of the same snapshot, in a container that grants
# the numbers (without a filter, which has to be allowed). By turns, since others want the processors, too: the
# quickest here against the slowest there.
cell=("${options[@]}")
options none "$([ "$way" = userns ] && echo nocap || echo cr)" "$4" priv
normal=("${options[@]}")
normal_way=${way/walk/clone3}
for ((turn = 1; ; turn++)); do
	options=("${cell[@]}")
	timed here "$jsnap" run "${words[@]}"
	options=("${normal[@]}")
	timed normal "$jsnap" run --lsm ignore --tids "$normal_way" "${words[@]}"
	figures="first answer after $(paste -sd ' ' here.us) us, $normal_way without a filter: $(paste -sd ' ' normal.us) us, walk: ${walk_ms:-0} ms"
	awk "BEGIN { exit !($(extreme here head) <= $(extreme normal tail) + 1000 * ${walk_ms:-0}) }" && break
	[ $turn -lt 6 ] || fail "$figures"
done
say "$figures"
say "$(wc -l <wanted) threads, TIDs $(head -n 1 wanted) to $(tail -n 1 wanted); $(grep -o 'restored .*' second.err)"
