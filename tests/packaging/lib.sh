# What the tests of packaging/ share; sourced by each script as its first act. A script works in a
# folder of its own, which is removed on success and kept, with the command that runs it again, on
# failure.
#
# Parameters: JSNAP_BUILD (the build folder), JSNAP_TEST_CACHE (see tests/fetch_apps.sh),
# JSNAP_TEST_STRICT=1 (a skip is a failure).
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

: "${JSNAP_BUILD:?set it to the build folder}"
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$JSNAP_BUILD" && pwd)
self="JSNAP_BUILD=$build $source/tests/packaging/$(basename "$0")$(printf " '%s'" "$@")"
PATH=$PATH:/usr/sbin:/sbin
default=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/jsnap-tests
[ "$(id -u)" != 0 ] || default=/var/cache/jsnap-tests
apps=${JSNAP_TEST_CACHE:-$default}
cache=$apps/packaging # see fetch.sh
dir=$(mktemp -d "${TMPDIR:-/tmp}/jsnap-packaging.XXXXXX")
cd "$dir"
mkdir home
export HOME=$dir/home LC_ALL=C.UTF-8
unset XDG_CACHE_HOME XDG_CONFIG_HOME JSNAP_STORE JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS

need() { # TOOL...
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "no $tool here; scripts/install_deps.sh test installs it"
	done
}

# An ordinary user's run does without these tests, strict or not.
need_root() { [ "$(id -u)" = 0 ] || JSNAP_TEST_STRICT=0 skip "needs root, for roots and containers of its own"; }

# quietly COMMAND...: its last lines are shown, and only when it fails.
quietly() {
	"$@" >quietly.out 2>&1 || { tail -n 40 quietly.out >&2; fail "$*"; }
}

at_end=()
finish() {
	local status=$? i
	trap - EXIT
	set +e
	for ((i = ${#at_end[@]} - 1; i >= 0; i--)); do
		eval "${at_end[i]}"
	done
	leave $status "$dir" "$self"
}
end_with finish
