#!/bin/bash
# Two jsnaps at one snapshot, the first of which the fault `stop` holds at its worst moment.
#
# meetings.sh
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/lib.sh"
. "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}/scripts/program_lib.sh"

use_mode userns
chmod 700 store
image=$dir/store/threads-0123456789abcdef0123456789abcdef.jsnap
dump=("$jsnap" dump --pid)
prune=("$jsnap" prune --store "$dir/store" --all)

stopped() { [ "$(process_state "$1")" = T ]; }
hold() { # NAME PLACE COMMAND...: sets `held`
	local name=$1 place=$2
	shift 2
	start "$name" env JSNAP_FAULT=stop="$place" "$@"
	held=$pid
	until_true 20 "$name stops at $place" stopped "$held"
}
go_on() { # NAME
	kill -CONT "$held"
	until_true 20 "$1 ends" ended "$held"
	wait "$held" || fail "$1: exit status $?: $(cat "$1.err")"
}
temporaries() { find store -name '.*.tmp' | wc -l; }

program_start
dump+=("$program" --leave-running --image "$image")

# A snapshot that is taken when prune has chosen the one before.
"${dump[@]}" || fail "jsnap dump"
hold prune prune "${prune[@]}"
"${dump[@]}" || fail "jsnap dump beside prune"
go_on prune
grep -q "^kept threads-.*: it is another by now, or gone" prune.out && grep -q "^removed 0 of 1" prune.out || fail "prune: $(cat prune.out)"
"$jsnap" verify "$image" || fail "prune removed a snapshot that it had not seen"

# One that is removed when verify has listed it: not there, and not bad.
hold verify verify "$jsnap" verify --store "$dir/store"
"${prune[@]}" >prune.out
go_on verify
expect "what verify says of what was removed" "$(cat verify.out)" "No snapshots in the store."

# Another writer waits for the first, and what the first has written so far stays.
"${dump[@]}" || fail "jsnap dump"
hold first rename "${dump[@]}"
expect "temporary files of a writer" "$(temporaries)" 1
start second "${dump[@]}"
second=$pid
said second "jsnap: another jsnap is working on this snapshot: waiting for it" "a second writer"
"${prune[@]}" >prune.out
grep -q "^kept threads-.*: in use" prune.out || fail "prune beside a writer: $(cat prune.out)"
expect "temporary files of a writer" "$(temporaries)" 1
go_on first
wait "$second" || fail "the second writer: $(cat second.err)"
"$jsnap" verify "$image" || fail "two writers left a bad image"
expect "what is in the store" "$(ls -A store)" "${image##*/}"

program_answers
kill -KILL "$program"
until_true 10 "all is gone" no_program
nothing_left
