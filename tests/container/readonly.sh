#!/bin/bash
# A read-only root. The snapshot in a folder of the image that nobody can write, as a Kubernetes pod with
# readOnlyRootFilesystem has it; and a store on tmpfs.
. "$(dirname "$0")/lib.sh"

use_jdk 17
app_use tiny
own 1000
jsnap=$JSNAP_TEST_WORK/userns/bin/jsnap
words=(--store "$dir/store" -XX:+UseSerialGC "${java_args[@]}")

options docker nocap 1000 nnp
run first -- "$jsnap" checkpoint "${words[@]}"
until_true "$patience" "the checkpoint ends" ended "$pid"
wait "$pid" || fail "jsnap checkpoint exited with $?"
for ((i = 0; i < ${#options[@]}; i++)); do
	[ "${options[i]}" != "$dir:$dir" ] || options[i]=$dir:$dir:ro
done
run second --read-only --read-only-tmpfs=false -- "$jsnap" run "${words[@]}"
await second "$path"
until_true 10 "second.err says 'restored'" grep -q "jsnap: restored .*(tids: walk)" second.err
expect "the answer" "$(get "$path")" hello
pm kill -s TERM "second-$$" >/dev/null
until_true 60 "the container ends" ended "$pid"
say "from a read-only folder: $(grep -o 'restored .*' second.err)"

# A store of this container's own, twice in one life: the second time the counter has moved on, and the
# user namespace that podman's filter allows does not care.
options podman nocap 1000 nnp
words[1]=/dev/shm/snapshots
run third --read-only --read-only-tmpfs=false -- \
	bash -c '"$0" checkpoint "$@" && exec "$0" run "$@"' "$jsnap" "${words[@]}"
await third "$path"
until_true 10 "third.err says 'restored'" grep -q "jsnap: restored .*(tids: userns)" third.err
expect "the answer" "$(get "$path")" hello
say "from tmpfs: $(grep -o 'restored .*' third.err)"
