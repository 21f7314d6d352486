#!/bin/bash
# A snapshot under load: an unmodified service with live connections on all sides is asked by clients
# without a pause while its snapshot is taken, and they notice nothing. Restored, it answers from the
# first request on, its pools connect anew by themselves, and no request fails.
#
# A framework's own support for org.crac, where it is on, closes listener and pools for the snapshot and opens them again:
# its clients notice that, and no more than that. Then the restored one gives a snapshot on demand, which goes
# through its support again.
#
# load.sh shop|reactive|micronaut|quarkus JDK cap|userns [on|off|onrefresh]
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"

patience=${JSNAP_TEST_PATIENCE:-400} # such a service starts in minutes where everything else runs too

use_jdk "$2"
use_mode "$3"
service_use "$1" "${4:-off}"
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
if [ "$support" = on ]; then
	wait "$hammer" || say "its clients: $(cat first.load first.load.err)"
	until_true 60 "it answers after the snapshot" get "$path" >/dev/null
	start_hammer first 8 3
	hammered first "after the snapshot"
else
	hammered first "while the snapshot was taken"
	expect "connections that were ended meanwhile" "$(load first reconnects)" 0
fi
until_true "$patience" "the snapshot" snapshot_settled
service_check
heard first.out "${told_before[@]}" "${told_after[@]}"
java=$(java_below "$pid")
number=$(inner_number "$java")
stop "$pid" TERM
inspect() { "$jsnap" inspect --store "$dir/store" "$(find store -name '*.jsnap')"; }
inspect >inspect.out
listeners_in inspect.out
closed=$(grep -c closed-by-peer inspect.out || true)
[ "$support" != off ] || [ "$closed" -ge 8 ] || fail "the snapshot has $closed connections"
say "$closed connections in the snapshot"

# The very first answer counts: nobody may have to ask twice.
first_answer() {
	code=$(curl -s -o first.body -w '%{http_code}' --max-time 30 "http://127.0.0.1:$port$path")
	[ "$code" != 000 ]
}

restore() { # NAME
	start "$1" "${command[@]}"
	until_true 30 "the first answer" first_answer
	ttfr_ms=$(((${EPOCHREALTIME/[.,]/} - start_us) / 1000))
	expect "the status of the first answer" "$code" 200
	said "$1" "jsnap: restored .*(tids: $tids)" "the $1 run"
	start_hammer "$1" 8 3
	hammered "$1" "restored, first answer after $ttfr_ms ms"
	expect "the PID" "$(inner_number "$(java_below "$pid")")" "$number"
	service_check
	heard "$1.out" "${told_after[@]}"
}
restore second
stop "$pid" TERM
restore third
if [ "$support" != off ]; then
	: >third.out
	timeout 120 "$jsnap" checkpoint --pid "$pid" 2>demand.err || fail "on demand: $(cat demand.err)"
	until_true 60 "it answers after that" get "$path" >/dev/null
	heard third.out "${told_before[@]}" "${told_after[@]}"
	stop "$pid" TERM
	inspect >inspect.out
	listeners_in inspect.out
	restore fourth
fi
stop "$pid" TERM
stop_services
nothing_left
