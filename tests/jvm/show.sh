#!/bin/bash
# The main job, shown: one application cold and restored, by `jsnap run` alone. See demo.sh.
#
# show.sh tiny|tomcat|spring [JDK [cap|userns]]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "${2:-17}"
mode=${3:-cap}
[ $# -ge 3 ] || [ -x "$JSNAP_TEST_WORK/cap/bin/jsnap" ] || mode=userns
use_mode "$mode"
app_use "$1"
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" "${java_args[@]}")
# Short names for what is shown: the paths are long.
words=${command[*]}
words=${words//"$cache/"/}
words=${words//"$dir/"/}
echo "\$ ${words/"$jsnap"/jsnap}    # as uid $(id -u)"
start_timed first "$port" "$path" "${command[@]}"
cold_ms=$ttfr_ms
grep '^jsnap: ' first.err || true
echo "first response after $cold_ms ms"
until_true "$patience" "the snapshot" snapshot_settled
"$jsnap" list --store "$dir/store" || true
stop "$pid" TERM
echo "stopped by SIGTERM; and again, the same command:"
start_timed second "$port" "$path" "${command[@]}"
said second "jsnap: restored" "the second run"
grep '^jsnap: ' second.err
echo "first response after $ttfr_ms ms"
app_check 1000
echo "1000 requests answered right"
stop "$pid" TERM
nothing_left
printf '\n%-8s cold %8.0f ms   restored %8.1f ms   %.0f times sooner\n' "$1" "$cold_ms" "$ttfr_ms" \
	"$(awk "BEGIN { print $cold_ms / $ttfr_ms }")"
