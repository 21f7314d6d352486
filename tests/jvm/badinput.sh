#!/bin/bash
# Bad input and bad luck, one line each of a table: the documented exit status, a message that names
# what is wrong, nothing lost and nothing left.
#
# badinput.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apps.sh"

use_jdk "$1"
use_mode "$2"
app_use tiny
run=("$jsnap" run --store "$dir/store" --tids $tids)
checked=0

no_jsnap() {
	local pid
	for pid in $(our_processes); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != jsnap ] || [ "$(process_state "$pid")" = Z ] || return 1
	done
}

# refused STATUS WORDS WHAT COMMAND...: WORDS is a case-insensitive pattern of its standard error.
refused() {
	local wanted=$1 words=$2 what=$3 status=0
	shift 3
	timeout 60 "$@" </dev/null >refused.out 2>refused.err || status=$?
	[ $status = "$wanted" ] || fail "$what: exit status $status, not $wanted"
	grep -Eqi -- "$words" refused.err || fail "$what: the message does not say '$words': $(cat refused.err)"
	[ ! -s refused.out ] || fail "$what: jsnap wrote to standard output: $(head -c 200 refused.out)"
	no_jsnap || fail "$what: a process is left"
	say "$what: $(grep -Ei -m1 -- "$words" refused.err)"
	checked=$((checked + 1))
}

# Usage and the program.
refused 125 'unknown option.*--stroe.*--store' "a misspelt option" "$jsnap" run --stroe x -jar "$cache/tiny.jar"
refused 125 'nothing|no program|jar|class' "no program" "${run[@]}"
refused 1 'Unable to access jarfile' "no such jar" "${run[@]}" -jar "$dir/none.jar"
echo "no jar" >not.jar
refused 1 'Invalid or corrupt jarfile' "not a jar" "${run[@]}" -jar "$dir/not.jar"
refused 127 'java' "java not found" env -u JAVA_HOME PATH=/nonexistent "${run[@]}" -jar "$cache/tiny.jar"
mkdir -p broken/bin
echo nothing >broken/bin/java
refused 126 'java' "java not executable" env JAVA_HOME="$dir/broken" "${run[@]}" -jar "$cache/tiny.jar"
refused 125 'none.jsnap' "no such image" "$jsnap" restore --tids $tids "$dir/none.jsnap"
refused 125 'nothing|not|no snapshot|key' "no such key" "$jsnap" restore --store "$dir/store" --tids $tids 0123456789abcdef
refused 125 'jsnap: --on-restore-failure cold: restore knows no command to start cold.*jsnap run' "a cold start from restore" "$jsnap" restore --on-restore-failure cold "$dir/none.jsnap"
refused 125 'none.jsnap' "a cold start of run's, known to restore" env JSNAP_ON_RESTORE_FAILURE=cold "$jsnap" restore "$dir/none.jsnap"
refused 125 'process|pid' "no such process" "$jsnap" dump --pid 4194303 --image "$dir/x.jsnap"
[ ! -e x.jsnap ] || fail "a failed dump left a file"

# An image, and what can befall it.
start_timed app "$port" "$path" "$JAVA_HOME/bin/java" -Xmx64m -XX:+UseSerialGC "${java_args[@]}"
app=$pid
"$jsnap" dump --pid "$app" --image "$dir/good.jsnap" --leave-running || fail "jsnap dump"
get /hello >/dev/null || fail "the application does not go on after the dump"
size=$(stat -c %s good.jsnap)
expect "the image's mode" "$(stat -c %a good.jsnap)" 600
if command -v zstd >/dev/null; then zstd -tq good.jsnap || fail "zstd -t does not accept the image"; fi

refused_image() { refused 125 "$1" "$2" "$jsnap" restore --tids $tids "$dir/bad.jsnap"; }
# The application still has the PID and the port, so no damaged image could be restored by mistake.
for keep in 0 1 100 $((size / 2)) $((size - 1)); do
	head -c "$keep" good.jsnap >bad.jsnap
	refused_image 'bad.jsnap|truncat|short|cut|end' "an image cut to $keep of $size bytes"
done
flip() { # OFFSET: one byte of a copy, every bit of it
	local byte
	cp good.jsnap bad.jsnap
	byte=$(od -An -tu1 -j "$1" -N1 good.jsnap)
	printf "\\x$(printf %02x $((byte ^ 255)))" | dd of=bad.jsnap bs=1 seek="$1" conv=notrunc status=none
}
for offset in 0 4 8 16 32 64 $((size - 1)) $((size - 5)) $((size / 2)); do
	flip "$offset"
	refused_image . "byte $offset of $size flipped"
done
for ((i = 0; i < ${JSNAP_TEST_FLIPS:-12}; i++)); do
	flip $(((RANDOM << 15 | RANDOM) % size))
	refused_image . "one byte at random flipped"
