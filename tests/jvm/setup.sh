#!/bin/bash
# Installs a build for the end-to-end tests, once per build: the same files in two places, one with the
# file capability (cap), one with no privilege at all (userns), both where an unprivileged user can
# read them. Prints the folder, for $JSNAP_TEST_WORK:
#
#	export JSNAP_TEST_WORK=$(tests/jvm/setup.sh BUILD_DIR)
#	tests/jvm/case.sh tiny 17 G1 cap
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: setup.sh BUILD_DIR}" && pwd)
work=${JSNAP_TEST_WORK:-/tmp/jsnap-tests-$(printf %s "$build" | md5sum | cut -c1-8)}

mkdir -p "$work"
[ -O "$work" ] || { echo "setup.sh: $work belongs to another user; set JSNAP_TEST_WORK" >&2; exit 1; }
chmod 755 "$work"
exec 9>"$work/.lock"
flock 9
rm -rf "$work/cap" "$work/userns" "$work/scripts"
for mode in cap userns; do
	cmake --install "$build" --prefix "$work/$mode" >/dev/null
done
cp "$build/tests/fault/jsnap_loaded" "$work/userns/bin/jsnap-loaded"
mkdir -p "$work/scripts"
cp "$here"/*.sh "$here"/../fault/*.sh "$here"/../../scripts/measure_walk.sh "$build/tests/jvm/jsnap-probe" "$build/tests/jvm/jsnap-reaper" \
	"$build/tests/jvm/jsnap-hammer" \
	"$build/tests/fault/jsnap_inject.so" "$build"/tests/victims/victim_{threads,events} "$work/scripts/"
cp "$here/../fixtures/images/bad-newer-version.jsnap" "$work/scripts/newer.jsnap"
cp "$here/../lib.sh" "$work/lib.sh"
chmod -R a+rX "$work/cap" "$work/userns" "$work/scripts" "$work/lib.sh"

# The user the tests run as: for root the one of sudo, else nobody.
uid=$(id -u)
if [ "$uid" = 0 ]; then
	uid=${SUDO_UID:-65534}
	[ "$uid" != 0 ] || uid=65534
fi
mkdir -p "$work/run"
chown "$uid" "$work/run"
echo "$uid" >"$work/uid"

setcap=$(PATH=$PATH:/sbin:/usr/sbin command -v setcap || true)
if [ "$(id -u)" = 0 ]; then
	"$setcap" cap_checkpoint_restore=p "$work/cap/bin/jsnap"
elif ! { [ -n "$setcap" ] && sudo -n "$setcap" cap_checkpoint_restore=p "$work/cap/bin/jsnap"; } 2>/dev/null; then
	rm -rf "$work/cap"
	echo "no root for setcap" >"$work/cap.reason"
fi
echo "$work"
