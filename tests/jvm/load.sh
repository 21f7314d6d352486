#!/bin/bash
# A snapshot under load: an unmodified service with live connections on all sides is asked by clients
# without a pause while its snapshot is taken, and they notice nothing. Restored, it answers from the
# first request on, its pools connect anew by themselves, and no request fails.
#
# load.sh shop|reactive JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"

patience=${JSNAP_TEST_PATIENCE:-400} # such a service starts in minutes where everything else runs too

use_jdk "$2"
use_mode "$3"
service_use "$1"
command=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" -XX:+UseG1GC "${java_args[@]}")

start_timed first "$port" "$path" "${command[@]}"
say "cold: $ttfr_ms ms"
# Until pages have been stored, which is while the service stands still, and some time on. What writes the
# image runs at low priority and is not to be starved.
stored() { [ -n "$(find store -name '.*tmp' -size +70000k -print -quit)" ] || snapshot_exists; }
start_hammer first 8 600
until_true "$patience" "the capture" stored
sleep 3
kill -TERM "$hammer"
hammered first "while the snapshot was taken"
until_true "$patience" "the snapshot" snapshot_settled
expect "connections that were ended meanwhile" "$(load first reconnects)" 0
service_check
java=$(java_below "$pid")
number=$(inner_number "$java")
stop "$pid" TERM
"$jsnap" inspect --store "$dir/store" "$(find store -name '*.jsnap')" >inspect.out
closed=$(grep -c closed-by-peer inspect.out || true)
[ "$closed" -ge 8 ] || fail "the snapshot has $closed connections"
say "$closed connections in the snapshot"

# The very first answer counts: nobody may have to ask twice.
first_answer() {
	code=$(curl -s -o first.body -w '%{http_code}' --max-time 30 "http://127.0.0.1:$port$path")
	[ "$code" != 000 ]
}

for run in second third; do
	start $run "${command[@]}"
	until_true 30 "the first answer" first_answer
	ttfr_ms=$(((${EPOCHREALTIME/[.,]/} - start_us) / 1000))
	expect "the status of the first answer" "$code" 200
	said $run "jsnap: restored .*(tids: $tids)" "the $run run"
	start_hammer $run 8 3
	hammered $run "restored, first answer after $ttfr_ms ms"
	expect "the PID" "$(inner_number "$(java_below "$pid")")" "$number"
	service_check
	stop "$pid" TERM
done
stop_services
nothing_left
