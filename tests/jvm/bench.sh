#!/bin/bash
# jsnap bench on the tiny program: the table, its files, and nothing left.
#
# bench.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
"$jsnap" bench --tids $tids --runs 2 --warmup-runs 1 "${warmup[@]}" --export-json "$dir/out.json" \
	--export-svg "$dir/out.svg" "${java_args[@]}" </dev/null >table 2>bench.err || fail "jsnap bench exited with $?"
for title in java "restore, hot copy" "restore, from zstd" "restore, cold cache"; do
	grep -q "^$title  *[0-9]" table || fail "the table has no row '$title': $(cat table)"
done
expect "the rows of out.json" "$(grep -c '"median": 0\.\|"median": [0-9]' out.json)" 4
grep -q "^</svg>" out.svg || fail "out.svg is cut short"
get /hello >/dev/null 2>&1 && fail "a program is left running"
[ -z "$(ls -A tmp)" ] || fail "left in the temporary folder: $(ls -A tmp)"
cat table >&2
nothing_left
