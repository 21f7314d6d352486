# What the tests in real containers share; sourced by each script as its first act. podman and runc, as
# root, with this machine's own files as a throw-away root: nothing is pulled. Each script works in a
# folder of its own, which its containers see at the same place; on failure it is kept, with the
# command that runs the script again.
#
# Parameters: JSNAP_TEST_WORK (tests/jvm/setup.sh), JSNAP_TEST_CACHE (tests/fetch_apps.sh),
# JSNAP_TEST_STRICT=1 (a skip is a failure), JSNAP_TEST_PATIENCE (seconds for any one wait).
set -euo pipefail
. "$(dirname "$0")/../lib.sh"

: "${JSNAP_TEST_WORK:?set it to what tests/jvm/setup.sh BUILD_DIR prints}"
here=$(cd "$(dirname "$0")" && pwd)
cache=${JSNAP_TEST_CACHE:-/var/cache/jsnap-tests}
patience=${JSNAP_TEST_PATIENCE:-120}
self="JSNAP_TEST_WORK=$JSNAP_TEST_WORK $here/$(basename "$0")$(printf " '%s'" "$@")"
PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin

[ "$(id -u)" = 0 ] || skip "real containers are made as root here"
for tool in podman runc python3 nsenter curl; do
	command -v $tool >/dev/null || skip "no $tool; scripts/install_deps.sh test installs it"
done
dir=$(mktemp -d /tmp/jsnap-container.XXXXXX)
chmod 755 "$dir"
cd "$dir"
containers=()

finish() {
	local status=$? name
	trap - EXIT
	set +e
	for name in "${containers[@]}"; do
		pm rm -f -t 0 "$name" >/dev/null 2>&1
	done
	leave $status "$dir" "$self"
}
end_with finish

# Where root may not raise limits, the runtime must not try: they are taken out of its instructions.
make_runtime() {
	{
		echo '#!/bin/bash'
		echo "real=$(command -v runc)"
		cat <<'END'
words=("$@")
for ((i = 0; i < $#; i++)); do
	case ${words[i]} in
	--bundle | -b) file=${words[i + 1]}/config.json ;;
	--process | -p) file=${words[i + 1]} ;;
	esac
done
[ -z "${file:-}" ] || python3 -c '
import json, sys
config = json.load(open(sys.argv[1]))
config.get("process", config).pop("rlimits", None)
json.dump(config, open(sys.argv[1], "w"))' "$file"
exec "$real" "$@"
END
	} >"$dir/runc"
	chmod 755 "$dir/runc"
}
make_runtime

pm() { podman --cgroup-manager=cgroupfs --runtime "$dir/runc" "$@"; }

# Docker's default filter, which is published as a module of its own.
docker_filter() {
	local module=github.com/moby/profiles/seccomp@v0.2.4
	command -v go >/dev/null || skip "no go; scripts/install_deps.sh test installs it"
	(
		flock 9
		[ -s "$cache/docker-seccomp.json" ] || {
			mkdir -p "$dir/go"
			cd "$dir/go"
			printf 'module tests\n\ngo 1.19\n' >go.mod
			GOFLAGS=-mod=mod GOTOOLCHAIN=local go mod download $module >go.log 2>&1 || { cat go.log >&2; exit 1; }
			cp "$(go env GOMODCACHE)/$module/default.json" "$cache/docker-seccomp.json.$$"
			mv "$cache/docker-seccomp.json.$$" "$cache/docker-seccomp.json"
		}
	) 9>"$cache/.docker-seccomp.lock" || fail "go mod download $module"
	echo "$cache/docker-seccomp.json"
}

# options FILTER CAPABILITY UID NNP: sets `options`
options() {
	local filter
	options=(--rm --network=none --rootfs -v "$dir:$dir" -w "$dir" --user "$3:$3" --cap-drop ALL
		--env HOME="$dir/home" --env JAVA_HOME="$JAVA_HOME")
	case $1 in
	docker)
		filter=$(docker_filter)
		options+=(--security-opt "seccomp=$filter")
		;;
	podman) ;;
	none) options+=(--security-opt seccomp=unconfined) ;;
	*) fail "no filter $1" ;;
	esac
	case $2 in
	nocap) ;;
	cr) options+=(--cap-add CHECKPOINT_RESTORE) ;;
	*) fail "no capability $2" ;;
	esac
	case $4 in
	nnp) options+=(--security-opt no-new-privileges) ;;
	priv) ;;
	*) fail "no no_new_privs $4" ;;
	esac
}

