#!/bin/bash
# After its heap was collected for the snapshot a program is asked again, for pages alone: a full collection takes from
# compiled code what it had by being used.
#
# warmed.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny

# asked NAME OPTION...: how many requests it has had when it goes on after its snapshot.
asked() {
	local name=$1
	shift
	start "$name" "$jsnap" run --store "$dir/store/$name" --tids $tids --log-level debug \
		--warmup "http://127.0.0.1:$port/hello" --warmup-requests 30 "$@" "${java_args[@]}"
	until_true "$patience" "$name: its snapshot" snapshot_exists "store/$name"
	requests=$(get /count)
	stop "$pid" TERM
}

asked plain
expect "requests of the warm-up and after the collection" "$requests" 50
before=$(grep -n "warm after 30 requests" plain.err | cut -d: -f1)
again=$(grep -n "warmed again by 20 requests" plain.err | cut -d: -f1)
[ "${before:-0}" -gt 0 ] && [ "${again:-0}" -gt "$before" ] || fail "their order: $(cat plain.err)"

# Commands may do what is to be done once; hooks may have closed what answers.
asked commands --warmup "exec:echo ran >>'$dir/ran'"
expect "runs of the command" "$(wc -l <ran)" 1
asked hooks --before-checkpoint "exec:true"
expect "requests of one with hooks" "$requests" 30

# A few requests stay few.
asked few --warmup-requests 3
expect "requests of three and three again" "$requests" 6
nothing_left
