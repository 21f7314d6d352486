#!/bin/bash
# What a snapshot takes for granted, each item changed alone: restore refuses in words that name it,
# verify says the same, and run serves all the same, cold. Other machines are played by named faults
# (snapshot/base/fault.h), which jsnap without capabilities alone knows.
#
# identity.sh JDK
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode userns
app_use tiny
JSNAP_FAULT=image-write "$jsnap" run --help >/dev/null # any build knows the variable
common=(--store "$dir/store" --tids $tids)
image=
checked=0

# A library of the program's own, so that its build can change: linked twice, with other code.
for n in 1 2; do
	printf 'int jsnap_test_build_%d(void);\nint jsnap_test_build_%d(void) { return %d; }\n' $n $n $n >lib$n.c
	${CC:-cc} -shared -fPIC -Wl,--build-id -o lib$n.so lib$n.c || skip "no C compiler"
	${CC:-cc} -shared -fPIC -Wl,--build-id=none -o plain$n.so lib$n.c
done
cp lib1.so own.so
cp plain1.so plain.so

take() {
	"$jsnap" checkpoint "${common[@]}" "$@" --set-env LD_PRELOAD="$dir/own.so:$dir/plain.so" -Xmx64m -XX:+UseSerialGC \
		-jar "$cache/tiny.jar" "$port" </dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint: $(cat checkpoint.err)"
	image=$(find store -name '*.jsnap' | tail -n1)
}

# differs WORDS WHAT: under the faults and limits of the caller (`fault`, `limit`).
fault= limit=:
differs() {
	local status=0
	(eval "$limit"; JSNAP_FAULT=$fault "$jsnap" restore --tids $tids "$image" </dev/null >r.out 2>r.err) || status=$?
	[ $status = 125 ] || fail "$2: restore exits with $status: $(cat r.err)"
	grep -Eq -- "$1" r.err || fail "$2: restore does not say '$1': $(cat r.err)"
	status=0
	(eval "$limit"; JSNAP_FAULT=$fault "$jsnap" verify "$image" </dev/null >v.out 2>v.err) || status=$?
	[ $status = 1 ] || fail "$2: verify exits with $status: $(cat v.out v.err)"
	grep -Eq -- "whole, but would not restore here: .*($1)" v.out || fail "$2: verify does not say '$1': $(cat v.out v.err)"
	: >cold.err
	cat >cold.sh <<-END
		$limit
		export JSNAP_FAULT=$fault
		exec "$jsnap" run --store "$dir/store" --tids $tids --no-checkpoint --set-env LD_PRELOAD="$dir/own.so:$dir/plain.so" \\
			-Xmx64m -XX:+UseSerialGC -jar "$cache/tiny.jar" "$port"
	END
	start_timed cold "$port" "$path" bash cold.sh
	grep -Eq "jsnap: cold start: .*($1)" cold.err || fail "$2: run does not say so: $(cat cold.err)"
	stop "$pid" TERM
	say "$2: $(grep -Eom1 -- "(this|the) .*" r.err | head -c 200)"
	checked=$((checked + 1))
}

restores() {
	: >warm.err
	start_timed warm "$port" "$path" "$jsnap" restore --tids $tids "$image"
	said warm "jsnap: restored" "$1"
	stop "$pid" TERM
	say "$1: restored"
}

take
restores "nothing changed"

fault=other-cpu=ssse3
differs "lacks ssse3, which the snapshot" "a processor without SSSE3"
fault=

# Another machine: files of /proc and /sys as recorded there.
root=$dir/machine
machine() { # PATH TEXT
	mkdir -p "$root$(dirname "$1")"
	printf '%s\n' "$2" >"$root$1"
}
fault=system-root=$root
machine /proc/sys/vm/mmap_min_addr 4096
machine /proc/sys/vm/max_map_count 65530
machine /proc/sys/vm/max_map_count 7
differs "mappings, this machine allows 7" "few mappings allowed"
machine /proc/sys/vm/max_map_count 65530
machine /proc/sys/vm/mmap_min_addr 281474976710655
differs "none below .*mmap_min_addr" "a high vm.mmap_min_addr"
machine /proc/sys/vm/mmap_min_addr 4096
machine /proc/self/cgroup 0::/pod
machine /sys/fs/cgroup/pod/memory.max $((50 << 20))
differs "Java heap may grow to 64 MiB, and this control group allows 50 MiB" "a small control group"
machine /sys/fs/cgroup/pod/memory.max max
machine /proc/self/attr/current 'jsnap (enforce)'
differs "label 'none', and jsnap runs under 'jsnap \(enforce\)'" "another label"
JSNAP_FAULT=$fault "$jsnap" verify --lsm ignore "$image" >v.out 2>&1 || fail "--lsm ignore: $(cat v.out)"
rm "$root/proc/self/attr/current"
machine /sys/kernel/security/lsm capability,apparmor
differs "modules 'none', and jsnap runs under 'capability,apparmor'" "other security modules"
rm "$root/sys/kernel/security/lsm"
fault=

limit="ulimit -v 1000000"
# (java itself could not start under that limit)
(eval "$limit"; "$jsnap" restore --tids $tids "$image" </dev/null >r.out 2>r.err) && fail "ulimit -v: restored"
grep -q "address space (ulimit -v) is 976 MiB here" r.err || fail "ulimit -v: $(cat r.err)"
limit=:

# Program files: the build decides, not the time.
touch -d 2001-01-01 own.so plain.so
restores "program files with other times"
cp -p lib2.so own.so
differs "own.so is another build \(build id [0-9a-f]+\) than the snapshot's" "a library of another build"
cp -p lib1.so own.so
restores "the library copied back"
cp -p plain2.so plain.so
[ "$(stat -c %s plain1.so)" = "$(stat -c %s plain2.so)" ] || fail "the two plain libraries have different sizes"
differs "plain.so has other content" "a library without build id and with other content"
cp -p plain1.so plain.so

# For any processor of the level: HotSpot and glibc are held to it, and only it is asked for.
rm -rf store
take --cpu x86-64-v2
start v2 "$jsnap" restore --tids $tids "$image"
until_true 30 "the x86-64-v2 snapshot answers" get "$path"
java=$(java_below "$pid")
"$JAVA_HOME/bin/jcmd" "$java" VM.flags -all 2>/dev/null | grep -Eq 'UseAVX += 0 ' ||
	tr '\0' ' ' <"/proc/$java/cmdline" | grep -q -- '-XX:UseAVX=0' || fail "HotSpot may use AVX"
tr '\0' '\n' <"/proc/$java/environ" | grep -q '^GLIBC_TUNABLES=glibc.cpu.hwcaps=.*-AVX2' || fail "glibc may use AVX2"
stop "$pid" TERM
for feature in avx2 bmi2 aes fma; do
	JSNAP_FAULT=other-cpu=$feature "$jsnap" verify "$image" >v.out 2>&1 || fail "x86-64-v2 without $feature: $(cat v.out)"
done
fault=other-cpu=popcnt
JSNAP_FAULT=$fault "$jsnap" restore --tids $tids "$image" </dev/null >r.out 2>r.err && fail "restored without popcnt"
grep -q "lacks popcnt, which the snapshot (made for x86-64-v2)" r.err || fail "x86-64-v2: $(cat r.err)"

say "$checked items"
nothing_left
