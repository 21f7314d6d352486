import io.agroal.pool.Agroal;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TimeZone;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/** The application under the agent: does what its first argument says, told line by line on stdin. */
public class Subject {
	static final int SECRET_SIZE = 48;
	static final BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
	static final int DRAWING_CYCLES = 40; /* the test has as many */
	static volatile Object sink;

	public static void main(String[] args) throws Exception {
		switch (args[0]) {
		case "park" -> park();
		case "end" -> end();
		case "secret" -> secret();
		case "churn" -> churn();
		case "critical" -> critical();
		case "environment" -> environment();
		case "initializer" -> initializer();
		case "random" -> random();
		case "drawing" -> drawing();
		case "at-once-derived", "at-once-chosen", "at-once-property", "at-once-owned", "at-once-owned-virtual" -> atOnce(args[0].substring(8));
		case "late-zone" -> lateZone();
		case "crowd" -> crowd();
		case "lender" -> lender();
		case "tasks" -> tasks();
		case "virtual" -> virtual();
		case "asking" -> asking();
		default -> throw new IllegalArgumentException(args[0]);
		}
	}

	static void say(String line) {
		System.out.println(line);
		System.out.flush();
	}

	/** Draws, and counts the times that its seed is not the next one. */
	static void drawOn(java.lang.reflect.Field field, int own, AtomicIntegerArray drawn, int[] jumped) {
		try {
			Thread self = Thread.currentThread();
			long step = 0, last = 0;
			for (int i = 0; sink == null; i++) {
				ThreadLocalRandom.current().nextLong();
				long seed = field.getLong(self);
				if (i == 1)
					step = seed - last;
				else if (i > 1 && seed - last != step)
					jumped[own]++;
				last = seed;
				drawn.incrementAndGet(own);
			}
		} catch (ReflectiveOperationException e) {
			throw new IllegalStateException(e);
		}
	}

	static void untilAllDraw(AtomicIntegerArray drawn) throws InterruptedException {
		for (int i = 0; i < drawn.length(); i++)
			for (int then = drawn.get(i); drawn.get(i) < then + 3;)
				Thread.sleep(1);
	}

	/** Threads that draw all the time; at the end, how often the seed of each was made anew. */
	static void drawing() throws Exception {
		java.lang.reflect.Field field = Thread.class.getDeclaredField("threadLocalRandomSeed");
		field.setAccessible(true);
		AtomicIntegerArray drawn = new AtomicIntegerArray(4);
		int[] jumped = new int[drawn.length()];
		List<Thread> threads = new ArrayList<>();
		for (int i = 0; i < jumped.length; i++) {
			int own = i;
			threads.add(new Thread(() -> drawOn(field, own, drawn, jumped)));
		}
		threads.forEach(Thread::start);
		for (int i = 0; i <= DRAWING_CYCLES; i++) {
			untilAllDraw(drawn);
			say("drawn");
			in.readLine();
		}
		sink = jumped;
		for (Thread thread : threads)
			thread.join();
		say("jumped " + Arrays.stream(jumped).sum());
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

	/** A thread that stands in a static initializer of the JDK's for ever: it opens a FIFO that nobody writes to. */
	/** Asks for a snapshot for each line; says who tells its resource of what. */
	static void asking() throws Exception {
		Class<?> resource = Class.forName("jsnap.crac.Resource");
		Class<?> core = Class.forName("jsnap.crac.Core");
		sink = Proxy.newProxyInstance(null, new Class<?>[] {resource}, (proxy, method, args) -> {
			say(method.getName() + " by " + Thread.currentThread().getName());
			return null;
		});
		Class.forName("jsnap.crac.Context").getMethod("register", resource)
				.invoke(core.getMethod("getGlobalContext").invoke(null), sink);
		say("ready");
		while (!in.readLine().equals("end"))
			core.getMethod("checkpointRestore").invoke(null);
	}

	static void initializer() throws Exception {
		say("ready");
		in.readLine();
		Thread thread = new Thread(() -> sink = new SplittableRandom());
		thread.setDaemon(true);
		thread.start();
		while (Arrays.stream(thread.getStackTrace()).noneMatch(f -> f.getMethodName().contains("open0")))
			Thread.sleep(1);
		say("initializing");
		in.readLine();
		say("going on");
	}

	static void random() throws Exception {
		say("ready");
		in.readLine();
		sink = new SplittableRandom();
		say("initialized");
		in.readLine();
	}

	static Object program(String method) {
		try {
			return Class.forName("jsnap.Program").getMethod(method).invoke(null);
		} catch (ReflectiveOperationException e) {
			throw new IllegalStateException(e);
		}
	}

	static void choose(String what) {
		TimeZone.getDefault();
		switch (what) {
		case "chosen" -> TimeZone.setDefault(TimeZone.getTimeZone(System.getenv("TZ")));
		case "property" -> {
			System.setProperty("user.timezone", "America/Lima");
			TimeZone.setDefault(null);
			TimeZone.getDefault();
		}
		default -> { }
		}
	}

	/** Of the platform where there are no virtual ones (before JDK 21). */
	static Thread start(Runnable body, boolean virtual) {
		if (virtual && Runtime.version().feature() >= 21)
			return startVirtual(body);
		Thread thread = new Thread(body);
		thread.start();
		return thread;
	}

	/** What a thread sees that runs as soon as there has been a restore. */
	static void atOnce(String what) throws Exception {
		choose(what);
		Object owned = what.startsWith("owned") ? System.getProperties() : new Object();
		Runnable body = () -> {
			synchronized (owned) {
				say("ready " + TimeZone.getDefault().getID());
				while ((Long) program("restoreTime") < 0)
					Thread.onSpinWait();
				if (owned == System.getProperties())
					return;
				String property = System.getProperty("jsnap.test");
				String zone = TimeZone.getDefault().getID();
				String variable = System.getenv("JSNAP_TEST_NEW");
				say("at once " + property + " " + zone + " " + variable);
			}
		};
		start(body, what.endsWith("virtual")).join();
		in.readLine();
		say("later " + System.getProperty("jsnap.test") + " " + TimeZone.getDefault().getID());
		in.readLine();
	}

	/** Its default is made when the class has been in use for long. */
	static void lateZone() throws Exception {
		sink = TimeZone.getTimeZone("UTC");
		say("ready");
		in.readLine();
		say("made " + TimeZone.getDefault().getID());
		in.readLine();
		say("then " + TimeZone.getDefault().getID());
	}

	/** Pools that are told to look at what they lend, until what they have is gone. */
	static void lender() throws Exception {
		try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
				Socket socket = new Socket(other.getInetAddress(), other.getLocalPort())) {
			Agroal pools = new Agroal(socket);
			say("looks " + pools.looks());
			in.readLine();
			say("looks " + pools.looks());
			pools.end();
			while (pools.looks().startsWith("true"))
				Thread.sleep(10);
			say("looks " + pools.looks());
		}
	}

