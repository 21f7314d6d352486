#!/bin/bash
# A snapshot goes where images go. packaging/container/Containerfile is built on a local base, its
# snapshot made by a plain RUN; the image is pushed to a registry on loopback, pulled into another,
# empty storage, and run there restored: with jsnap's seccomp profile and CHECKPOINT_RESTORE, and with podman's
# filter and no capability, read-only too.
. "$(dirname "$0")/lib.sh"

need_root
need podman buildah docker-registry curl javac jar nsenter
[ -s "$cache/root.tar" ] || skip "no base image; run tests/packaging/fetch.sh"
deb=$(ls "$build"/deb/out/jsnap_*.deb) || fail "no package; it is made by the test packaging/build-deb"

# engine NAME: a storage of its own, with podman and buildah on it.
engine() {
	local options=(--root "$dir/$1/storage" --runroot "$dir/$1/run" --storage-driver overlay)
	mkdir -p "$1"
	podman=(podman "${options[@]}" --cgroup-manager=cgroupfs --runtime "$source/tests/packaging/runtime/runc")
	buildah=(buildah "${options[@]}")
	at_end+=("podman ${options[*]} --cgroup-manager=cgroupfs rm -fa -t 0 >/dev/null 2>&1; podman ${options[*]} unmount -a >/dev/null 2>&1; umount '$dir/$1/storage/overlay' 2>/dev/null")
}

# background NAME COMMAND...: ended with the test.
background() {
	local name=$1
	shift
	"$@" >"$name.log" 2>&1 </dev/null &
	at_end+=("kill $! 2>/dev/null; wait $! 2>/dev/null")
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The smallest service, on port 8080.
mkdir context classes
printf 'class Serve { public static void main(String[] a) throws Exception { Tiny.main(new String[]{"8080"}); } }' >Serve.java
javac --release 17 -cp "$apps/tiny.jar" -d classes Serve.java
(cd classes && jar xf "$apps/tiny.jar" && jar cfe ../context/app.jar Serve .)

engine build
quietly "${podman[@]}" import -c 'CMD ["/bin/sh"]' "$cache/root.tar" localhost/debian-java
mkdir runtime
cp "$deb" runtime/jsnap.deb
printf 'FROM localhost/debian-java\nCOPY jsnap.deb /tmp/\nRUN dpkg -i /tmp/jsnap.deb && rm /tmp/jsnap.deb\n' >runtime/Containerfile
build_image() { # CONTEXT TAG ARGUMENT...
	local context=$1 tag=$2
	shift 2
	quietly "${buildah[@]}" build --runtime "$source/tests/packaging/runtime/runc" --isolation oci --network none \
		--layers=false -t "$tag" "$@" "$context"
}
build_image runtime localhost/jsnap-runtime
port=$(free_port)
tag=127.0.0.1:$port/app:1
build_image context "$tag" -f "$source/packaging/container/Containerfile" --build-arg RUNTIME=localhost/jsnap-runtime \
	--build-arg WARMUP=http://127.0.0.1:8080/hello
grep -qi 'jsnap: .*snapshot' quietly.out || { cat quietly.out >&2; fail "RUN jsnap checkpoint says nothing of a snapshot"; }

# The registry.
mkdir registry
cat >registry.yml <<-END
	version: 0.1
	storage:
	  filesystem:
	    rootdirectory: $dir/registry
	http:
	  addr: 127.0.0.1:$port
END
background registry docker-registry serve registry.yml
until_true 30 "the registry listens" listens "$port"
quietly "${podman[@]}" push --tls-verify=false "$tag"
engine elsewhere
quietly "${podman[@]}" pull --tls-verify=false "$tag"

java_below() { # PID
	local child
	if [ "$(cat "/proc/$1/comm" 2>/dev/null)" = java ]; then
		echo "$1"
		return
	fi
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		java_below "$child"
	done
}

# restored NAME TIDS OPTIONS...: the image in a fresh container is restored and serves.
restored() {
	local name=$1 tids=$2 pid java
	shift 2
	quietly "${podman[@]}" run -d --name "$name" --network none "$@" "$tag"
	answer() {
		pid=$("${podman[@]}" inspect -f '{{.State.Pid}}' "$name")
		[ "$pid" != 0 ] && nsenter -t "$pid" -n curl -sf --max-time 5 http://127.0.0.1:8080/hello >"$name.body" 2>/dev/null
	}
	until_true 60 "$name answers" answer
	expect "$name: the answer" "$(cat "$name.body")" hello
	"${podman[@]}" logs "$name" >"$name.log" 2>&1
	grep -qE "^jsnap: restored .*\(tids: $tids\)" "$name.log" || fail "$name: $(cat "$name.log")"
	java=$(java_below "$pid")
	[ -n "$java" ] || fail "$name: no java below jsnap"
	expect "$name: capabilities of the program" \
		"$(sed -n 's/^Cap\(Prm\|Eff\|Amb\):\t//p' /proc/"$java"/task/*/status | sort -u)" 0000000000000000
	quietly "${podman[@]}" stop -t 30 "$name"
	expect "$name: the exit status after SIGTERM" "$("${podman[@]}" inspect -f '{{.State.ExitCode}}' "$name")" 143
	say "$name: $(grep -o 'jsnap: restored.*' "$name.log")"
	quietly "${podman[@]}" rm "$name"
}
# The file capability has come along, and is what counts: podman would give what it adds as an ambient one.
need getcap
mounted=$("${podman[@]}" image mount "$tag")
expect "the file capability in the pulled image" "$(getcap "$mounted/usr/bin/jsnap" | sed 's/.* //')" cap_checkpoint_restore=p
quietly "${podman[@]}" image unmount "$tag"
restored profile clone3 --cap-drop all --cap-add CHECKPOINT_RESTORE --security-opt seccomp="$source/packaging/container/jsnap-seccomp.json" \
	--entrypoint '["setpriv", "--ambient-caps=-all", "--inh-caps=-all", "jsnap", "run", "-jar", "/app/app.jar"]'
restored nothing 'walk|userns' --cap-drop all --security-opt no-new-privileges
restored read-only 'walk|userns|clone3' --cap-drop all --read-only --tmpfs /tmp
