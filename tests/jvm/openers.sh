#!/bin/bash
# A rule that says error names the Java stack that opened the descriptor: files and sockets of each kind by which Java
# opens them.
#
# openers.sh JDK cap|userns
. "$(dirname "$0")/lib.sh"

use_jdk "$1"
use_mode "$2"
[ -x "$JAVA_HOME/bin/javac" ] || skip "no compiler in $JAVA_HOME"
cat >Opens.java <<'END'
import java.io.*;
import java.net.*;
import java.nio.channels.*;
import java.nio.file.*;

public class Opens {
	static Object[] keep;

	static Object in() throws Exception { return new FileInputStream("in"); }
	static Object out() throws Exception { return new FileOutputStream("out"); }
	static Object random() throws Exception { return new RandomAccessFile("random", "rw"); }
	static Object channel() throws Exception { return FileChannel.open(Path.of("channel"), StandardOpenOption.READ); }
	static Object folder() throws Exception { return Files.newDirectoryStream(Path.of("folder")); }
	static Object listener() throws Exception { return new ServerSocket(0, 5, InetAddress.getLoopbackAddress()); }
	static Object datagrams() throws Exception { return new DatagramSocket(); }
	static Object connection(ServerSocket to) throws Exception { return new Socket("127.0.0.1", to.getLocalPort()); }
	static Object accepted(ServerSocket at) throws Exception { return at.accept(); }

	public static void main(String[] args) throws Exception {
		ServerSocket l = (ServerSocket) listener();
		keep = new Object[] {l, in(), out(), random(), channel(), folder(), datagrams(), connection(l), accepted(l)};
		System.in.read();
	}
}
END
touch in random channel
mkdir folder
"$JAVA_HOME/bin/javac" -d . Opens.java

while read -r method rule; do
	timeout 120 "$jsnap" checkpoint --image "$dir/store/$method.jsnap" --tids $tids --fd-policy "$rule=error" -cp . Opens \
		<&9 >"$method.out" 2>"$method.err" && fail "$rule=error: a snapshot"
	grep -q "the policy says: error; it was opened at Opens\.$method(Opens\.java:[0-9]*), at Opens\.main(" "$method.err" ||
		fail "$rule=error: $(cat "$method.err")"
done 9< <(sleep 1000) <<END
in file:**/in
out file:**/out
random file:**/random
channel file:**/channel
folder file:**/folder
listener listen
datagrams udp
connection tcp
END
kill $! 2>/dev/null || true
snapshot_exists && fail "a snapshot"
nothing_left