	/** More tasks than the agent looks after, and none of them due. */
	static void crowd() throws Exception {
		ScheduledExecutorService executor = Executors.newScheduledThreadPool(1);
		for (int i = 0; i < 1_000_002; i++)
			executor.schedule(Subject::untilTold, 1, TimeUnit.DAYS);
		say("ready");
		in.readLine();
		executor.shutdownNow();
	}

	static TimerTask timerTask(Runnable action) {
		return new TimerTask() {
			@Override
			public void run() {
				action.run();
			}
		};
	}

	/** When tasks run first, in milliseconds since the restore. */
	static void tasks() throws Exception {
		final long due = 1500;
		say("ready");
		in.readLine();
		Map<String, Object> ran = new ConcurrentSkipListMap<>();
		CountDownLatch all = new CountDownLatch(7);
		Function<String, Runnable> task = name -> () -> {
			if (ran.putIfAbsent(name, program("uptimeSinceRestore")) == null)
				all.countDown();
		};
		ScheduledExecutorService executor = Executors.newScheduledThreadPool(1);
		executor.schedule(task.apply("once"), due, TimeUnit.MILLISECONDS);
		executor.scheduleWithFixedDelay(task.apply("delay"), due, due, TimeUnit.MILLISECONDS);
		executor.scheduleAtFixedRate(task.apply("rate"), due, due, TimeUnit.MILLISECONDS);
		CompletableFuture.delayedExecutor(due, TimeUnit.MILLISECONDS).execute(task.apply("future"));
		new Timer(true).schedule(timerTask(task.apply("timer-once")), due);
		new Timer(true).schedule(timerTask(task.apply("timer-delay")), due, due);
		new Timer(true).scheduleAtFixedRate(timerTask(task.apply("timer-rate")), due, due);
		say("armed");
		all.await();
		executor.shutdownNow();
		for (Map.Entry<String, Object> entry : ran.entrySet())
			say(entry.getKey() + " " + entry.getValue());
	}

	/** Counts in a file, pinned: a static initializer is native code to a virtual thread. */
	static final class Pinned {
		static MappedByteBuffer counter;

		static final class Initializer {
			static {
				while (counter.getInt(4) == 0) {
					counter.putInt(0, counter.getInt(0) + 1);
					LockSupport.parkNanos(100_000);
				}
			}
		}

		static void run() {
			new Initializer();
		}
	}

	static Thread startVirtual(Runnable action) {
		try {
			return (Thread) Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, action);
		} catch (ReflectiveOperationException e) {
			throw new IllegalStateException(e);
		}
	}

	static void virtual() throws Exception {
		try (RandomAccessFile file = new RandomAccessFile(System.getenv("JSNAP_TEST_COUNTER"), "rw")) {
			Pinned.counter = file.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, 8);
		}
		AtomicInteger running = new AtomicInteger();
		if (Runtime.version().feature() < 21) {
			say("none");
			return;
		}
		startVirtual(Pinned::run);
		for (int i = 0; i < 50; i++)
			startVirtual(() -> {
				running.incrementAndGet();
				while (Pinned.counter.getInt(4) == 0)
					LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(1_000_000));
				running.decrementAndGet();
			});
		while (running.get() < 50 || Pinned.counter.getInt(0) == 0)
			Thread.sleep(1);
		say("ready");
		in.readLine();
		Pinned.counter.putInt(4, 1);
		while (running.get() > 0)
			Thread.sleep(1);
		say("ended");
	}
}
