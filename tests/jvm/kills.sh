#!/bin/bash
# jsnap ended by force: what it leaves, and what the very next `run` makes of it.
#
# kills.sh JDK cap|userns [N]
[ -n "${JSNAP_TEST_REAPED:-}" ] ||
	JSNAP_TEST_REAPED=1 exec "${JSNAP_TEST_WORK:?}/scripts/jsnap-reaper" "$0" "$@"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
n=${3:-10}
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" -XX:+UseSerialGC "${java_args[@]}")
command[1]=checkpoint
"${command[@]}" </dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint exited with $?"
command[1]=run

# The program dies with jsnap. Its numbers and its port may be its own for a moment more.
for ((i = 1; i <= n; i++)); do
	start_timed again "$port" "$path" "${command[@]}"
	said again "jsnap: restored" "run $i, right after a SIGKILL of the one before"
	rm again.err
	kill -KILL "$pid"
	disown "$pid"
done
until_true 10 "the program dies with jsnap" no_process
nothing_left
