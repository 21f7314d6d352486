import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntUnaryOperator;

/**
 * A program under load that checks itself without end: whatever a checkpoint or a restore breaks
 * shows as a violated invariant, a line on standard error and exit status 3.
 *
 * StressMain [PORT [objects]]: with a port, GET /status answers one line, "ok" and the rounds each
 * worker has done, so that a test sees that all of them go on; without, the line is printed every
 * second. With "objects" it holds what {@link Objects} has as well.
 */
public final class StressMain {
	interface Round {
		void run() throws Exception;
	}

	private static final Map<String, AtomicLong> rounds = new ConcurrentHashMap<>();

	public static void main(String[] args) throws Exception {
		if (args.length > 1)
			Objects.start(StressMain::worker);
		for (int i = 0; i < 2; i++) {
			worker("allocate" + i, new Allocator(i));
			worker("transfer" + i, Bank.transfers(i));
		}
		worker("vector", new Vector());
		worker("scalar", new Scalar());
		worker("jit", new Jit());
		worker("audit", Bank::audit);
		worker("sleep", StressMain::sleepRound);
		worker("park", StressMain::parkRound);
		worker("monitor", StressMain::monitorRound);
		worker("condition", StressMain::conditionRound);
		worker("queue", StressMain::queueRound);
		worker("handoff", new Handoff());
		worker("churn", StressMain::churnRound);
		worker("direct", new Direct());
		worker("pipe", new Echo());
		schedule();
		if (args.length > 0) {
			serve(Integer.parseInt(args[0]));
			return;
		}
		while (true) {
			Thread.sleep(1000);
			System.out.println(status());
		}
	}

	/** Runs the round for ever; its first exception is the violated invariant that ends the program. */
	private static void worker(String name, Round round) {
		AtomicLong count = new AtomicLong();
		rounds.put(name, count);
		Thread thread = new Thread(() -> {
			try {
				long before = System.nanoTime();
				while (true) {
					round.run();
					long now = System.nanoTime();
					require(now - before >= 0, "nanoTime went back by %d ns", before - now);
					before = now;
					count.incrementAndGet();
				}
			} catch (Throwable t) {
				violated(name, t);
			}
		}, name);
		thread.start();
	}

	private static void violated(String name, Throwable t) {
		System.err.println("stress: violated in " + name + ": " + t);
		t.printStackTrace();
		System.err.flush();
		Runtime.getRuntime().halt(3);
	}

	static void require(boolean ok, String format, Object... args) {
		if (!ok)
			throw new IllegalStateException(String.format(format, args));
	}

	private static String status() {
		StringBuilder line = new StringBuilder("ok");
		rounds.keySet().stream().sorted().forEach(
				name -> line.append(' ').append(name).append('=').append(rounds.get(name)));
		return line.toString();
	}

