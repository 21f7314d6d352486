#!/bin/bash
# Builds tests/apps/shop and tests/apps/reactive, the services with connections to others, into the cache
# folder of fetch_apps.sh, and prints it. Does nothing for one whose sources have not changed.
set -eu

apps=$(cd "$(dirname "$0")/apps" && pwd)
default=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/jsnap-tests
[ "$(id -u)" != 0 ] || default=/var/cache/jsnap-tests
cache=${1:-${JSNAP_TEST_CACHE:-$default}}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/.services.lock"
flock 9

for name in shop reactive; do
	stamp=$(cd "$apps/$name" && find . -type f -not -path './target/*' -print0 | sort -z | xargs -0 sha256sum |
		sha256sum | cut -c1-32)
	[ "$(cat "$cache/.$name" 2>/dev/null)" != "$stamp" ] || continue
	command -v mvn >/dev/null ||
		{ echo "fetch_services.sh: mvn is missing; scripts/install_deps.sh installs it" >&2; exit 1; }
	echo "building tests/apps/$name" >&2
	work=$(mktemp -d "$cache/.work.XXXXXX")
	cp -r "$apps/$name" "$work/$name"
	rm -rf "$work/$name/target"
	if ! mvn -q -B -f "$work/$name/pom.xml" -DskipTests package >"$work/mvn.log" 2>&1 9>&-; then
		cat "$work/mvn.log" >&2
		rm -rf "$work"
		echo "fetch_services.sh: building $name failed" >&2
		exit 1
	fi
	mv "$work/$name/target/$name.jar" "$cache/"
	chmod a+r "$cache/$name.jar"
	rm -rf "$work"
	echo "$stamp" >"$cache/.$name"
done
echo "$cache"
