#!/bin/bash
# Throughput and 99th percentile of a warmed service before its snapshot and after a restore, in one
# interleaved run: the process that the snapshot was taken of goes on beside the one that was restored from
# it, on another port, and both are asked in turns. The median of the restored one's turns must lie
# within the other's spread, widened by a tenth.
#
# pace.sh shop|reactive JDK [TURNS [SECONDS]]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"

patience=${JSNAP_TEST_PATIENCE:-400} # such a service starts in minutes where everything else runs too

turns=${3:-9}
seconds=${4:-5}
use_jdk "$2"
use_mode userns # both have the same PID
service_use "$1"
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" --warmup-requests 3000 -XX:+UseG1GC "${java_args[@]}")

start_timed live "$port" "$path" "${command[@]}"
live_pid=$pid
live_port=$port
until_true "$patience" "the snapshot" snapshot_settled
restored_port=$(free_port)
start_timed restored "$restored_port" "$path" "$jsnap" restore --tids $tids --listen "$live_port=$restored_port" \
	"$(find store -name '*.jsnap')"
restored_pid=$pid

: >figures
for ((turn = 0; turn <= turns; turn++)); do
	for who in live restored; do
		[ $who = live ] && port=$live_port || port=$restored_port
		start_hammer $who.$turn 4 "$seconds"
		hammered $who.$turn "$who, turn $turn"
		# The first turn warms both alike.
		[ $turn = 0 ] || echo "$who $(load $who.$turn per_second) $(load $who.$turn p99_us)" >>figures
	done
done
judge() { # COLUMN UNIT
	awk -v c="$1" -v unit="$2" '
		{ v[$1, ++n[$1]] = $c }
		function sorted(who,   i, j, t) {
			for (i = 1; i <= n[who]; i++)
				for (j = i + 1; j <= n[who]; j++)
					if (v[who, j] < v[who, i]) { t = v[who, i]; v[who, i] = v[who, j]; v[who, j] = t }
		}
		END {
			sorted("live"); sorted("restored")
			a = v["live", int((n["live"] + 1) / 2)]; b = v["restored", int((n["restored"] + 1) / 2)]
			low = v["live", 1]; high = v["live", n["live"]]
			printf "%-14s live %8d (%d to %d)   restored %8d (%d to %d)   %+.1f %%\n", unit, a, low, high, b,
				v["restored", 1], v["restored", n["restored"]], (b / a - 1) * 100
			exit !(b >= low * 0.9 && b <= high * 1.1)
		}' figures
}
outcome=0
judge 2 requests/s || outcome=1
judge 3 "p99 in us" || outcome=1
[ $outcome = 0 ] || fail "not within the noise"
stop "$restored_pid" TERM
stop "$live_pid" TERM
stop_services
nothing_left
