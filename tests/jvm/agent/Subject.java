import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/** The application under the agent: does what its first argument says, told line by line on stdin. */
public class Subject {
	static final int SECRET_SIZE = 48;
	static final BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
	static volatile Object sink;

	public static void main(String[] args) throws Exception {
		switch (args[0]) {
		case "park" -> park();
		case "end" -> end();
		case "secret" -> secret();
		case "churn" -> churn();
		case "critical" -> critical();
		case "environment" -> environment();
		default -> throw new IllegalArgumentException(args[0]);
		}
	}

	static void say(String line) {
		System.out.println(line);
		System.out.flush();
	}

	static void park() throws Exception {
		say("ready");
		Thread waiter = new Thread(Subject::untilTold);
		waiter.start();
		waiter.join();
		say("going on");
	}

	static void end() {
		new Thread(Subject::untilTold).start();
		say("ready");
	}

	static void untilTold() {
		try {
			in.readLine();
		} catch (IOException e) {
			throw new IllegalStateException(e);
		}
	}

	/** Byte i of a secret that no class file contains; the test computes the same. */
	static byte secretByte(int i) {
		return (byte) ('!' + (i * 37 + i * i * 11 + 5) % 89);
	}

	static byte[] secretBytes() {
		byte[] bytes = new byte[SECRET_SIZE];
		for (int i = 0; i < bytes.length; i++)
			bytes[i] = secretByte(i);
		return bytes;
	}

	/**
	 * The secret in objects that are going to be dropped, strings and arrays, few among many that stay:
	 * a collector may find it not worth moving those.
	 */
	static Object[] spread() {
		Object[] keep = new Object[2000];
		List<Object> dead = new ArrayList<>();
		for (int i = 0; i < keep.length; i++) {
			keep[i] = new int[2500];
			dead.add(secretBytes());
			dead.add(new String(secretBytes(), java.nio.charset.StandardCharsets.ISO_8859_1));
			byte[] large = new byte[i % 500 == 0 ? 3 << 20 : 4000];
			System.arraycopy(secretBytes(), 0, large, large.length / 2, SECRET_SIZE);
			if (i % 500 == 0)
				dead.add(large);
		}
		sink = dead;
		return keep;
	}

	static void secret() throws Exception {
		Object[] keep = spread();
		say("spread");
		in.readLine();
		sink = null;
		say("dropped");
		in.readLine();
		say(keep.length + " kept");
	}

	/** A graph whose links and contents can be checked for being what they were. */
	static final class Node {
		final long value;
		final Node[] links = new Node[3];
		final byte[] bytes;

		Node(long value, int size) {
			this.value = value;
			bytes = new byte[size];
			for (int i = 0; i < size; i++)
				bytes[i] = (byte) (value + i);
		}

		long sum() {
			long sum = value;
			for (int i = 0; i < bytes.length; i++)
				sum = sum * 31 + bytes[i];
			for (Node link : links)
				sum = sum * 31 + (link == null ? 7 : link.value);
			return sum;
		}
	}

	static Node[] graph(long seed) {
		Node[] nodes = new Node[4000];
		for (int i = 0; i < nodes.length; i++)
			nodes[i] = new Node(seed + i, (int) ((seed + i) % 300));
		for (int i = 0; i < nodes.length; i++)
			for (int k = 0; k < 3; k++)
				nodes[i].links[k] = nodes[(i * 17 + k * 101) % nodes.length];
		return nodes;
	}

	static long sum(Node[] nodes) {
		long sum = 0;
		for (Node node : nodes)
			sum = sum * 31 + node.sum();
		return sum;
	}

	static void allocate(AtomicInteger wrong, long seed) {
		Node[] nodes = graph(seed);
		long right = sum(nodes);
		ThreadLocalRandom random = ThreadLocalRandom.current();
		while (!Thread.currentThread().isInterrupted()) {
			/* Fresh memory must be zeros whatever was done to the pages below it. */
			for (int i = 0; i < 200; i++) {
				long[] fresh = new long[random.nextInt(2000)];
				for (long word : fresh)
					if (word != 0)
						wrong.incrementAndGet();
				java.util.Arrays.fill(fresh, -1);
				sink = fresh;
			}
			sink = new byte[1 << 20];
			if (sum(nodes) != right)
				wrong.incrementAndGet();
			if (random.nextInt(4) == 0) {
				nodes = graph(++seed);
				right = sum(nodes);
			}
			try {
				Thread.sleep(1);
			} catch (InterruptedException e) {
				return;
			}
		}
	}

	static void churn() throws Exception {
		AtomicInteger wrong = new AtomicInteger();
		Thread[] threads = new Thread[3];
		for (int i = 0; i < threads.length; i++) {
			long seed = 1000L * i;
			threads[i] = new Thread(() -> allocate(wrong, seed));
			threads[i].start();
		}
		say("ready");
		in.readLine();
		for (Thread thread : threads) {
			thread.interrupt();
			thread.join();
		}
		say("wrong " + wrong.get());
	}

	/** Threads that are nearly always inside a JNI critical section, where arrays must not move. */
	static void compress() {
		byte[] input = new byte[4 << 20], output = new byte[8 << 20];
		for (int i = 0; i < input.length; i++)
			input[i] = (byte) (i * i >> 7);
		while (!Thread.currentThread().isInterrupted()) {
			java.util.zip.Deflater deflater = new java.util.zip.Deflater(6);
			deflater.setInput(input);
			deflater.finish();
			deflater.deflate(output);
			deflater.end();
		}
	}

	static void critical() throws Exception {
		Thread[] threads = {new Thread(Subject::compress), new Thread(Subject::compress)};
		for (Thread thread : threads)
			thread.start();
		say("ready");
		in.readLine();
		for (Thread thread : threads) {
			thread.interrupt();
			thread.join();
		}
		say("done");
	}

	static void environment() throws Exception {
		Map<String, String> held = System.getenv();
		say("before " + held.get("JSNAP_TEST_OLD") + " " + held.get("JSNAP_TEST_NEW"));
		in.readLine();
		say("held " + held.get("JSNAP_TEST_OLD") + " " + held.get("JSNAP_TEST_NEW") + " " + held.size());
		say("asked " + System.getenv("JSNAP_TEST_OLD") + " " + System.getenv("JSNAP_TEST_NEW") + " "
		    + System.getenv().size());
		say("same " + (held == System.getenv()));
		Process child = new ProcessBuilder("/bin/sh", "-c", "echo $JSNAP_TEST_OLD:$JSNAP_TEST_NEW; ls -l /proc/self/fd").start();
		boolean socket = false;
		try (BufferedReader output = new BufferedReader(new InputStreamReader(child.getInputStream()))) {
			say("child " + output.readLine());
			for (String line; (line = output.readLine()) != null;)
				socket |= line.contains("socket:");
		}
		say("child has socket " + socket);
		say("property " + System.getProperty("jsnap.test"));
		in.readLine();
	}
}
