#!/bin/bash
# A java agent in the process (OpenTelemetry's, with its exporters on and a collector that takes nothing)
# does not stop a snapshot: the program is restored, answers, and is still instrumented.
#
# javaagent.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
port=$(free_port)
collector_port=$(free_port)
run=("$jsnap" run --store "$dir/store" --tids $tids --warmup "http://127.0.0.1:$port/hello" --warmup-requests 100
	"-javaagent:$cache/opentelemetry.jar" -Dotel.service.name=tiny
	-Dotel.exporter.otlp.endpoint=http://127.0.0.1:"$collector_port" -Dotel.metric.export.interval=500
	-jar "$cache/tiny.jar" "$port")
answers() { [ "$(get /hello)" = hello ]; }

# A line for each attempt.
start collector python3 -uc '
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listener.accept()[0].close()
    print("asked")' "$collector_port"
collector=$pid
asked() { wc -l <collector.out; }

start first "${run[@]}"
until_true "$patience" "it answers" answers
until_true "$patience" "the snapshot" snapshot_settled
stop "$pid" TERM
start second "${run[@]}"
until_true "$patience" "it answers" answers
said second "jsnap: restored" "the second run"
[ "$(asked)" -gt 0 ] || fail "nothing was exported before the snapshot"
before=$(asked)
for ((i = 0; i < 100; i++)); do get /hello >/dev/null || fail "request $i failed"; done
exports() { [ "$(asked)" -gt "$before" ]; }
until_true 60 "it goes on exporting" exports
stop "$pid" TERM
stop "$collector" TERM
nothing_left
