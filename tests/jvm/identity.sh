#!/bin/bash
# What a snapshot takes for granted, each item changed alone: restore refuses in words that name it,
# verify says the same, and run serves all the same, cold. Other machines are played by named faults
# (snapshot/base/fault.h), which jsnap without capabilities alone knows. Items that this machine can't
# play are those of images written by hand (fault/hostile) and of unit/test_host: page size, five-level
# page tables.
#
# identity.sh JDK
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode userns
app_use tiny
command -v python3 >/dev/null || skip "no python3"
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
cp "$cache/tiny.jar" own.jar
# A JDK of the test's own, so that it can change: links, but for what tells its version and build.
mkdir -p jdk/bin jdk/lib/server
cp "$JAVA_HOME/bin/java" jdk/bin/
cp "$JAVA_HOME/release" jdk/
ln -s "$JAVA_HOME/conf" jdk/conf
for file in "$JAVA_HOME"/lib/*; do [ "${file##*/}" = server ] || ln -s "$file" jdk/lib/; done
for file in "$JAVA_HOME"/lib/server/*; do [ "${file##*/}" = libjvm.so ] || ln -s "$file" jdk/lib/server/; done
cp "$(readlink -f "$JAVA_HOME/lib/server/libjvm.so")" jdk/lib/server/libjvm.so
touch -d "1980-01-01 UTC" jdk/lib/server/libjvm.so
export JAVA_HOME=$dir/jdk

program=(-Xmx64m -XX:+UseSerialGC -jar "$dir/own.jar" "$port")
preload=(--set-env LD_PRELOAD="$dir/own.so:$dir/plain.so")

take() { # OPTION...: by `prefix`
	eval "$prefix" '"$jsnap" checkpoint "${common[@]}" "$@" "${preload[@]}" "${program[@]}"' </dev/null >checkpoint.out \
		2>checkpoint.err || fail "jsnap checkpoint: $(cat checkpoint.err)"
	image=$(find store -name '*.jsnap' | tail -n1)
}