# The order of podman's words: options, then --rootfs ROOT COMMAND.
run() { # NAME [OPTION...] -- COMMAND...: in the background, output in NAME.out and NAME.err
	local name=$1 words=()
	shift
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	containers+=("$name-$$")
	for word in "${options[@]}"; do
		[ "$word" = --rootfs ] || words+=("$word")
	done
	pm run --name "$name-$$" "${words[@]}" --rootfs /:O "$@" </dev/null >"$name.out" 2>"$name.err" &
	pid=$!
}

# The host's number of the container's first process.
first_process() { pm inspect --format '{{.State.Pid}}' "$1-$$" 2>/dev/null || true; }

running() {
	inner=$(first_process "$1")
	[ -n "$inner" ] && [ "$inner" != 0 ]
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# await NAME PATH: until the program in the container answers on $port
await() {
	until_true "$patience" "container $1 runs" running_or_dead "$1"
	until_true "$patience" "the program in $1 answers" answers_or_dead "$2"
}

running_or_dead() {
	ended "$pid" && fail "container $1 ended: $(tail -n 3 "$1.err")"
	running "$1"
}

answers_or_dead() {
	ended "$pid" && fail "the container ended"
	get "$1" >/dev/null 2>&1
}

get() { nsenter -t "$inner" -n curl -sf --max-time 30 "http://127.0.0.1:$port$1"; }

java_below() { # the host's number of the JVM in the container
	local task
	for task in $(pgrep -x java); do
		if [ "$(readlink "/proc/$task/cwd" 2>/dev/null)" = "$dir" ] || grep -qs "$dir" "/proc/$task/environ"; then
			echo "$task"
			return
		fi
	done
}

# The descendants of a process that are java by name.
java_of() {
	local child
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		if [ "$(cat "/proc/$child/comm" 2>/dev/null)" = java ]; then
			echo "$child"
			return
		fi
		java_of "$child"
	done
}

# Of every thread, of which some may end meanwhile.
each_status() { cat /proc/"$1"/task/*/status 2>/dev/null || true; }
inner_tids() { each_status "$1" | awk '/^NSpid:/ { print $NF }' | sort -n; }
capabilities() { each_status "$1" | awk '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }' | sort -u; }

use_jdk() {
	local home
	for home in /usr/lib/jvm/*-"$1"-*/ /usr/lib/jvm/*-"$1"/ /usr/lib/jvm/*"$1"*/; do
		if [ -x "${home}bin/java" ] && grep -qs "^JAVA_VERSION=\"$1[.\"]" "${home}release"; then
			export JAVA_HOME=${home%/}
			return
		fi
	done
	skip "no JDK $1 in /usr/lib/jvm"
}

app_use() { # tiny|h2|spring: sets `port`, `path` and `java_args`
	port=8081
	path=/hello
	case $1 in
	tiny) java_args=(-jar "$cache/tiny.jar" $port) ;;
	spring) java_args=(-jar "$cache/spring.jar" --server.port=$port --server.address=127.0.0.1) ;;
	h2)
		path=/
		java_args=(-cp "$cache/h2.jar" org.h2.tools.Server -web -webPort $port -tcp -tcpPort 8082 -ifNotExists
			-baseDir "$dir/database")
		;;
	*) fail "no application $1" ;;
	esac
	[ -e "$cache/spring.jar" ] || fail "no applications in $cache: tests/fetch_apps.sh brings them"
	app=$1
}

# For the user of the containers.
own() { # UID
	mkdir -p store home database
	chmod 700 store
	chown "$1:$1" store home database
}

# The user of the tests that need no container, and no capability can be got back.
nobody=65534

# alone [-c] [-t SECONDS] COMMAND...: in a PID, mount and network namespace of its own, as nobody, with no
# capability in the bounding set: what a container is to jsnap, without one. With -c a file capability
# counts. With -t its clocks are ahead by so much.
alone() {
	local words=(--net --pid --mount-proc --kill-child) bounds=-all
	if [ "$1" = -c ]; then
		bounds=+all
		shift
	fi
	if [ "$1" = -t ]; then
		words+=(--time --monotonic "$2" --boottime "$2")
		shift 2
	fi
	exec unshare "${words[@]}" bash -c 'ip link set lo up && exec setpriv --reuid='$nobody' --regid='$nobody' \
		--clear-groups --bounding-set='$bounds' env HOME='"$dir/home"' "$@"' bash "$@" 251>&- 252>&- 253>&- 254>&-
}
