# What the shell tests of all tiers share; sourced by the tier's own lib.sh. bash, under `set -euo pipefail`.

say() { echo "$*" >&2; }

fail() {
	failure=$*
	say "FAILED: $*"
	exit 1
}

# A skip says why; with JSNAP_TEST_STRICT=1 it is a failure.
skip() {
	[ "${JSNAP_TEST_STRICT:-0}" != 1 ] || fail "would skip, but JSNAP_TEST_STRICT=1: $*"
	say "skipped: $*"
	exit 77
}

# expect NAME GOT WANTED
expect() { [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"; }

# until_true SECONDS WHAT COMMAND...: polls every 20 ms.
until_true() {
	local seconds=$1 what=$2
	local deadline=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
	shift 2
	until "$@"; do
		[ "${EPOCHREALTIME/[.,]/}" -lt "$deadline" ] || fail "$what: not within $seconds s"
		sleep 0.02
	done
}

# A port nobody listens on, below the range the kernel gives to clients.
free_port() {
	local port
	while :; do
		port=$((RANDOM % 12000 + 18000))
		(exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null || break
	done
	echo $port
}

# leave STATUS FOLDER COMMAND: the folder of a test that failed is kept, with what runs it again.
leave() {
	cd /
	if [ "$1" = 0 ] || [ "$1" = 77 ]; then
		[ "${JSNAP_TEST_KEEP:-0}" = 1 ] || rm -rf "$2"
	else
		tail -n 8 "$2"/*.err "$2"/*.log >&2 2>/dev/null || true
		[ -z "${failure:-}" ] || say "FAILED: $failure"
		say "kept: $2"
		say "run again: $3"
	fi
	exit "$1"
}

# end_with FUNCTION: it is called at the end, however that comes; where a script ends early is told.
end_with() {
	trap "$1" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'say "line $LINENO of $(basename "$0"): status $?: $BASH_COMMAND"' ERR
}