# differs WORDS WHAT [WORDS OF RUN [OPTION]]: under the faults and limits of the caller (`fault`, `limit`),
# as whoever `prefix` makes of us.
fault= limit=: prefix= ways=$tids
refused() { # WORDS WHAT
	local status=0
	(eval "$limit"; JSNAP_FAULT=$fault eval "$prefix" '"$jsnap" restore --tids $ways "$image"' </dev/null >r.out 2>r.err) || status=$?
	[ $status = 125 ] || fail "$2: restore exits with $status: $(cat r.err)"
	grep -Eq -- "$1" r.err || fail "$2: restore does not say '$1': $(cat r.err)"
}
doubted() { # WORDS WHAT
	local status=0
	(eval "$limit"; JSNAP_FAULT=$fault eval "$prefix" '"$jsnap" verify "$image"' </dev/null >v.out 2>v.err) || status=$?
	[ $status = 1 ] || fail "$2: verify exits with $status: $(cat v.out v.err)"
	grep -Eq -- "$1" v.out || fail "$2: verify does not say '$1': $(cat v.out v.err)"
}
served() { # WORDS WHAT
	: >cold.err
	cat >cold.sh <<-END2
		$limit
		export JSNAP_FAULT=$fault
		exec $prefix "$jsnap" run --store "$dir/store" --tids $ways --no-checkpoint ${preload[*]} ${program[*]}
	END2
	start_timed cold "$port" "$path" bash cold.sh
	grep -Eq "jsnap: cold start: .*($1)" cold.err || fail "$2: run does not say so: $(cat cold.err)"
	halt
}
# unshare takes no notice of SIGTERM: it is jsnap below it that ends.
halt() {
	local child inner=$pid
	[ "$(cat "/proc/$pid/comm")" = jsnap ] || for child in $(children "$pid"); do inner=$child; done
	kill -TERM "$inner"
	until_true 60 "the program ends" ended "$pid"
	wait "$pid" 2>/dev/null || true
	until_true 20 "all is gone" no_process
}
item() { say "$1: $(grep -Eom1 -- "(this|the) .*" r.err | head -c 200)"; checked=$((checked + 1)); }
# For none of it a page is decompressed: nobody makes the hot copy that is not there.
differs() {
	rm -f store/*.hot
	refused "$1" "$2"
	doubted "whole, but would not restore here: .*($1)" "$2"
	served "$1" "$2"
	[ -z "$(find store -name '*.hot*')" ] || fail "$2: its pages were decompressed"
	item "$2"
}

restores() { # WHAT [COMMAND]: the command is told the java process
	: >warm.err
	: >warm.sh
	cat >warm.sh <<-END2
		export JSNAP_FAULT=$fault
		exec $prefix "$jsnap" restore --tids $ways "$image"
	END2
	start_timed warm "$port" "$path" bash warm.sh
	said warm "jsnap: restored" "$1"
	[ $# = 1 ] || "$2" "$(java_below "$pid")" || fail "$1"
	halt
	say "$1: restored"
	checked=$((checked + 1))
}

take
restores "nothing changed"

# Of the image: the version of its format.
cp -p "$image" whole.jsnap
cp "$JSNAP_TEST_WORK/scripts/newer.jsnap" "$image"
chmod 600 "$image"
refused "version 99" "another format"
doubted "bad: .*version 99" "another format"
served "version 99" "another format"
item "another format"
cp -p whole.jsnap "$image"

fault=other-cpu=ssse3
differs "lacks ssse3, which the snapshot" "a processor without SSSE3"
if grep -qw avx /proc/cpuinfo; then
	fault=other-xsave=2
	differs "this processor keeps AVX registers at another place" "another layout of extended state"
fi
fault=other-vdso
restores "another kernel's vDSO"
fault=

# Another machine: files of /proc and /sys as recorded there.
root=$dir/machine
machine() { # PATH TEXT
	mkdir -p "$root$(dirname "$1")"
	printf '%s\n' "$2" >"$root$1"
}
fault=system-root=$root
machine /proc/sys/kernel/arch aarch64
differs "another architecture \(x86_64\) than this machine \(aarch64\)" "another architecture"
rm "$root/proc/sys/kernel/arch"
machine /proc/sys/vm/mmap_min_addr 4096
machine /proc/sys/vm/max_map_count 65530
machine /proc/sys/vm/max_map_count 7
differs "mappings, this machine allows 7" "few mappings allowed"
# Of those that it has not, most stay for the program: pages are read rather than mapped.
allowed=$(($("$jsnap" inspect "$image" | sed -n 's/^mappings (\([0-9]*\))$/\1/p') + 20))
machine /proc/sys/vm/max_map_count $allowed
few_mappings() { [ "$(grep -vc vsyscall "/proc/$1/maps")" -le $allowed ]; }
restores "hardly more mappings allowed" few_mappings
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
# A kernel update may bring a module: run does not stay cold for ever, but takes a snapshot there.
cp -p "$image" whole.jsnap
machine /sys/kernel/security/lsm capability,landlock
: >cold.err
start_timed cold "$port" "$path" env JSNAP_FAULT="$fault" "$jsnap" run "${common[@]}" "${preload[@]}" "${program[@]}"
until_true "$patience" "a snapshot under other modules" snapshot_settled
until_true "$patience" "a snapshot under other modules" grep -q "snapshot own .* taken" cold.err
halt
restores "a snapshot taken under other modules"
rm "$root/sys/kernel/security/lsm"
fault=
cp -p whole.jsnap "$image"

# Whether java itself can start under these limits is its own affair.
for kind in v d; do
	limit="ulimit -$kind $([ $kind = v ] && echo 1000000 || echo 50000)"
	words="address space .ulimit -v. is 976 MiB here"
	[ $kind = v ] || words="data memory .ulimit -d. is 48 MiB here"
	refused "$words" "$limit"
	doubted "would not restore here: .*$words" "$limit"
	rm -f limited.err
	start limited bash -c "$limit; exec \"\$@\"" - "$jsnap" run "${common[@]}" --no-checkpoint "${preload[@]}" "${program[@]}"
	said limited "jsnap: cold start: .*$words" "$limit"
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid" || true
	item "$limit"
done
limit=:

# Whose process it was: root of a user namespace is another user. Its key is another, too.
if unshare -Ur true 2>/dev/null; then
	prefix="unshare -Ur"
	refused "of a process of user [0-9]*, and this is user 0" "another user"
	doubted "would not restore here: .*this is user 0" "another user"
	served "there is no snapshot of it yet" "another user"
	item "another user"
	prefix=
fi

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

# The class path: a jar with one entry more.
cp -p own.jar first.jar
python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "a").writestr("more", "more")' own.jar
differs "own.jar (changed|has another size)" "another class path"
cp -p first.jar own.jar
restores "the jar copied back"

# The JDK: its version, which no mapped file tells, and its build.
cp -p jdk/release release
sed -i 's/^JAVA_VERSION="[^"]*"/JAVA_VERSION="'"$1"'.0.99"/' jdk/release
served "the JDK changed .* -> $1.0.99 " "another version of the JDK"
cp -p release jdk/release
cp -p jdk/lib/server/libjvm.so libjvm.so
# Without a build id (some builds have none) its content tells: here the name of a section, which nothing runs by.
python3 - jdk/lib/server/libjvm.so <<-'END2'
	import sys
	with open(sys.argv[1], "r+b") as file:
	    data = file.read()
	    at = data.find(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") # elf(5): a note of type NT_GNU_BUILD_ID
	    at = data.rindex(b"\0.comment\0") + 2 if at < 0 else at + 16
	    file.seek(at)
	    file.write(bytes(b ^ 255 for b in data[at:at + 7]))
END2
# Its time need not tell: reproducible archives give all files the same.
touch -r libjvm.so jdk/lib/server/libjvm.so
refused "libjvm.so (is another build|has other content)" "another build of the JDK"
doubted "would not restore here: .*libjvm.so" "another build of the JDK"
served "libjvm.so" "another build of the JDK"
item "another build of the JDK"
cp -p libjvm.so jdk/lib/server/libjvm.so
restores "the JDK copied back"

# no_new_privs: what either side has, the restored process has.
no_new_privs() { grep -q "^NoNewPrivs:[[:space:]]*1" "/proc/$1/status"; }
prefix="setpriv --no-new-privs"
restores "no_new_privs of whoever restores" no_new_privs
take
prefix=
restores "no_new_privs of the snapshot's process" no_new_privs

# Capabilities: root of a user namespace has them all.
if unshare -Urpf --mount-proc true 2>/dev/null; then
	as_root="unshare -Urpf --kill-child --mount-proc"
	prefix=$as_root ways=clone3 common=(--store "$dir/store" --tids clone3)
	rm -rf store/* store/.tiny*
	take
	keeps() { [ "$(awk '/^CapPrm:/ { print $2 }' "/proc/$1/status")" = "$kept" ]; }
	kept=$($as_root python3 -c 'for line in open("/proc/self/status"):
	if line.startswith("CapPrm:"):
		print("%016x" % (int(line.split()[1], 16) & ~(1 << 40)))')
	restores "the capabilities of root" keeps
	prefix="$as_root setpriv --bounding-set=-net_admin --inh-caps=-all"
	differs "had the capabilities cap_net_admin, which it would not have here" "fewer capabilities"
	prefix= ways=$tids common=(--store "$dir/store" --tids $tids)
fi

# For any processor of the level: HotSpot and glibc are held to it, and only it is asked for.
rm -rf store/* store/.tiny*
take --cpu x86-64-v2
start v2 "$jsnap" restore --tids $tids "$image"
until_true 30 "the x86-64-v2 snapshot answers" get "$path" >/dev/null
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

# The same for x86-64-v3: on a processor that has nothing more, and on one that has less.
uses_v3() {
	tr '\0' ' ' <"/proc/$1/cmdline" | grep -q -- '-XX:UseAVX=2 ' &&
		tr '\0' '\n' <"/proc/$1/environ" | grep -q '^GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,'
}
if grep -qw avx2 /proc/cpuinfo; then
	rm -rf store/* store/.tiny*
	fault=
	native=("${preload[@]}")
	preload=(--cpu x86-64-v3 "${native[@]}")
	take
	fault=other-cpu=x86-64-v3
	JSNAP_FAULT=$fault "$jsnap" verify "$image" >v.out 2>&1 || fail "x86-64-v3 on such a processor: $(cat v.out)"
	restores "x86-64-v3 on such a processor" uses_v3
	fault=other-cpu=x86-64-v2
	beyond="pclmulqdq, fma, movbe, aes, avx, f16c, bmi1, avx2, bmi2, abm, xsavec"
	differs "this processor lacks $beyond, which the snapshot \(made for x86-64-v3\) may use" "x86-64-v3 on x86-64-v2"
	preload=("${native[@]}")
fi
if grep -qw avx512f /proc/cpuinfo; then
	rm -rf store/* store/.tiny*
	fault=
	take
	fault=other-cpu=x86-64-v3
	differs "this processor lacks ([a-z0-9_]+, )*avx512f(, [a-z0-9_]+)*, which the snapshot \(made for .+\) may use" \
		"this processor's own on x86-64-v3"
fi

say "$checked items"
nothing_left
