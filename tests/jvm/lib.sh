# What the end-to-end tests share; sourced by each script as its first act.
#
# A script runs as an unprivileged user (root steps down to the one setup.sh chose), in a folder of its
# own that is removed on success and kept, with the command that runs it again, on failure. Everything
# it starts is ended when it exits. Waiting is polling with a deadline, never a sleep that must do.
#
# Parameters: JSNAP_TEST_WORK (see setup.sh), JSNAP_TEST_CACHE (see fetch_apps.sh),
# JSNAP_TEST_REQUESTS (requests after a restore), JSNAP_TEST_STRICT=1 (a skip is a failure),
# JSNAP_TEST_PATIENCE (seconds for any one wait), JSNAP_TEST_KEEP=1 (keep the folder anyway).
set -euo pipefail

: "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}"
if [ "$(id -u)" = 0 ]; then
	uid=$(cat "$JSNAP_TEST_WORK/uid")
	export JSNAP_TEST_CACHE=${JSNAP_TEST_CACHE:-/var/cache/jsnap-tests}
	exec setpriv --reuid="$uid" --regid="$uid" --clear-groups \
		bash "$JSNAP_TEST_WORK/scripts/$(basename "$0")" "$@"
fi

. "$(dirname "$0")/../lib.sh"

# What leaked in from the caller is no business of the programs started here.
for fd in /proc/$$/fd/*; do
	fd=${fd##*/}
	[ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"
done

cache=${JSNAP_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jsnap-tests}
requests=${JSNAP_TEST_REQUESTS:-1000}
strict=${JSNAP_TEST_STRICT:-0}
patience=${JSNAP_TEST_PATIENCE:-120}
probe=$JSNAP_TEST_WORK/scripts/jsnap-probe
self="JSNAP_TEST_WORK=$JSNAP_TEST_WORK JSNAP_TEST_CACHE=$cache $JSNAP_TEST_WORK/scripts/$(basename "$0")$(printf " '%s'" "$@")"

dir=$(mktemp -d "$JSNAP_TEST_WORK/run/$(basename "$0" .sh).XXXXXX")
cd "$dir"
mkdir store tmp home
# Not the caller's: HOME may be closed to us, and nothing may come from or go to his own store.
export HOME=$dir/home TMPDIR=$dir/tmp
unset XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS JSNAP_STORE

# Every process that belongs to this test: its working folder is ours, or in it (PostgreSQL's).
our_processes() {
	local link target
	for link in /proc/[0-9]*/cwd; do
		target=$(readlink "$link" 2>/dev/null) || continue
		link=${link#/proc/}
		[[ $target/ = "$dir"/* ]] && [ "${link%/cwd}" != $$ ] && [ "${link%/cwd}" != "$BASHPID" ] && echo "${link%/cwd}"
	done
	return 0
}

# Ended by the number, for all of them were started here. Subshells of this script are none of ours.
end_processes() {
	local pid
	for pid in $(our_processes); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = bash ] || kill -KILL "$pid" 2>/dev/null || true
	done
}

finish() {
	local status=$?
	trap - EXIT
	end_processes
	leave $status "$dir" "$self"
}
end_with finish

# said NAME PATTERN WHAT: jsnap's line may come a moment after the program's first answer.
said() { until_true 5 "$3: $1.err does not say '$2'" grep -q "$2" "$1.err"; }

# was_restored NAME WHAT: false where a number of the program's own was another's at that moment, as it may be by
# clone3 where many processes start. Such a run is to be ended, and made again.
was_restored() {
	until_true "$patience" "$2: $1.err tells of no start" grep -qs "jsnap: \(restored\|cold start\)" "$1.err"
	! grep -q "PID [0-9]* \(is\|was\) taken" "$1.err" || return 1
	said "$1" "jsnap: restored .*(tids: $tids)" "$2"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# The JDK of that major version, wherever distributions put it, or a runtime that fetch_apps.sh
# brought; the newest build wins.
jdk_home() {
	local home
	for home in "$cache/jdk-$1"/ /usr/lib/jvm/*-"$1"-*/ /usr/lib/jvm/*-"$1"/ /usr/lib/jvm/*"$1"*/; do
		if [ -x "${home}bin/java" ] && grep -qs "^JAVA_VERSION=\"$1[.\"]" "${home}release"; then
			echo "${home%/}"
			return
		fi
	done
	return 1
}

use_jdk() {
	# 17 comes with the set-up; another is used where it is found, and is nothing to insist on.
	[ "$1" = 17 ] || JSNAP_TEST_STRICT=0
	JAVA_HOME=$(jdk_home "$1") || skip "no JDK $1 in /usr/lib/jvm or $cache"
	JSNAP_TEST_STRICT=$strict
	export JAVA_HOME
	export PATH=$JAVA_HOME/bin:$PATH
}

# use_mode cap|userns: which jsnap, and the way to original TIDs it is held to.
use_mode() {
	jsnap=$JSNAP_TEST_WORK/$1/bin/jsnap
	case $1 in
	cap)
		[ -x "$jsnap" ] || skip "cap: $(cat "$JSNAP_TEST_WORK/cap.reason")"
		tids=clone3
		;;
	userns)
		unshare -Upf true 2>/dev/null || skip "userns: no unprivileged user namespaces here"
		tids=userns
		;;
	*) fail "no mode $1" ;;
	esac
}

get() { curl -sf --max-time 30 "http://127.0.0.1:$port$1"; }

# start NAME COMMAND...: in the background, output in NAME.out and NAME.err; sets `pid`.
start() {
	local name=$1
	shift
	start_us=${EPOCHREALTIME/[.,]/}
	"$@" </dev/null >>"$name.out" 2>>"$name.err" &
	pid=$!
}

# start_timed NAME PORT PATH COMMAND...: as start, and sets `ttfr_ms` when the first answer is there.
start_timed() {
	local name=$1 to=$2 path=$3 answered watcher
	shift 3
	"$probe" "$to" "$path" "$dir/$name.body" "$patience" >"$name.probe" &
	watcher=$!
	start "$name" "$@"
	while [ ! -s "$name.probe" ] && kill -0 $watcher 2>/dev/null; do
		ended "$pid" && { kill $watcher; fail "$name ended before it answered on port $to"; }
		sleep 0.01
	done
	wait $watcher || fail "$name gave no answer on port $to$path"
	answered=$(cat "$name.probe")
	ttfr_ms=$(awk "BEGIN { printf \"%.1f\", ($answered - $start_us) / 1000 }")
}

# stop PID SIGNAL: sends it and sets `status` to what wait says.
stop() {
	kill "-$2" "$1"
	until_true 60 "process $1 ends after SIG$2" ended "$1"
	status=0
	wait "$1" 2>/dev/null || status=$?
}

ended() { ! kill -0 "$1" 2>/dev/null || [ "$(process_state "$1")" = Z ]; }

process_state() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	stat=${stat##*) }
	echo "${stat%% *}"
}

children() { cat /proc/"$1"/task/*/children 2>/dev/null || true; }

# The java process below (or at) PID, as our namespace numbers it.
java_below() {
	local child found
	if [ "$(cat "/proc/$1/comm" 2>/dev/null)" = java ]; then
		echo "$1"
		return
	fi
	for child in $(children "$1"); do
		found=$(java_below "$child")
		if [ -n "$found" ]; then
			echo "$found"
			return
		fi
	done
}

# The number by which the innermost PID namespace knows a task, and all such numbers of a process.
inner_number() { awk '/^NSpid:/ { print $NF }' "/proc/$1/status" 2>/dev/null || true; }

inner_tids() {
	# some may end meanwhile
	{ cat /proc/"$1"/task/*/status 2>/dev/null || true; } | awk '/^NSpid:/ { print $NF }' | sort -n
}

