#!/bin/bash
# A java agent in the process (OpenTelemetry's, with its exporters on and nobody who listens to them) does
# not stop a snapshot: the program is restored, answers, and is still instrumented.
#
# javaagent.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
port=$(free_port)
run=("$jsnap" run --store "$dir/store" --tids $tids --warmup "http://127.0.0.1:$port/hello" --warmup-requests 100
	"-javaagent:$cache/opentelemetry.jar" -Dotel.service.name=tiny
	-Dotel.exporter.otlp.endpoint=http://127.0.0.1:"$(free_port)" -Dotel.bsp.schedule.delay=200
	-jar "$cache/tiny.jar" "$port")
answers() { [ "$(get /hello)" = hello ]; }

start first "${run[@]}"
until_true "$patience" "it answers" answers
until_true "$patience" "the snapshot" snapshot_settled
stop "$pid" TERM
start second "${run[@]}"
until_true "$patience" "it answers" answers
said second "jsnap: restored" "the second run"
for ((i = 0; i < 100; i++)); do get /hello >/dev/null || fail "request $i failed"; done
exports() { grep -q "Failed to export" second.err; }
until_true 60 "it goes on exporting" exports
stop "$pid" TERM
nothing_left
