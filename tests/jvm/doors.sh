#!/bin/bash
# Requests are kept out of a restored program until its event loops have closed what has ended, and they run only when
# the agent has refreshed it: also where that takes long.
#
# doors.sh JDK: with a fault, so without the file capability
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"

use_jdk "$1"
use_mode userns
service_use pool
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" "${java_args[@]}" watch)

start cold "${command[@]}"
until_true "$patience" "the snapshot" snapshot_settled
stop "$pid" TERM

# A set that watches for EPOLLMSG (with errors and hang-ups: 418) has a door that is shut.
shut() { grep -Eqs '^tfd: .* events: +418 ' /proc/"$java"/fdinfo/*; }
restoring() {
	java=$(java_below "$pid")
	[ -n "$java" ] && shut
}
open() { ! shut; }
refreshed() { grep -q "jsnap: restored" late.err; }

JSNAP_FAULT=refresh-late=4000 start late "${command[@]}"
until_true 30 "the restored program's doors are shut" restoring
sleep 1
shut || fail "its doors were open before it was refreshed"
refreshed && fail "it was refreshed before it was looked at"
until_true 30 "it is restored" refreshed
until_true 5 "its doors are open" open
expect "GET /ask" "$(get /ask)" hello
stop "$pid" TERM
stop_services
nothing_left
