#!/bin/bash
# Builds the small Micronaut and Quarkus services of tests/apps, for the soak tests alone: their artifacts
# are many. Into the same cache as fetch_apps.sh, and prints it: micronaut/ (a class path) and quarkus.jar.
set -eu

tests=$(cd "$(dirname "$0")" && pwd)
"$tests/fetch_apps.sh" "$@" >/dev/null
. "$tests/cache.sh"
cache_open "$@"
cd "$tests/apps"

build() { # APP
	echo "building $1" >&2
	cp -r "$1" "$work/$1"
	rm -rf "$work/$1/target"
	maven -f "$work/$1/pom.xml" -DskipTests package
}

stamp=$(digest -- micronaut)
have micronaut "$stamp" || {
	build micronaut
	maven -f "$work/micronaut/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$work/classpath"
	cp "$work"/micronaut/target/micronaut-*.jar "$work/classpath/"
	keep micronaut "$stamp" "$work/classpath"
}
stamp=$(digest -- quarkus)
have quarkus.jar "$stamp" || {
	build quarkus
	keep quarkus.jar "$stamp" "$work/quarkus/target/quarkus.jar"
}
echo "$cache"
