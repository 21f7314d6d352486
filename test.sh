#!/bin/bash
# All set-up and the tests, on a fresh Debian 12: as root or as an ordinary user with sudo.
#
#	./test.sh			what CI runs: everything but the soak tests
#	./test.sh -L unit		arguments go to ctest
#	./test.sh -L soak		the whole matrix, hours
#
# jsnap is used without root, so where this runs as root the tests step down to an ordinary user
# (the one who called sudo, else nobody). BUILD_DIR: default build.
set -eu

cd "$(dirname "$0")"
build=${BUILD_DIR:-build}
scripts/install_deps.sh test
cmake -S . -B "$build" -G Ninja >"/tmp/jsnap-cmake.$$" || { cat "/tmp/jsnap-cmake.$$"; exit 1; }
rm -f "/tmp/jsnap-cmake.$$"
cmake --build "$build"

# An ordinary user's tests can't give a file the capability; sudo can, once.
if [ "$(id -u)" != 0 ] && [ -z "${JSNAP_TEST_CAP_JSNAP:-}" ]; then
	mkdir -p "$build/cap"
	cp "$build/launcher/jsnap" "$build/cap/jsnap"
	if sudo -n /sbin/setcap cap_checkpoint_restore=p "$build/cap/jsnap" 2>/dev/null; then
		JSNAP_TEST_CAP_JSNAP=$(cd "$build" && pwd)/cap/jsnap
		export JSNAP_TEST_CAP_JSNAP
	else
		echo "test.sh: sudo wants a password or is missing: the tests with a file capability are skipped" >&2
	fi
fi

[ $# -gt 0 ] || set -- -LE soak
exec ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@" </dev/null
