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
expect "the exit codes in out.json" "$(grep -c '^ *143,\?$' out.json)" 8
grep -q '"user": 0\.0*[1-9]\|"user": [1-9]' out.json || fail "out.json has no processor time"
grep -q "stood still for [0-9.]* ms and went on" table || fail "no word of the pause: $(cat table)"
grep -q '"pause": [0-9.]*[1-9]' out.json || fail "out.json has no pause"
grep -q "^</svg>" out.svg || fail "out.svg is cut short"
get /hello >/dev/null 2>&1 && fail "a program is left running"
[ -z "$(ls -A tmp)" ] || fail "left in the temporary folder: $(ls -A tmp)"

# AppCDS trained by the same requests; the archive is there, or bench would have refused.
"$jsnap" bench --tids $tids --runs 1 --warmup-runs 0 "${warmup[@]}" --variant java --variant appcds "${java_args[@]}" \
	</dev/null >appcds 2>appcds.err || fail "jsnap bench with AppCDS exited with $?"
grep -q "^java, AppCDS  *[0-9]" appcds || fail "the table has no row for AppCDS: $(cat appcds)"

# What answers at the port already would be measured in the program's place.
start taken java "${java_args[@]}"
until_true "$patience" "the program answers" get /hello >/dev/null
status=0
"$jsnap" bench --runs 1 --variant java "${warmup[@]}" "${java_args[@]}" </dev/null >taken.table 2>taken.err || status=$?
expect "the status of bench with the port taken" $status 125
grep -q "already answers" taken.err || fail "no word of the port: $(cat taken.err)"
stop "$pid" TERM
cat table appcds >&2
nothing_left
