#!/bin/bash
# The table of figures: for each application and mode the time to the first response of `java` and of
# `jsnap run` from its snapshot, interleaved, the median (and the first sample) of N runs; how long the
# checkpoint held the application; image size; resident and proportional memory of a restored process.
#
# figures.sh [JDK [G1|Serial [N [MODE... ]]]]: default 17 G1 10 cap userns
# JSNAP_TEST_APPS: which applications; JSNAP_TEST_RATIOS=1 makes the factors the project promises
# (h2 10, tomcat 20, spring 50) a condition of success.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

jdk=${1:-17}
gc=-XX:+Use${2:-G1}GC
n=${3:-10}
modes=("${@:4}")
[ ${#modes[@]} -gt 0 ] || modes=(cap userns)
use_jdk "$jdk"
missed=

median() { sort -n "$1" | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'; }

memory_of() { # KEY of smaps_rollup, in MiB
	awk -v key="$2:" '$1 == key { printf "%d", $2 / 1024 }' "/proc/$1/smaps_rollup"
}

# How long all threads stood still for the checkpoint, in ms, by what jsnap itself reports.
measure_pause() {
	curl -s --max-time 1 -o /dev/null "http://127.0.0.1:$port$path" || true
	"$jsnap" dump --pid "$1" --image "$dir/pause.jsnap" --leave-running --log-format json --log-level debug \
		2>pause.err || fail "jsnap dump"
	sed -n 's/.*"pause_ms":\([0-9]*\.\{0,1\}[0-9]\{0,1\}\).*/\1/p' pause.err | head -1
	rm -f pause.jsnap
}

one_row() { # APP MODE
	local i name factor promised pause
	use_mode "$2"
	rm -rf store database database.kept base ./*.times ./*.err
	mkdir store
	app_use "$1"
	command=("$jsnap" checkpoint --store "$dir/store" --tids $tids "${warmup[@]}" "$gc" "${java_args[@]}")
	"${command[@]}" </dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint exited with $?"
	command[1]=run
	[ ! -d database ] || cp -a database database.kept
	for ((i = 0; i < n; i++)); do
		for name in cold restored; do
			[ ! -d database.kept ] || { rm -rf database && cp -a database.kept database; }
			if [ $name = cold ]; then
				start_timed $name "$port" "$path" "$JAVA_HOME/bin/java" "$gc" "${java_args[@]}"
			else
				start_timed $name "$port" "$path" "${command[@]}"
				said restored "jsnap: restored" "$1 $2"
				rm restored.err
			fi
			echo "$ttfr_ms" >>$name.times
			if [ $name = restored ] && [ $i = 0 ]; then
				rss=$(memory_of "$(java_below "$pid")" Rss)
				pss=$(memory_of "$(java_below "$pid")" Pss)
			elif [ $name = cold ] && [ $i = 0 ]; then
				pause=$(measure_pause "$pid")
			fi
			java=$(java_below "$pid")
			kill -KILL "$pid"
			wait "$pid" 2>/dev/null || true
			until_true 10 "the processes are gone" gone "$java"
		done
	done
	factor=$(awk "BEGIN { printf \"%.1f\", $(median cold.times) / $(median restored.times) }")
	printf '%-7s %-6s %10s %10s %10s %7s %9s %9s %6s %6s\n' "$1" "$2" "$(median cold.times)" "$(median restored.times)" \
		"$(head -1 restored.times)" "$factor" "${pause:-?}" \
		"$(($(stat -c %s "$(find store -name '*.jsnap')") >> 20))" "$rss" "$pss"
	case $1 in h2) promised=10 ;; tomcat) promised=20 ;; spring) promised=50 ;; *) promised=1 ;; esac
	awk "BEGIN { exit !($factor < $promised) }" || return 0
	missed="$missed $1/$2: $factor of $promised"
}

say "JDK $jdk, $gc, $n runs each, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
printf '%-7s %-6s %10s %10s %10s %7s %9s %9s %6s %6s\n' app mode "cold ms" "restored" "first one" factor "pause ms" \
	"image MB" "RSS" "PSS"
for app_name in ${JSNAP_TEST_APPS:-tiny h2 tomcat spring}; do
	for mode in "${modes[@]}"; do
		one_row "$app_name" "$mode"
	done
done
[ -z "$missed" ] || say "below what is promised:$missed"
[ -z "$missed" ] || [ "${JSNAP_TEST_RATIOS:-0}" != 1 ] || fail "a promised factor was missed"
