#!/bin/bash
# Snapshots at whatever moment of its work a service is in: generation after generation is asked without a pause while
# its snapshot is taken, restored, and asked again as soon as it can be reached. A connection to elsewhere that was in
# use at that moment has ended, and no request after the restore may be sent over it.
#
# moments.sh SERVICE (of services.sh) JDK cap|userns [SNAPSHOTS [BUSY]]: with BUSY processes that want a processor, too
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"

patience=${JSNAP_TEST_PATIENCE:-400} # such a service starts in minutes where everything else runs too

snapshots=${4:-40}
use_jdk "$2"
use_mode "$3"
service_use "$1"
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" -XX:+UseG1GC "${java_args[@]}")

# A snapshot may say that it is to be tried again.
demanded() { "$jsnap" checkpoint --pid "$pid" >demand.out 2>demand.err || { say "snapshot $n: $(cat demand.err)" && false; }; }
identity() { stat -c '%i %Y' store/*.jsnap; }

start_timed first "$port" "$path" "${command[@]}"
say "cold: $ttfr_ms ms"
until_true "$patience" "the snapshot" snapshot_settled
busy=()
for ((n = 0; n < ${5:-0}; n++)); do
	yes >/dev/null &
	busy+=($!)
done

failed=0 stale=0 lost=0 answered=0
for ((n = 1; n <= snapshots; n++)); do
	start_hammer before 8 600
	sleep 0.$((RANDOM % 90 + 10))
	before=$(identity)
	until_true "$patience" "snapshot $n" demanded
	[ "$(identity)" != "$before" ] || fail "snapshot $n is the old one"
	kill -TERM "$hammer"
	hammered before "while snapshot $n was taken" 2>>hammered.log
	until_true "$patience" "the snapshot" snapshot_settled
	was=$([ "$1" != pool ] || get /stale)
	stop "$pid" TERM
	start_hammer $n 8 600
	start $n "${command[@]}"
	until was_restored $n "restore $n"; do
		kill -TERM "$hammer"
		stop "$pid" TERM
		rm $n.err
		start_hammer $n 8 600
		start $n "${command[@]}"
	done
	until_true "$patience" "restore $n: an answer" get "$path" >/dev/null
	sleep 1
	kill -TERM "$hammer"
	wait "$hammer" || { failed=$((failed + 1)); say "restore $n: $(cat $n.load $n.load.err)"; }
	[ "$(load $n requests)" -gt 0 ] || fail "restore $n: no request was answered"
	[ "$1" != pool ] || stale=$((stale + $(get /stale) - was))
	answered=$((answered + $(load $n requests)))
	lost=$((lost + $(load $n failures)))
done
[ -z "${busy[*]}" ] || kill "${busy[@]}"
say "$snapshots snapshots, $answered requests, $lost of them failed after $failed of the restores; $stale stale"
[ $failed = 0 ] || fail "after $failed of $snapshots restores requests failed"
stop "$pid" TERM
stop_services
nothing_left
