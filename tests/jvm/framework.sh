#!/bin/bash
# A framework's own support for org.crac, on and off, on a JDK that knows nothing of it: warmed, snapshotted
# while it serves, restored, and no request fails after the first answer. Spring's onRefresh takes the snapshot before the
# server is up, at the application's own demand.
#
# framework.sh micronaut|quarkus|spring on|off JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$3"
use_mode "$4"
port=$(free_port)
warmup=(--warmup "http://127.0.0.1:$port/hello" --warmup-requests 200)
case $1-$2 in
micronaut-on) java=(-Dmicronaut.server.port="$port" -Dmicronaut.server.host=127.0.0.1 -cp "$cache/micronaut/*" app.Application) ;;
micronaut-off) java=(-Dmicronaut.server.port="$port" -Dmicronaut.server.host=127.0.0.1 -Dcrac.enabled=false
	-cp "$cache/micronaut/*" app.Application) ;;
quarkus-on) java=(-Dquarkus.http.port="$port" -Dquarkus.http.host=127.0.0.1 -jar "$cache/quarkus.jar") ;;
# Another implementation, which is not there: org.crac then does nothing, as on any JDK without one.
quarkus-off) java=(-Dorg.crac.Core.Compat=none -Dquarkus.http.port="$port" -Dquarkus.http.host=127.0.0.1
	-jar "$cache/quarkus.jar") ;;
spring-on) java=(-Dspring.context.checkpoint=onRefresh -jar spring.jar --server.port="$port"
	--server.address=127.0.0.1)
	warmup=(--ready api) ;;
spring-off) java=(-jar spring.jar --server.port="$port" --server.address=127.0.0.1) ;;
*) fail "no framework $1 $2" ;;
esac
if [ "$1" = spring ]; then
	# Spring's support lights up when the library is there: a nested jar, stored.
	cp "$cache/spring.jar" spring.jar
	mkdir -p BOOT-INF/lib
	cp "$cache/crac-api.jar" BOOT-INF/lib/
	jar uf0 spring.jar BOOT-INF/lib/crac-api.jar
fi
run=("$jsnap" run --store "$dir/store" --tids $tids "${warmup[@]}" "${java[@]}")
answers() { [ "$(get /hello)" = hello ]; }

start first "${run[@]}"
until_true "$patience" "it answers" answers
until_true "$patience" "the snapshot" snapshot_settled
# It serves on: with its support on, the server was stopped for the snapshot and started again.
until_true 60 "it answers after the snapshot" answers
for ((i = 0; i < 50; i++)); do answers || fail "request $i after the snapshot failed"; done
stop "$pid" TERM

start second "${run[@]}"
until_true "$patience" "it answers" answers
said second "jsnap: restored" "the second run"
for ((i = 0; i < 300; i++)); do answers || fail "request $i after the restore failed"; done
# An on-demand snapshot of the restored one goes through its support again.
timeout 120 "$jsnap" checkpoint --pid "$pid" 2>demand.err || fail "on demand: $(cat demand.err)"
until_true 60 "it answers after that" answers
stop "$pid" TERM
start third "${run[@]}"
until_true "$patience" "it answers" answers
said third "jsnap: restored" "the third run"
stop "$pid" TERM
nothing_left
