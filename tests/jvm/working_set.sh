#!/bin/bash
# The working set: recorded by the first restore that answers, made ready by the next before anybody
# asks, made again when it is damaged or of another snapshot, counted and removed with the snapshot.
#
# working_set.sh JDK G1|Serial cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$3"
app_use tiny
command=("$jsnap" checkpoint --store "$dir/store" --tids $tids --log-level debug "${warmup[@]}" "-XX:+Use${2}GC"
	"${java_args[@]}")

pages() { find store -name '*.pages' -type f; }
recorded() { [ -n "$(pages)" ]; }

# What the runs of a record sum up to, in KiB.
record_kb() {
	tail -c +41 "$1" | od -An -v -t u8 -w16 | awk '{ sum += $2 - $1 } END { printf "%d", sum / 1024 }'
}

anonymous_kb() { awk '/^Anonymous:/ { print $2 }' "/proc/$1/smaps_rollup"; }

restored() { # NAME: run and wait until it says so, with no request made
	start "$1" "${command[@]}"
	until_true "$patience" "$1 is restored" grep -q "jsnap: restored" "$1.err"
	java=$(java_below "$pid")
}

take() {
	command[1]=checkpoint
	"${command[@]}" </dev/null >>checkpoint.out 2>>checkpoint.err || fail "jsnap checkpoint exited with $?"
	command[1]=run
}

take
restored first
recorded && fail "a record of nothing"
grep -q "no working set" first.err || fail "the first restore found a working set"
idle=$(anonymous_kb "$java")
expect "GET /hello" "$(get /hello)" hello
until_true 30 "the record" recorded
stop "$pid" KILL
# An orphan now: it keeps its number until init has reaped it.
until_true 10 "the first has gone" gone "$java"
record=$(record_kb "$(pages)")
[ "$record" -ge 400 ] || fail "only $record KiB were recorded"

restored second
! grep -q "no working set" second.err || fail "the record is not used: $(grep 'no working set' second.err)"
ready=$(anonymous_kb "$java")
say "$record KiB recorded; own memory before any request: $idle KiB without, $ready KiB with"
# Some of the pages that were recorded are a restored process's own in any case.
[ "$ready" -ge $((idle + record / 2)) ] || fail "nothing was made ready"
app_check 100
stop "$pid" TERM
until_true 10 "the second has gone" no_process

# Counted and verified with the snapshot.
size=$("$jsnap" list --json --store "$dir/store" | sed -n 's/.*"hot_bytes": *\([0-9]*\).*/\1/p' | head -1)
expect "the hot copy's size in the list" "$size" $((512 * ($(stat -c %b store/*.hot) + $(stat -c %b store/*.pages))))

# Damaged: it is made again.
inode=$(stat -c %i "$(pages)")
another() { recorded && [ "$(stat -c %i "$(pages)")" != "$inode" ]; }
printf x | dd of="$(pages)" bs=1 seek=60 conv=notrunc status=none
restored third
grep -q "no working set.*checksum" third.err || fail "damage was not found"
expect "GET /hello" "$(get /hello)" hello
until_true 30 "a record in place of the damaged one" another
stop "$pid" KILL
# An orphan now: it keeps its number until init has reaped it.
until_true 10 "the third has gone" gone "$java"

# Of another snapshot.
take
restored fourth
grep -q "no working set.*another image" fourth.err || fail "another snapshot's record was taken"
expect "GET /hello" "$(get /hello)" hello
stop "$pid" TERM
until_true 10 "the fourth has gone" no_process

"$jsnap" prune --store "$dir/store" --all >/dev/null || fail "jsnap prune"
left=$(find store -type f)
[ -z "$left" ] || fail "prune left $left"
nothing_left