done
head -c "$size" /dev/urandom >bad.jsnap
refused_image 'not a|bad.jsnap' "an image of random bytes"
refused 125 '/etc/passwd is refused: it belongs to' "another user's file" "$jsnap" restore --tids $tids /etc/passwd
# Root's link, for a user namespace's root somebody else's: to the user's own image.
behind_link() { "$@" /dev/stdin <good.jsnap; }
export -f behind_link
if unshare -Ur true 2>/dev/null; then
	refused 125 '/dev/stdin is refused: the link /dev/stdin belongs to' "another user's link" \
		bash -c 'behind_link "$@"' - unshare -Ur "$jsnap" restore --tids $tids
fi
ln -s good.jsnap link.jsnap
chmod 666 good.jsnap
refused 125 'link.jsnap is refused: others may write it' "a link to an image that others can write" \
	"$jsnap" restore --tids $tids link.jsnap
chmod 600 good.jsnap
cp good.jsnap bad.jsnap
chmod 666 bad.jsnap
refused_image 'write|mode|others' "an image that others can write"

# A disk that is full: the application goes on, and no file is left. Only a user namespace of its own lets
# an ordinary user mount a small file system, so application and jsnap both run in one.
if unshare -Urm true 2>/dev/null; then
	mkdir full
	full_port=$(free_port)
	cat >full.sh <<-EOF
		mount -t tmpfs -o size=256k none full || exit 98
		"$JAVA_HOME/bin/java" -Xmx64m -XX:+UseSerialGC -jar "$cache/tiny.jar" $full_port >full.log 2>&1 &
		for i in \$(seq 500); do curl -sf http://127.0.0.1:$full_port/hello >/dev/null && break; sleep 0.02; done
		"$jsnap" dump --pid \$! --image full/x.jsnap
		status=\$?
		[ -z "\$(ls -A full)" ] || { echo "left in full: \$(ls -A full)" >&2; status=97; }
		curl -sf http://127.0.0.1:$full_port/hello >/dev/null || { echo "it does not go on" >&2; status=96; }
		kill -KILL \$!
		exit \$status
	EOF
	refused 125 'space|full' "a full disk" unshare -Urm sh full.sh
fi

# What the snapshot needs is taken, or gone.
if [ "$2" = cap ]; then
	refused 125 "$app" "the PID taken" "$jsnap" restore --tids $tids "$dir/good.jsnap"
else
	refused 125 "$port" "the port taken" "$jsnap" restore --tids $tids "$dir/good.jsnap"
fi
stop "$app" TERM
start other "$JAVA_HOME/bin/java" -jar "$cache/tiny.jar" "$port"
other=$pid
until_true 30 "another takes the port" get /hello >/dev/null
refused 125 "$port" "the port taken by another" "$jsnap" restore --tids $tids "$dir/good.jsnap"
stop "$other" TERM

# The jar the process holds open is changed, then gone.
cp "$cache/tiny.jar" own.jar
start_timed own "$port" "$path" "$JAVA_HOME/bin/java" -Xmx64m -XX:+UseSerialGC -jar "$dir/own.jar" "$port"
"$jsnap" dump --pid "$pid" --image "$dir/own.jsnap" || fail "jsnap dump"
wait "$pid" 2>/dev/null || true
mv own.jar away.jar
refused 125 'own.jar' "a file of the snapshot gone" "$jsnap" restore --tids $tids "$dir/own.jsnap"
cp "$cache/args.jar" own.jar
refused 125 'own.jar' "a file of the snapshot changed" "$jsnap" restore --tids $tids "$dir/own.jsnap"
cp -p away.jar own.jar

# A snapshot in the store that is damaged: run starts cold and says so, restore fails, with and without
# the hot copy, which is whole still. The copy is trusted no more than the image it was made from.
"$jsnap" checkpoint --store "$dir/store" --tids $tids -jar "$cache/tiny.jar" "$port" </dev/null >checkpoint.out 2>checkpoint.err ||
	fail "jsnap checkpoint exited with $?"
image=$(find store -name '*.jsnap')
cp -p "$image" whole.jsnap
dd if=/dev/urandom of="$image" bs=1 seek=$(($(stat -c %s "$image") / 2)) count=64 conv=notrunc status=none
for hot in on off; do
	refused 125 'damaged|checksum|corrupt' "a damaged image, --hot-copy $hot" "$jsnap" restore --hot-copy $hot --tids $tids "$image"
	start_timed cold-$hot "$port" "$path" "${run[@]}" --hot-copy $hot --no-checkpoint -jar "$cache/tiny.jar" "$port"
	said cold-$hot "jsnap: cold start: the snapshot could not be restored" "a damaged snapshot"
	stop "$pid" TERM
	expect "the exit status after SIGTERM" $status 143
done
# Put back, with another time: it is read in full, and good again.
cp whole.jsnap "$image"
before=$(stat -c %i "$(find store -name '*.hot')")
for what in read copied; do
	start_timed $what "$port" "$path" "${run[@]}" -jar "$cache/tiny.jar" "$port"
	said $what "jsnap: restored" "a snapshot put back"
	stop "$pid" TERM
	after=$(stat -c %i "$(find store -name '*.hot')")
	[ $what = read ] || expect "the hot copy made from it" "$after" "$before"
	[ $what = copied ] || [ "$after" != "$before" ] || fail "the hot copy was not made anew"
	before=$after
done
say "$checked refusals"
nothing_left