	private static void serve(int port) throws IOException {
		HttpServer server = HttpServer.create(
				new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
		server.createContext("/status", exchange -> {
			byte[] line = status().getBytes(StandardCharsets.UTF_8);
			exchange.sendResponseHeaders(200, line.length);
			exchange.getResponseBody().write(line);
			exchange.close();
		});
		server.start();
	}

	/** Timed waits of every kind last at least as long as asked for. */
	static void waited(long start, long ms, String what) {
		long took = System.nanoTime() - start;
		require(took >= ms * 1_000_000 - 100_000, "%s of %d ms took %d ns", what, ms, took);
	}

	private static void sleepRound() throws InterruptedException {
		long start = System.nanoTime();
		Thread.sleep(20);
		waited(start, 20, "sleep");
	}

	private static void parkRound() {
		long start = System.nanoTime();
		// A park may end early by contract; the loop is what every user of it writes.
		while (System.nanoTime() - start < 15_000_000)
			LockSupport.parkNanos(15_000_000 - (System.nanoTime() - start));
		waited(start, 15, "park");
	}

	private static void monitorRound() throws InterruptedException {
		Object monitor = new Object();
		long start = System.nanoTime();
		synchronized (monitor) {
			while (System.nanoTime() - start < 10_000_000)
				monitor.wait(10);
		}
		waited(start, 10, "wait");
	}

	private static void conditionRound() throws InterruptedException {
		ReentrantLock lock = new ReentrantLock();
		Condition condition = lock.newCondition();
		long start = System.nanoTime();
		lock.lock();
		try {
			for (long left = 10_000_000; left > 0;)
				left = condition.awaitNanos(left);
			require(lock.isHeldByCurrentThread(), "lock lost in await");
		} finally {
			lock.unlock();
		}
		waited(start, 10, "await");
	}

	private static void queueRound() throws InterruptedException {
		BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(1);
		long start = System.nanoTime();
		require(queue.poll(10, TimeUnit.MILLISECONDS) == null, "an empty queue gave something");
		waited(start, 10, "poll");
	}

	private static void churnRound() throws InterruptedException {
		ThreadLocal<Long> local = new ThreadLocal<>();
		long[] seen = new long[1];
		Thread thread = new Thread(() -> {
			local.set(Thread.currentThread().getId());
			Thread.yield();
			seen[0] = local.get();
		});
		thread.start();
		thread.join();
		require(seen[0] == thread.getId(), "thread %d saw %d", thread.getId(), seen[0]);
		Thread.sleep(5);
	}

	private static void schedule() {
		AtomicLong count = new AtomicLong();
		rounds.put("schedule", count);
		ScheduledExecutorService executor = Executors.newScheduledThreadPool(2);
		executor.scheduleAtFixedRate(count::incrementAndGet, 0, 10, TimeUnit.MILLISECONDS);
	}

	/** Keeps a few megabytes of live blocks of known content, replaced at random. */
	private static final class Allocator implements Round {
		private final Random random;
		private final Map<Integer, long[]> live = new HashMap<>();

		Allocator(int seed) {
			random = new Random(seed);
		}

		@Override
		public void run() throws InterruptedException {
			for (int i = 0; i < 200; i++) {
				int key = random.nextInt(512);
				long[] block = live.get(key);
				if (block != null) {
					for (int j = 0; j < block.length; j++)
						require(block[j] == key * 1_000_003L + j, "block %d[%d] = %d", key, j, block[j]);
				}
				long[] fresh = new long[16 + random.nextInt(1024)];
				for (int j = 0; j < fresh.length; j++)
					fresh[j] = key * 1_000_003L + j;
				live.put(key, fresh);
			}
			Thread.sleep(2);
		}
	}

	/** Money moves between accounts under locks of two kinds; the sum stays. */
	private static final class Bank {
		private static final int ACCOUNTS = 64;
		private static final long EACH = 1000;
		private static final long[] balance = new long[ACCOUNTS];
		private static final ReentrantLock lock = new ReentrantLock();

		static {
			Arrays.fill(balance, EACH);
		}

		static Round transfers(int seed) {
			Random random = new Random(seed);
			return () -> {
				for (int i = 0; i < 500; i++) {
					int from = random.nextInt(ACCOUNTS);
					int to = random.nextInt(ACCOUNTS);
					long amount = random.nextInt(100);
					lock.lock();
					try {
						synchronized (balance) {
							balance[from] -= amount;
							balance[to] += amount;
						}
					} finally {
						lock.unlock();
					}
				}
				Thread.sleep(1);
			};
		}

		static void audit() throws InterruptedException {
			long sum = 0;
			synchronized (balance) {
				for (long b : balance)
					sum += b;
			}
			require(sum == ACCOUNTS * EACH, "the bank holds %d", sum);
			Thread.sleep(1);
		}
	}

	/** Loops the JIT turns into AVX code; the reference is computed without a loop to vectorize. */
	private static final class Vector implements Round {
		private static final int N = 4099;
		private final double[] a = new double[N], b = new double[N], r = new double[N];
		private final float[] f = new float[N], g = new float[N];
		private final int[] x = new int[N], y = new int[N];
		private final long[] expected = new long[3];

		Vector() {
			for (int i = 0; i < N; i++) {
				a[i] = Math.sqrt(i + 1);
				b[i] = 1.0 / (i + 1);
				f[i] = i * 0.25f;
				x[i] = i * 2654435;
			}
			for (int i = 0; i < N; i++) {
				expected[0] += Double.doubleToRawLongBits(one(a[i], b[i]));
				expected[1] += Float.floatToRawIntBits(two(f[i]));
				expected[2] += three(x[i]);
			}
		}

		private static double one(double a, double b) {
			return a * b + a - b;
		}

		private static float two(float f) {
			return f * 1.5f + 3.0f;
		}

		private static int three(int x) {
			return (x << 3) ^ (x * 7 + 1);
		}

		@Override
		public void run() throws InterruptedException {
			for (int k = 0; k < 20; k++) {
				for (int i = 0; i < N; i++)
					r[i] = a[i] * b[i] + a[i] - b[i];
				for (int i = 0; i < N; i++)
					g[i] = f[i] * 1.5f + 3.0f;
				for (int i = 0; i < N; i++)
					y[i] = (x[i] << 3) ^ (x[i] * 7 + 1);
			}
			long[] got = new long[3];
			for (int i = 0; i < N; i++) {
				got[0] += Double.doubleToRawLongBits(r[i]);
				got[1] += Float.floatToRawIntBits(g[i]);
				got[2] += y[i];
			}
			require(Arrays.equals(got, expected), "vector loops gave %s, not %s",
					Arrays.toString(got), Arrays.toString(expected));
			Thread.sleep(1);
		}
	}

	/** A long scalar dependency chain: its state lives in registers for the whole round. */
	private static final class Scalar implements Round {
		private double expected = Double.NaN;

		@Override
		public void run() throws InterruptedException {
			double v = 0.5;
			for (int i = 0; i < 100_000; i++)
				v = 3.9 * v * (1.0 - v);
			if (Double.isNaN(expected))
				expected = v;
			require(v == expected, "the logistic map gave %s, not %s", v, expected);
			Thread.sleep(1);
		}
	}

	/** Defines the kernel once more, heats it until it is compiled, and compares with the first. */
	private static final class Jit implements Round {
		private final byte[] code;
		private final IntUnaryOperator reference = new Kernel();

		Jit() throws IOException {
			try (InputStream in = StressMain.class.getResourceAsStream("Kernel.class")) {
				code = in.readAllBytes();
			}
		}

		@Override
		public void run() throws Exception {
			Class<?> fresh = MethodHandles.lookup().defineHiddenClass(code, true).lookupClass();
			IntUnaryOperator kernel = (IntUnaryOperator) fresh.getDeclaredConstructor().newInstance();
			for (int i = 0; i < 6000; i++) {
				int got = kernel.applyAsInt(i);
				if ((i & 255) == 0)
					require(got == reference.applyAsInt(i), "kernel(%d) = %d", i, got);
			}
			Thread.sleep(5);
		}
	}

	/** A second thread answers each number with its successor. */
	private static final class Handoff implements Round {
		private final SynchronousQueue<Integer> there = new SynchronousQueue<>();
		private final SynchronousQueue<Integer> back = new SynchronousQueue<>();
		private int next;

		Handoff() {
			worker("handoff-peer", () -> back.put(there.take() + 1));
		}

		@Override
		public void run() throws InterruptedException {
			there.put(next);
			int got = back.take();
			require(got == next + 1, "%d came back for %d", got, next);
			next++;
			Thread.sleep(1);
		}
	}

	private static final class Direct implements Round {
		private final List<ByteBuffer> buffers = new ArrayList<>();
		private long round;

		@Override
		public void run() throws InterruptedException {
			if (buffers.size() < 16)
				buffers.add(ByteBuffer.allocateDirect(64 << 10));
			for (ByteBuffer buffer : buffers) {
				long base = buffer.getLong(0);
				for (int i = 0; i < buffer.capacity(); i += 8)
					require(buffer.getLong(i) == base, "direct[%d] = %d", i, buffer.getLong(i));
				round++;
				for (int i = 0; i < buffer.capacity(); i += 8)
					buffer.putLong(i, round);
			}
			Thread.sleep(3);
		}
	}

	/** Bytes through a kernel pipe, read by a thread blocked in the kernel. */
	private static final class Echo implements Round {
		private final Pipe pipe = Pipe.open();
		private byte next;

		Echo() throws IOException {
			ByteBuffer in = ByteBuffer.allocate(64);
			byte[] expected = new byte[1];
			worker("pipe-reader", () -> {
				in.clear();
				int n = pipe.source().read(in);
				for (int i = 0; i < n; i++, expected[0]++)
					require(in.get(i) == expected[0], "byte %d, not %d", in.get(i), expected[0]);
			});
		}

		@Override
		public void run() throws Exception {
			require(pipe.sink().write(ByteBuffer.wrap(new byte[] {next})) == 1, "short write");
			next++;
			Thread.sleep(2);
		}
	}
}
