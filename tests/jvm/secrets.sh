#!/bin/bash
# What a program has let go of before its snapshot is not in the image: dead Java objects, a char[] that
# was cleared, memory that native code freed (with --scrub-native), stacks below their live part. What it
# still holds is, which shows that the search finds anything.
#
# secrets.sh JDK
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode userns
[ -x "$JAVA_HOME/bin/javac" ] || skip "no javac in $JAVA_HOME"

# Markers exist nowhere but in the program's memory: it makes them from numbers. 24 characters; those on
# stacks are 8, the bytes of one long.
cat >Secrets.java <<'END'
import java.lang.reflect.Field;
import java.util.Arrays;

public class Secrets {
	static final String alphabet = "abcdefghijklmnopqrstuvwxyz";
	static Object held;

	/* The same numbers as in the script: x = x * 1103515245 + 12345 (mod 2^31), letter x >> 16. */
	static char[] marker(int seed, int length) {
		char[] text = new char[length];
		long x = seed;
		for (int i = 0; i < length; i++) {
			x = (x * 1103515245L + 12345) & 0x7fffffffL;
			text[i] = alphabet.charAt((int) (x >> 16) % 26);
		}
		return text;
	}

	static sun.misc.Unsafe unsafe() throws Exception {
		Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
		f.setAccessible(true);
		return (sun.misc.Unsafe) f.get(null);
	}

	static void nativeMemory() throws Exception {
		sun.misc.Unsafe u = unsafe();
		for (int size : new int[] { 40, 100, 500, 2000, 20000, 100000 }) {
			long[] blocks = new long[50];
			char[] text = marker(3, 24);
			for (int b = 0; b < blocks.length; b++) {
				blocks[b] = u.allocateMemory(size);
				for (int at = 16; at + 24 <= size; at += 64)
					for (int i = 0; i < 24 && at + i < size; i++)
						u.putByte(blocks[b] + at + i, (byte) text[i]);
			}
			for (long block : blocks)
				u.freeMemory(block);
		}
	}

	static long deep(int depth, long secret) {
		long a = secret, b = secret, c = secret;
		if (depth == 0)
			return a ^ b;
		return deep(depth - 1, secret) + a + b + c;
	}

	/* Below what is called later, whose frames have holes that nobody wrote. */
	static long below(int depth, int seed) {
		return depth == 0 ? deep(500, eight(seed)) : below(depth - 1, seed) + 1;
	}

	static long eight(int seed) {
		long value = 0;
		char[] text = marker(seed, 8);
		for (int i = 7; i >= 0; i--)
			value = value << 8 | text[i];
		Arrays.fill(text, '\0');
		return value;
	}

	static void dead() throws Exception {
		for (int i = 0; i < 1000; i++)
			new StringBuilder().append(marker(1, 24)).append(i).toString();
		char[] password = marker(2, 24);
		Arrays.fill(password, '\0');
		nativeMemory();
		System.out.println(below(200, 4));
		Thread t = new Thread(() -> { below(200, 4); park(); });
		t.setDaemon(true);
		t.start();
	}

	static void park() {
		try {
			Thread.sleep(Long.MAX_VALUE);
		} catch (InterruptedException e) {
		}
	}

	public static void main(String[] args) throws Exception {
		held = new String(marker(5, 24));
		dead();
		new java.io.File("ready").createNewFile();
		park();
	}
}
END
mkdir classes
"$JAVA_HOME/bin/javac" -nowarn -d classes Secrets.java 2>javac.err || fail "javac: $(cat javac.err)"

marker() { # SEED LENGTH
	local x=$1 i text= alphabet=abcdefghijklmnopqrstuvwxyz
	for ((i = 0; i < $2; i++)); do
		x=$(((x * 1103515245 + 12345) & 0x7fffffff))
		text+=${alphabet:$(((x >> 16) % 26)):1}
	done
	printf '%s\n' "$text"
}

"$jsnap" checkpoint --image "$dir/x.jsnap" --ready "file:$dir/ready" --scrub-native on --tids $tids -Xmx64m -XX:+UseSerialGC \
	-cp "$dir/classes" Secrets </dev/null >checkpoint.out 2>checkpoint.err || fail "jsnap checkpoint: $(cat checkpoint.err)"

find_marker() { # SEED LENGTH: sets `status`
	marker "$1" "$2" >text
	status=0
	"$jsnap" inspect --find @text x.jsnap >found || status=$?
}
find_marker 5 24
expect "searching a live string: $(head -n 2 found); status" $status 1
for line in "1 24 a dead string" "2 24 a cleared char[]" "3 24 freed native memory" "4 8 a stack below its live part"; do
	read -r seed length what <<<"$line"
	find_marker "$seed" "$length"
	[ $status = 0 ] || fail "$what is in the image: $(head -n 5 found)"
	say "$what: not found"
done

# From standard input, as from any object store.
marker 5 24 >text
status=0
"$jsnap" inspect --find @text - <x.jsnap >found || status=$?
expect "searching standard input" $status 1
"$jsnap" verify - <x.jsnap >v.out || fail "verify -: $(cat v.out)"
grep -q "^-: whole, and would restore here" v.out || fail "verify -: $(cat v.out)"
"$jsnap" inspect --json - <x.jsnap >json || fail "inspect -"
for key in made_for threads mappings descriptors files notes build_id; do
	grep -q "\"$key\":" json || fail "inspect --json has no $key"
done
head -c 1000 x.jsnap | "$jsnap" verify - >v.out && fail "verify - accepts the beginning of an image"

# The format as documented, by the zstd program alone.
if command -v zstd >/dev/null; then zstd_extracts x.jsnap Secrets; fi
nothing_left
