#!/bin/bash
# Makes the tables of docs/performance.md, unattended, as an ordinary user with an installed jsnap:
#
#	scripts/measure.sh [RUNS] >tables.txt
#
# Needs the applications (tests/fetch_apps.sh; JSNAP_TEST_CACHE says where) and a quiet machine. RUNS
# (default 5) is how often each variant starts. JSNAP_MEASURE_PARTS: which of `apps`, `heap`,
# `threads`, `instances`, `pause` (default all); JSNAP_MEASURE_HEAPS (MB), JSNAP_MEASURE_THREADS and
# JSNAP_MEASURE_INSTANCES: the sizes. JSNAP: the command.
set -euo pipefail

runs=${1:-5}
jsnap=${JSNAP:-jsnap}
cache=${JSNAP_TEST_CACHE:-/var/cache/jsnap-tests}
parts=" ${JSNAP_MEASURE_PARTS:-apps pause heap threads instances} "
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
cd "$dir"
pids=()

finish() {
	local pid
	for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
	cd /
	rm -rf "${dir:?}"
}
trap finish EXIT

part() { [[ $parts == *" $1 "* ]]; }
title() { printf '\n## %s\n\n' "$*"; }

free_port() {
	local port
	while :; do
		port=$((RANDOM % 12000 + 18000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo $port
}

# bench PORT REQUESTS OPTIONS... -- JAVA...
bench() {
	local port=$1 requests=$2
	shift 2
	"$jsnap" bench --runs "$runs" --warmup-runs 1 --warmup "http://127.0.0.1:$port/hello" \
		--warmup-requests "$requests" "$@" </dev/null || echo "(this run failed)"
}

apps() {
	local port
	port=$(free_port)
	title "A small jdk.httpserver program"
	bench "$port" 200 --variant java --variant appcds --variant hot --variant zstd --variant dropped \
		-- -XX:+UseG1GC -jar "$cache/tiny.jar" "$port"
	port=$(free_port)
	title "A Spring Boot application"
	bench "$port" 1000 --variant java --variant appcds --variant hot --variant zstd --variant dropped \
		-- -XX:+UseG1GC -jar "$cache/spring.jar" --server.port="$port" --server.address=127.0.0.1
}

grow() { # MB THREADS
	local port
	port=$(free_port)
	bench "$port" 100 --variant java --variant hot -- -XX:+UseG1GC "-Xmx$(($1 * 2 + 256))m" -cp "$dir" Grow \
		"$port" "$1" "$2"
}

# One snapshot, restored N times with a listener of its own each: when each answers (as curl sees it,
# in steps of some ms), and their memory together.
instances() {
	local n=$1 port to started i pid child total=0
	title "$n instances at once"
	port=$(free_port)
	"$jsnap" checkpoint --quiet --image "$dir/one.jsnap" --warmup "http://127.0.0.1:$port/" --warmup-requests 100 \
		-XX:+UseG1GC -cp "$dir" Grow "$port" 64 10 </dev/null
	for ((i = 0; i < n; i++)); do
		to=$(free_port)
		started=${EPOCHREALTIME/[.,]/}
		"$jsnap" restore --quiet --tids userns --listen "$port=$to" "$dir/one.jsnap" </dev/null >/dev/null 2>"restore.$i" &
		pids+=($!)
		until curl -sf -o /dev/null "http://127.0.0.1:$to/"; do
			kill -0 "${pids[-1]}" 2>/dev/null || { cat "restore.$i"; return; }
			sleep 0.002
		done
		echo "instance $((i + 1)): $(((${EPOCHREALTIME/[.,]/} - started) / 1000)) ms by curl"
	done
	for pid in "${pids[@]}"; do
		for child in $(cat /proc/"$pid"/task/*/children); do
			[ "$(cat "/proc/$child/comm" 2>/dev/null)" = java ] || continue
			total=$((total + $(awk '$1 == "Pss:" { print $2 }' "/proc/$child/smaps_rollup")))
		done
	done
	echo "PSS, mean of $n: $((total / n / 1024)) MB"
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	pids=()
}

# The pause of programs that go on, as they see it; bench ends its program with the snapshot.
pause() { # NAME PORT REQUESTS JAVA...
	local name=$1 port=$2 requests=$3 i
	shift 3
	title "The pause: $name"
	for ((i = 0; i < runs; i++)); do
		"$jsnap" checkpoint --keep-running --image "$dir/pause.jsnap" --log-level debug --warmup "http://127.0.0.1:$port/hello" \
			--warmup-requests "$requests" -XX:+UseG1GC "$@" </dev/null >/dev/null 2>pause.err &
		pids=($!)
		until grep -q "taken: paused\|no snapshot" pause.err; do
			kill -0 "${pids[0]}" 2>/dev/null || break
			sleep 0.1
		done
		grep "taken: paused\|no snapshot\|pause of" pause.err || true
		kill "${pids[0]}" 2>/dev/null || true
		wait "${pids[0]}" 2>/dev/null || true
		pids=()
	done
}

pauses() {
	local port
	port=$(free_port)
	pause tiny "$port" 200 -jar "$cache/tiny.jar" "$port"
	port=$(free_port)
	pause spring "$port" 1000 -jar "$cache/spring.jar" --server.port="$port" --server.address=127.0.0.1
}

echo "$(nproc) processors, $(uname -r), load $(cut -d' ' -f1-3 /proc/loadavg), $(java -version 2>&1 | head -1), $runs runs"
javac -d "$dir" "$here/tests/apps/grow/Grow.java"
! part apps || apps
! part pause || pauses
if part heap; then
	for mb in ${JSNAP_MEASURE_HEAPS:-64 512 2048 4096}; do
		title "A heap of $mb MB, equal working set"
		grow "$mb" 10
	done
fi
if part threads; then
	for n in ${JSNAP_MEASURE_THREADS:-10 100 500 2000}; do
		title "$n threads"
		grow 16 "$n"
	done
fi
if part instances; then
	for n in ${JSNAP_MEASURE_INSTANCES:-1 8 32}; do
		instances "$n"
	done
fi
