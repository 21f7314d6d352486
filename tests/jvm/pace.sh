#!/bin/bash
# Throughput and 99th percentile of two ways to run the same service: both are up, and are asked at the same time, in many
# short turns, so that whatever else the machine does falls on both.
#
#	restored	the process that a snapshot was taken of, which goes on, against one restored from it
#	rest		`java` against `jsnap run` that takes no snapshot yet: a fresh pair of JVMs each turn,
#			for no two JVMs compile alike
#	lost		as restored, but the clients of the restored one stand still for a fifth of the time, which
#			the rule below must not let pass
#
# The rule: each turn gives one ratio of the second to the first, and the turns together an interval in which the median
# ratio lies with 95 %, by order statistics (binomial: no assumption about the noise). A loss of 15 % of the throughput
# must lie outside of it, and so must a 99th percentile of one and a half times. While that can't be said, which is how noise
# shows, more turns follow, up to three times as many.
#
# pace.sh restored|rest|lost shop|reactive|tiny JDK [TURNS [SECONDS]]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"
. "$(dirname "$0")/apps.sh"

patience=${JSNAP_TEST_PATIENCE:-400} # such a service starts in minutes where everything else runs too

what=$1
turns=${4:-20}
seconds=${5:-2}
warm_seconds=6
use_jdk "$3"
use_mode userns # live and restored have the same PID

: >figures
# measure TURN NAME PORT NAME PORT: both at the same time; a line of figures.
measure() {
	local names=("$2" "$4") ports=("$3" "$5") hammers=() i line=$1
	for i in 0 1; do
		port=${ports[i]}
		start_hammer "${names[i]}.$1" 4 "$seconds"
		hammers+=("$hammer")
	done
	[ "$what" != lost ] || [ "$1" = 0 ] || stand_still "${hammers[1]}"
	for i in 0 1; do
		hammer=${hammers[i]}
		hammered "${names[i]}.$1" "${names[i]}, turn $1"
		line+=" $(load "${names[i]}.$1" per_second) $(load "${names[i]}.$1" p99_us)"
	done
	echo "$line" >>figures
}

# A fifth of its time, in one piece.
stand_still() { # PID
	sleep 0.5
	kill -STOP "$1"
	sleep "$(awk "BEGIN { print $seconds / 5 }")"
	kill -CONT "$1"
}

# 0: the median ratio of that figure is within the limit (not below one that is less than 1, not above one that is more);
# 2: it is not; 1: more turns may tell.
judge() { # COLUMN UNIT LIMIT
	awk -v c="$1" -v unit="$2" -v limit="$3" '
		{ n++; first[n] = $c; second[n] = $(c + 2); ratio[n] = second[n] / first[n] }
		function sort(a,   i, j, t) {
			for (i = 1; i <= n; i++)
				for (j = i + 1; j <= n; j++)
					if (a[j] < a[i]) { t = a[i]; a[i] = a[j]; a[j] = t }
		}
		function median(a) { return (a[int((n + 1) / 2)] + a[int(n / 2) + 1]) / 2 }
		END {
			sort(ratio); sort(first); sort(second)
			k = int(n / 2 - 0.98 * sqrt(n) + 0.5)
			k = k < 1 ? 1 : k
			low = ratio[k]; high = ratio[n + 1 - k]
			printf "%-11s %7d (%d to %d)  %7d (%d to %d)  %+.1f %% (%+.1f to %+.1f), %d turns\n", unit,
				median(first), first[1], first[n], median(second), second[1], second[n],
				(median(ratio) - 1) * 100, (low - 1) * 100, (high - 1) * 100, n
			if (limit > 1) { t = low; low = 1 / high; high = 1 / t; limit = 1 / limit }
			exit low > limit ? 0 : high < limit ? 2 : 1
		}' figures
}

# After each `turns` turns, until something can be said. Sets `outcome`, to the worse of the two.
enough() { # TURN
	local p99=0
	[ $(($1 % turns)) = 0 ] || return 1
	outcome=0
	judge 2 requests/s 0.85 || outcome=$?
	[ "$what" = lost ] || judge 3 "p99 in us" 1.5 || p99=$?
	[ $p99 -le $outcome ] || outcome=$p99
	[ $outcome != 1 ] || [ "$1" -ge $((3 * turns)) ]
}

use_service() {
	if [ "$1" = tiny ]; then
		app_use tiny
	else
		service_use "$1"
	fi
}

case $what in
restored | lost)
	use_service "$2"
	# Until all is compiled that will be, before the snapshot and after it: what each of them compiles by itself
	# costs requests, and makes two JVMs of one.
	start_timed live "$port" "$path" "$jsnap" run --store "$dir/store" --tids $tids --ready "http://127.0.0.1:$port$path" \
		--warmup "exec:exec '$JSNAP_TEST_WORK/scripts/jsnap-hammer' $port $path 4 30" -XX:+UseG1GC "${java_args[@]}"
	live_pid=$pid
	live_port=$port
	until_true "$patience" "the snapshot" snapshot_settled
	restored_port=$(free_port)
	start_timed restored "$restored_port" "$path" "$jsnap" restore --tids $tids --listen "$live_port=$restored_port" \
		"$(find store -name '*.jsnap')"
	restored_pid=$pid
	seconds=20 measure 0 live "$live_port" restored "$restored_port"
	: >figures
	for ((turn = 1; ; turn++)); do
		measure $turn live "$live_port" restored "$restored_port"
		! enough $turn || break
	done
	stop "$restored_pid" TERM
	stop "$live_pid" TERM
	;;
rest)
	for ((turn = 1; ; turn++)); do
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
		! enough $turn || break
	done
	;;
*) fail "no comparison $what" ;;
esac
case $what-$outcome in
restored-0 | rest-0 | lost-[12]) ;;
lost-0) fail "the rule lets a fifth that is lost pass" ;;
*-1) fail "$turn turns do not exclude that much is lost: measure longer, or when less else runs" ;;
*) fail "much is lost" ;;
esac
[ -z "${backend_pid:-}" ] || stop_services
nothing_left
