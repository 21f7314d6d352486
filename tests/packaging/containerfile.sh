#!/bin/bash
# packaging/container/Containerfile.runtime on a base made here: jsnap is compiled and packaged in one stage
# and installed by apt in the next; and Containerfile on that, whose application starts restored. Needs
# Debian's packages; minutes.
. "$(dirname "$0")/lib.sh"

need_root
need buildah podman mmdebstrap javac jar
runtime=$source/tests/packaging/runtime/runc
options=(--root "$dir/storage" --runroot "$dir/run" --storage-driver overlay)
at_end+=("podman ${options[*]} --cgroup-manager=cgroupfs rm -fa -t 0 >/dev/null 2>&1; umount '$dir/storage/overlay' 2>/dev/null")
sources=/etc/apt/sources.list
[ -s $sources ] || sources=/etc/apt/sources.list.d/debian.sources
quietly mmdebstrap --variant=apt bookworm debian.tar $sources
quietly podman "${options[@]}" import debian.tar localhost/debian
rm debian.tar

mkdir context classes
printf 'class Serve { public static void main(String[] a) throws Exception { Tiny.main(new String[]{"8080"}); } }' >Serve.java
javac --release 17 -cp "$apps/tiny.jar" -d classes Serve.java
(cd classes && jar xf "$apps/tiny.jar" && jar cfe ../context/app.jar Serve .)
git -C "$source" ls-files -z -- CMakeLists.txt CMakePresets.json README.md CHANGELOG.md agent cmake conf docs launcher packaging snapshot |
	(cd "$source" && xargs -0 cp --parents -t "$dir/context")
build_image() { # NAME ARGUMENT...
	local name=$1
	shift
	quietly buildah "${options[@]}" build --runtime "$runtime" --isolation oci --layers=false -t "$name" "$@" context
}
# apt wants the host's network.
build_image localhost/jsnap-runtime -f context/packaging/container/Containerfile.runtime --network host \
	--build-arg DEBIAN=localhost/debian
build_image localhost/app -f context/packaging/container/Containerfile --network none \
	--build-arg WARMUP=http://127.0.0.1:8080/hello
quietly podman "${options[@]}" --cgroup-manager=cgroupfs --runtime "$runtime" run -d --name app --network none --cap-drop all localhost/app
restored() { podman "${options[@]}" logs app 2>&1 | grep -q '^jsnap: restored'; }
until_true 60 "the application is restored" restored
say "$(podman "${options[@]}" logs app 2>&1)"
