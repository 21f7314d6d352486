#!/bin/bash
# Builds the small Micronaut and Quarkus services of tests/apps, for the soak tests alone: their artifacts
# are many. Into the same cache as fetch_apps.sh, and prints it: micronaut/ (a class path) and quarkus.jar.
set -eu

tests=$(cd "$(dirname "$0")" && pwd)
"$tests/fetch_apps.sh" "$@" >/dev/null
. "$tests/cache.sh"
cache_open "$@"
cd "$tests/apps"

stamp=$(digest -- micronaut)
have micronaut "$stamp" || {
	build micronaut
	class_path micronaut
	keep micronaut "$stamp" "$work/class_path"
}
stamp=$(digest -- quarkus)
have quarkus.jar "$stamp" || {
	build quarkus
	keep quarkus.jar "$stamp" "$work/quarkus/target/quarkus.jar"
}
echo "$cache"
