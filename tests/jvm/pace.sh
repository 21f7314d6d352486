#!/bin/bash
# Throughput and 99th percentile of two ways to run the same service, in one interleaved run: both are up,
# and are asked in turns, whose order changes each time. The median of the second one's turns must lie
# within the first one's spread, widened by a tenth.
#
#	restored	the process that a snapshot was taken of, which goes on, against one restored from it
#	rest		`java` against `jsnap run` that takes no snapshot yet: a fresh pair of JVMs each turn,
#			for no two JVMs compile alike
#
# pace.sh restored|rest shop|reactive|tiny JDK [TURNS [SECONDS]]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"
. "$(dirname "$0")/apps.sh"

patience=${JSNAP_TEST_PATIENCE:-400} # such a service starts in minutes where everything else runs too

what=$1
turns=${4:-10}
seconds=${5:-5}
warm_seconds=6
use_jdk "$3"
use_mode userns # live and restored have the same PID

: >figures
# measure TURN NAME PORT...: each for some seconds, forwards and backwards in turn; a line of figures each.
measure() {
	local turn=$1 names=() ports=() i order
	shift
	while [ $# -gt 0 ]; do
		names+=("$1")
		ports+=("$2")
		shift 2
	done
	order=(0 1)
	[ $((turn % 2)) = 0 ] || order=(1 0)
	for i in "${order[@]}"; do
		port=${ports[i]}
		start_hammer "${names[i]}.$turn" 4 "$seconds"
		hammered "${names[i]}.$turn" "${names[i]}, turn $turn"
		echo "${names[i]} $(load "${names[i]}.$turn" per_second) $(load "${names[i]}.$turn" p99_us)" >>figures
	done
}

judge() { # FIRST SECOND COLUMN UNIT
	awk -v first="$1" -v second="$2" -v c="$3" -v unit="$4" '
		{ v[$1, ++n[$1]] = $c }
		function sorted(who,   i, j, t) {
			for (i = 1; i <= n[who]; i++)
				for (j = i + 1; j <= n[who]; j++)
					if (v[who, j] < v[who, i]) { t = v[who, i]; v[who, i] = v[who, j]; v[who, j] = t }
		}
		END {
			sorted(first); sorted(second)
			a = v[first, int((n[first] + 1) / 2)]; b = v[second, int((n[second] + 1) / 2)]
			low = v[first, 1]; high = v[first, n[first]]
			printf "%-12s %s %7d (%d to %d)   %s %7d (%d to %d)   %+.1f %%\n", unit, first, a, low, high, second, b,
				v[second, 1], v[second, n[second]], (b / a - 1) * 100
			exit !(b >= low * 0.9 && b <= high * 1.1)
		}' figures
}
within_noise() { # FIRST SECOND
	local outcome=0
	judge "$1" "$2" 2 requests/s || outcome=1
	judge "$1" "$2" 3 "p99 in us" || outcome=1
	[ $outcome = 0 ] || fail "not within the noise"
}

use_service() {
	if [ "$1" = tiny ]; then
		app_use tiny
	else
		service_use "$1"
	fi
}

case $what in
restored)
	use_service "$2"
	start_timed live "$port" "$path" "$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" --warmup-requests 3000 \
		-XX:+UseG1GC "${java_args[@]}"
	live_pid=$pid
	live_port=$port
	until_true "$patience" "the snapshot" snapshot_settled
	restored_port=$(free_port)
	start_timed restored "$restored_port" "$path" "$jsnap" restore --tids $tids --listen "$live_port=$restored_port" \
		"$(find store -name '*.jsnap')"
	restored_pid=$pid
	measure 0 live "$live_port" restored "$restored_port" # warms both alike
	: >figures
	for ((turn = 1; turn <= turns; turn++)); do
		measure $turn live "$live_port" restored "$restored_port"
	done
	stop "$restored_pid" TERM
	stop "$live_pid" TERM
	within_noise live restored
	;;
rest)
	for ((turn = 1; turn <= turns; turn++)); do
		use_service "$2"
		start_timed java "$port" "$path" java -XX:+UseG1GC "${java_args[@]}"
		java_pid=$pid
		java_port=$port
		# It waits for the program to ask for its snapshot, which it never does.
		use_service "$2"
		start_timed jsnap "$port" "$path" "$jsnap" run --store "$dir/store" --tids $tids --ready api -XX:+UseG1GC \
			"${java_args[@]}"
		jsnap_port=$port
		for port in "$java_port" "$jsnap_port"; do
			start_hammer warm 4 $warm_seconds
			hammered warm "warming, turn $turn"
		done
		measure $turn java "$java_port" jsnap "$jsnap_port"
		stop "$pid" TERM
		stop "$java_pid" TERM
	done
	within_noise java jsnap
	;;
*) fail "no comparison $what" ;;
esac
[ -z "${backend_pid:-}" ] || stop_services
nothing_left