# "TID NAME" of each thread, sorted; compiler threads come and go as the VM sees fit.
lasting_threads() {
	local task
	for task in /proc/"$1"/task/*; do
		case $(cat "$task/comm" 2>/dev/null) in
		"" | C[12]\ Comp*) ;;
		*) awk '/^Name:/ { $1 = ""; name = $0 } /^NSpid:/ { print $NF name }' "$task/status" 2>/dev/null || true ;;
		esac
	done | sort
}

# The zstd program alone, with the format as documented, gets at the manifest; WORDS are in it.
zstd_extracts() { # IMAGE WORDS
	local size
	zstd -t --no-progress <"$1" 2>zstd.err || fail "zstd -t: $(cat zstd.err)"
	size=$(od -An -tu8 -j24 -N8 "$1")
	zstd -dcq <"$1" >plain || fail "zstd -dc"
	head -c "$size" plain >manifest
	[ "$(head -c 8 manifest)" = JSNAPMAN ] || fail "zstd does not extract the manifest"
	[ "$(od -An -tu8 -j16 -N8 manifest)" -eq "$size" ] || fail "the manifest extracted by zstd has another size"
	grep -aq -- "$2" manifest || fail "the manifest extracted by zstd does not hold '$2'"
	rm plain manifest
}

snapshot_exists() { [ -n "$(find "${1:-store}" -name '*.jsnap' -print -quit)" ]; }

# Written whole, and its hot copy too: until then another run finds the snapshot being worked on.
snapshot_settled() {
	snapshot_exists && [ -n "$(find store -name '*.hot' -print -quit)" ] &&
		[ -z "$(find store -name '*tmp*' -print -quit)" ]
}

# Nothing of the test may run, and the store holds finished files only.
nothing_left() {
	local left
	until_true 10 "all processes of the test are gone" no_process
	left=$(find tmp home -type f -not -path '*/hsperfdata*' -not -name '.java_pid*')
	[ -z "$left" ] || fail "left behind: $left"
	left=$(find store -type f -name '*tmp*' -o -type f -name '.*')
	[ -z "$left" ] || fail "left in the store: $left"
}

no_process() {
	local pid
	for pid in $(our_processes); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		jsnap | java) [ "$(process_state "$pid")" = Z ] || return 1 ;;
		esac
	done
}
