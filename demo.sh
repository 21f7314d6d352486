#!/bin/bash
# All set-up and the main job, on a fresh Debian 12: a Spring Boot service (tests/apps/spring: web, JPA,
# actuator) started cold and then restored, with both times to the first response. As root or as an
# ordinary user with sudo; jsnap itself runs as an ordinary user either way.
#
# ./demo.sh [spring|tomcat|tiny]
set -eu

cd "$(dirname "$0")"
build=${BUILD_DIR:-build}
scripts/install_deps.sh
echo "building jsnap" >&2
{ cmake -S . -B "$build" -G Ninja && cmake --build "$build"; } >"/tmp/jsnap-demo.$$" ||
	{ cat "/tmp/jsnap-demo.$$"; exit 1; }
rm -f "/tmp/jsnap-demo.$$"
if [ -z "${JSNAP_TEST_CACHE:-}" ]; then
	JSNAP_TEST_CACHE=$(tests/fetch_apps.sh | tail -1)
fi
JSNAP_TEST_WORK=$(tests/jvm/setup.sh "$build")
export JSNAP_TEST_CACHE JSNAP_TEST_WORK
exec tests/jvm/show.sh "${1:-spring}"
