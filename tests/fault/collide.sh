#!/bin/bash
# Writers, readers and prune on one snapshot, all at once for some seconds: whoever reads finds it whole or
# not at all, nobody fails for another, and nothing is left between. Of the writers two dump, which wait for
# each other, and two start a JVM for it, which give up while somebody else has it.
#
# collide.sh JDK [SECONDS]
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/program_lib.sh"

use_jdk "$1"
use_mode userns
chmod 700 store
image=$dir/store/threads-0123456789abcdef0123456789abcdef.jsnap
ends=$((SECONDS + ${2:-8}))

# many NAME WORDS COMMAND...: over and over, until it has done what it is for at least; what it says is WORDS,
# whatever its exit status. NAME.count: how often it said the first of the words.
many() {
	local name=$1 words=$2 count=0
	shift 2
	while [ $SECONDS -lt $((count ? ends : ends + 60)) ]; do
		"$@" </dev/null >"$name.log" 2>&1 || true
		grep -Eq -- "$words" "$name.log" || { cp "$name.log" "$name.wrong"; break; }
		! grep -q -- "${words%%|*}" "$name.log" || count=$((count + 1))
	done
	echo $count >"$name.count"
}

program_start
dump() { sleep 0.$((RANDOM % 10)) && "$jsnap" dump --pid "$program" --image "$image" --leave-running; }
checkpoint() { "$jsnap" checkpoint --image "$image" --tids $tids -XX:+UseSerialGC -jar "$cache/tiny.jar" "$1"; }
many writer1 'dumped process' dump &
many writer2 'dumped process' dump &
many checkpoint1 'snapshot .* taken|another jsnap is taking this snapshot' checkpoint "$(free_port)" &
many checkpoint2 'snapshot .* taken|another jsnap is taking this snapshot' checkpoint "$(free_port)" &
many again ': whole|No such file|no snapshot' "$jsnap" verify "$image" &
many key ': whole|no snapshot|No such file' "$jsnap" verify --store "$dir/store" 0123456789abcdef &
many inspect '"threads"|No such file' "$jsnap" inspect --json "$image" &
many all ': whole|No snapshots' "$jsnap" verify --store "$dir/store" &
many list '"snapshots"' "$jsnap" list --json --store "$dir/store" &
many prune 'removed 1 of 1|removed 0 of|in use' "$jsnap" prune --store "$dir/store" --all &
wait $(jobs -p | grep -vx "$program")
for name in writer1 writer2 checkpoint1 checkpoint2 again key inspect all list prune; do
	[ ! -e $name.wrong ] || fail "$name: $(cat $name.wrong)"
	[ "$(cat $name.count)" -gt 0 ] || fail "$name never did what it is for: $(cat $name.log)"
	say "$name: $(cat $name.count)"
done
program_answers
kill -KILL "$program"
"$jsnap" prune --store "$dir/store" --all >/dev/null
[ -z "$(ls -A store)" ] || fail "left in the store: $(ls -A store)"
until_true 10 "all is gone" no_program
nothing_left
