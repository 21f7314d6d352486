#!/bin/bash
# The first requests after a restore: a service whose event loops hold pooled connections that have ended
# meanwhile is asked by several clients at the first moment at which it can be reached, over and over. None
# of these requests may be sent over such a connection.
#
# first.sh reactive JDK cap|userns [RESTORES]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"

patience=${JSNAP_TEST_PATIENCE:-400} # such a service starts in minutes where everything else runs too

restores=${4:-20}
use_jdk "$2"
use_mode "$3"
service_use "$1"
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" -XX:+UseG1GC "${java_args[@]}")

start_timed cold "$port" "$path" "${command[@]}"
say "cold: $ttfr_ms ms"
# Its pool has as many connections as there were clients at once.
start_hammer cold 16 600
until_true "$patience" "the snapshot" snapshot_exists
kill -TERM "$hammer"
hammered cold "while the snapshot was taken"
until_true "$patience" "the snapshot" snapshot_settled
stop "$pid" TERM
"$jsnap" inspect --store "$dir/store" "$(find store -name '*.jsnap')" >inspect.out
closed=$(grep -c closed-by-peer inspect.out || true)
[ "$closed" -ge 16 ] || fail "the snapshot has $closed connections"

failed=0
for ((n = 1; n <= restores; n++)); do
	start_hammer $n 8 1
	start $n "${command[@]}"
	if ! was_restored $n "restore $n"; then
		kill -TERM "$hammer"
		stop "$pid" TERM
		rm $n.err
		n=$((n - 1))
		continue
	fi
	wait "$hammer" || { failed=$((failed + 1)); say "restore $n: $(cat $n.load $n.load.err)"; }
	[ "$(load $n requests)" -gt 0 ] || fail "restore $n: no request was answered"
	stop "$pid" TERM
done
[ $failed = 0 ] || fail "after $failed of $restores restores the first requests failed"
say "$restores restores, $closed connections in the snapshot"
stop_services
nothing_left
