#!/bin/bash
# A program under load that checks itself without end (tests/apps/stress) is checkpointed many times at
# whatever moment it is in; each time it goes on, or is restored and goes on.
#
# stress.sh JDK G1|Serial|Parallel|Z cap|userns [N]
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$3"
port=$(free_port)
start stress "$JAVA_HOME/bin/java" "-XX:+Use${2}GC" -Xmx256m -jar "$cache/stress.jar" "$port"
java=$pid
until_true 60 "the program serves" get /status >/dev/null

# Every worker has done something since the last look.
advanced() {
	get /status | tr ' ' '\n' | tail -n +2 | sort >now.counts || return 1
	join -t= last.counts now.counts | awk -F= '$3 <= $2 { exit 1 }'
}

remember() {
	get /status | tr ' ' '\n' | tail -n +2 | sort >last.counts
	[ "$(wc -l <last.counts)" -ge 18 ] || fail "the status names too few workers"
}

# 01 is ESTABLISHED in /proc/net/tcp, which an IPv6 socket with an IPv4 peer appears in too.
no_connection() {
	! awk -v port="$(printf ':%04X' "$port")" '$2 ~ port "$" && ($4 == "01" || $4 == "08") { found = 1 } END { exit !found }' \
		/proc/net/tcp /proc/net/tcp6
}

remember
for ((i = 1; i <= ${4:-50}; i++)); do
	# A moment of its own each time; no established connection may be open in it.
	sleep 0.0$((RANDOM % 10))$((RANDOM % 10))
	until_true 5 "the status connection is gone" no_connection
	if ((i % 2)); then
		"$jsnap" dump --pid "$java" --image "$dir/live.jsnap" --leave-running 2>dump.err || fail "dump $i"
		rm live.jsnap
	else
		"$jsnap" dump --pid "$java" --image "$dir/stress.jsnap" 2>dump.err || fail "dump $i"
		wait "$pid" 2>/dev/null || true
		start restored "$jsnap" restore --tids $tids "$dir/stress.jsnap"
		until_true 30 "restore $i serves" get /status >/dev/null
		java=$(java_below "$pid")
		rm stress.jsnap
	fi
	ended "$pid" && fail "the program ended after checkpoint $i"
	until_true 30 "all workers go on after checkpoint $i" advanced
	remember
done
grep -h "violated" ./*.err && fail "an invariant was violated"
say "$((i - 1)) checkpoints; $(get /status | cut -c1-120)..."
stop "$pid" TERM
expect "the exit status after SIGTERM" $status 143
nothing_left
