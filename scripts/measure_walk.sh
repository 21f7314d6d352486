#!/bin/bash
# What it costs to walk to the original TIDs instead of asking clone3 for them: restores of one
# snapshot by turns in fresh PID namespaces, where both ways are open. As an ordinary user.
#
#	scripts/measure_walk.sh [HIGHEST_TID [RUNS]]		default 300 20
#
# Needs the small program of tests/fetch_apps.sh (JSNAP_TEST_CACHE says where). JSNAP: the command.
set -euo pipefail

highest=${1:-300}
runs=${2:-20}
jsnap=$(realpath "$(command -v "${JSNAP:-jsnap}")")
cache=${JSNAP_TEST_CACHE:-/var/cache/jsnap-tests}
dir=$(mktemp -d)
trap 'rm -rf "${dir:?}"' EXIT
cd "$dir"
export HOME=$dir
port=$((RANDOM % 12000 + 18000))
java_args=(-XX:+UseSerialGC -jar "$cache/tiny.jar" "$port")

young() { unshare --user --map-root-user --pid --mount-proc --fork --kill-child "$@"; }

mkfifo said

snapshot() { # FIRST_TID
	rm -rf store
	young "$jsnap" checkpoint --store "$dir/store" --first-tid "$1" --warmup "http://127.0.0.1:$port/hello" \
		"${java_args[@]}" </dev/null >checkpoint.log 2>&1 || { cat checkpoint.log >&2; exit 1; }
	"$jsnap" inspect --json store/*.jsnap | grep -o '"tid":[0-9]*' | cut -d: -f2 | sort -n >tids
}

# With its lowest TID where the highest then is the one wanted.
snapshot 200
snapshot $((highest - $(tail -n 1 tids) + 200))
echo "$(wc -l <tids) threads, TIDs $(head -n 1 tids) to $(tail -n 1 tids), load $(cut -d' ' -f1 /proc/loadavg)"
for ((i = 0; i <= runs; i++)); do
	for way in clone3 walk; do
		# The shell in there must not use up numbers while it waits: no other command than this one.
		young timeout 60 bash -c 'exec 3<>said; "$@" 2>&3 >out </dev/null & read -r line <&3; echo "$line" >err; kill $!; wait $!' \
			restore "$jsnap" restore --tids $way store/*.jsnap || true
		[ "$i" = 0 ] || sed -n 's/.*restored .* in \([0-9.]*\) ms.*/\1/p' err >>$way.ms
	done
done
median() { sort -n "$1" | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'; }
echo "restored by clone3 in $(median clone3.ms) ms, by walking in $(median walk.ms) ms (medians of $(wc -l <walk.ms) each)"
