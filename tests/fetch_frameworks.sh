#!/bin/bash
# Builds the small Micronaut and Quarkus services of tests/apps, for the soak tests alone: their artifacts
# are many. Into the same cache as fetch_apps.sh, which see: micronaut/ (a class path) and quarkus.jar.
set -eu

tests=$(cd "$(dirname "$0")" && pwd)
cache=$("$tests/fetch_apps.sh" "$@")
exec 9>"$cache/.lock"
flock 9
stamp=$(cd "$tests/apps" && find micronaut quarkus -type f -not -path '*/target/*' -print0 | sort -z | xargs -0 cat |
	sha256sum | cut -c1-32)
if [ "$(cat "$cache/.frameworks" 2>/dev/null)" = "$stamp" ]; then
	echo "$cache"
	exit 0
fi
work=$(mktemp -d "$cache/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

maven() {
	mvn -q -B "$@" >"$work/mvn.log" 2>&1 9>&- ||
		{ cat "$work/mvn.log" >&2; echo "fetch_frameworks.sh: mvn $* failed" >&2; exit 1; }
}

for app in micronaut quarkus; do
	echo "building tests/apps/$app" >&2
	cp -r "$tests/apps/$app" "$work/$app"
	rm -rf "$work/$app/target"
	maven -f "$work/$app/pom.xml" -DskipTests package
done
maven -f "$work/micronaut/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
	-DincludeScope=runtime -DoutputDirectory="$work/classpath"
cp "$work"/micronaut/target/micronaut-*.jar "$work/classpath/"
rm -rf "$cache/micronaut"
mv "$work/classpath" "$cache/micronaut"
mv "$work/quarkus/target/quarkus.jar" "$cache/"
chmod -R a+rX "$cache/micronaut" "$cache/quarkus.jar"
echo "$stamp" >"$cache/.frameworks"
echo "$cache"
