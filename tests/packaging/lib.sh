# What the tests of packaging/ share; sourced by each script as its first act. A script works in a
# folder of its own, which is removed on success and kept, with the command that runs it again, on
# failure.
#
# Parameters: JSNAP_BUILD (the build folder), JSNAP_TEST_CACHE (see tests/fetch_apps.sh),
# JSNAP_TEST_STRICT=1 (a skip is a failure).
set -euo pipefail

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

say() { echo "$*" >&2; }

fail() {
	say "FAILED: $*"
	exit 1
}

skip() {
	[ "${JSNAP_TEST_STRICT:-0}" != 1 ] || fail "would skip, but JSNAP_TEST_STRICT=1: $*"
	say "skipped: $*"
	exit 77
}

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

# expect NAME GOT WANTED
expect() { [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"; }

until_true() { # SECONDS WHAT COMMAND...: polls every 50 ms
	local seconds=$1 what=$2
	local deadline=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
	shift 2
	until "$@"; do
		[ "${EPOCHREALTIME/[.,]/}" -lt "$deadline" ] || fail "$what: not within $seconds s"
		sleep 0.05
	done
}

at_end=()
finish() {
	local status=$? i
	trap - EXIT
	set +e
	for ((i = ${#at_end[@]} - 1; i >= 0; i--)); do
		eval "${at_end[i]}"
	done
	cd /
	if [ $status = 0 ] || [ $status = 77 ]; then
		rm -rf "$dir"
	else
		say "kept: $dir"
		say "run again: $self"
	fi
	exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'say "line $LINENO of $(basename "$0"): status $?: $BASH_COMMAND"' ERR
