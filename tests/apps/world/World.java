import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.Timer;
import java.util.TimerTask;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.Collectors;
import javax.management.ObjectName;

/** What a program sees of its world, over HTTP: random numbers of each source, names, times. World PORT */
public final class World {
	static final int VALUES = 1000;
	static final Map<String, LongSupplier> sources = new TreeMap<>();
	/* To which nobody else may give another sequence. */
	static final Random own = new Random();
	static RandomGenerator ownGenerator;
	static final List<SecureRandom> manySecure = new ArrayList<>();
	static final Map<String, StringBuilder> drawn = new TreeMap<>();
	static final ExecutorService pool = Executors.newFixedThreadPool(3);
	static final AtomicLong scheduled = new AtomicLong(), timed = new AtomicLong();

	static final AtomicLong fired = new AtomicLong(), timerFired = new AtomicLong(), delayFired = new AtomicLong();

	static long sinceRestore() {
		return System.currentTimeMillis() - Long.parseLong(String.valueOf(call("jsnap.Program", "restoreTime")));
	}

	/* Tasks that are due once, each with a scheduler of its own: nothing else wakes that. */
	static String arm(long ms) {
		Executors.newScheduledThreadPool(1).schedule(() -> fired.set(sinceRestore()), ms, TimeUnit.MILLISECONDS);
		new Timer(true).schedule(new TimerTask() {
			@Override
			public void run() {
				timerFired.set(sinceRestore());
			}
		}, ms);
		CompletableFuture.delayedExecutor(ms, TimeUnit.MILLISECONDS).execute(() -> delayFired.set(sinceRestore()));
		return "armed";
	}

	static long bits(double value) {
		return Double.doubleToRawLongBits(value);
	}

	static SecureRandom drbg;

	static LongSupplier secure(String algorithm) throws Exception {
		SecureRandom random = SecureRandom.getInstance(algorithm);
		if (algorithm.equals("DRBG"))
			drbg = random;
		return random::nextLong;
	}

	static Field open(Class<?> type, String name) throws Exception {
		Field field = type.getDeclaredField(name);
		field.setAccessible(true);
		return field;
	}

	/**
	 * Only the first of some 100 ms would draw from the buffer that the snapshot holds (NativePRNG asks the
	 * system for new bytes then), and no restore is that early: for this one the buffer stays young.
	 */
	static void keepBuffer(String type) throws Exception {
		Object io = open(Class.forName(type), "INSTANCE").get(null);
		Field buffered = open(io.getClass(), "buffered");
		SecureRandom random = SecureRandom.getInstance(type.substring(type.lastIndexOf('.') + 1).replace("$", ""));
		do
			random.nextLong();
		while (buffered.getInt(io) < 200);
		open(io.getClass(), "lastRead").setLong(io, Long.MAX_VALUE / 2);
	}

	/** What the seed of a new Random is made from: the time is the other half, and differs anyway. */
	static LongSupplier uniquifier() throws Exception {
		AtomicLong counter = (AtomicLong) open(Random.class, "seedUniquifier").get(null);
		return () -> {
			new Random();
			return counter.get();
		};
	}

	static long shuffled() {
		List<Integer> list = new ArrayList<>();
		for (int i = 0; i < 20; i++)
			list.add(i);
		Collections.shuffle(list);
		long order = 0;
		for (int i : list)
			order = order * 20 + i;
		return order;
	}

	/** Virtual threads, where there are: one that waits, its carrier gone on, and one that is pinned. */
	static void startVirtual(Runnable action) throws ReflectiveOperationException {
		Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, action);
	}

	/** All values at one go: JDK 21 at times forgets to run a virtual thread while another one is pinned. */
	static LongSupplier inVirtualThread() throws ReflectiveOperationException {
		SynchronousQueue<String> questions = new SynchronousQueue<>();
		SynchronousQueue<long[]> answers = new SynchronousQueue<>();
		Queue<Long> values = new ArrayDeque<>();
		startVirtual(() -> {
			try {
				while (!questions.take().isEmpty())
					answers.put(ThreadLocalRandom.current().longs(VALUES).toArray());
			} catch (InterruptedException e) {
				/* it ends */
			}
		});
		return () -> {
			try {
				if (values.isEmpty()) {
					questions.put("next");
					for (long value : answers.take())
						values.add(value);
				}
				return values.remove();
			} catch (InterruptedException e) {
				throw new IllegalStateException(e);
			}
		};
	}

	/** When and what. */
	static final Queue<long[]> drawnPinned = new ConcurrentLinkedQueue<>();

	/** Draws all the time, whoever asks. A static initializer is native code to a virtual thread. */
	static final class Pinned {
		static {
			for (int i = 0; i < 100_000; i++) {
				drawnPinned.add(new long[] {System.currentTimeMillis(), ThreadLocalRandom.current().nextLong()});
				LockSupport.parkNanos(1_000_000);
			}
		}

		static void run() {
		}
	}

	static String pinned(long since) {
		return drawnPinned.stream().filter(d -> d[0] > since).limit(VALUES)
				.map(d -> Long.toHexString(d[1]) + "\n").collect(Collectors.joining());
	}

	/** A load is at most 1, of time that had not passed before it was asked last. */
	static boolean loadIsALoad() {
		return ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class)
				.getProcessCpuLoad() <= 1;
	}

	/** The working folder by each of those who know it. */
	static String folders() {
		return System.getProperty("user.dir") + " " + new File("a").getAbsoluteFile().getParent() + " "
				+ Path.of("b").toAbsolutePath().getParent();
	}

	/* One that is in the midst of drawing when it is stopped does this when it goes on. */
	static void countOn(SecureRandom drbg) throws Exception {
		Object spi = open(SecureRandom.class, "secureRandomSpi").get(drbg);
		Object mechanism = open(spi.getClass(), "impl").get(spi);
		Field counter = open(Class.forName("sun.security.provider.AbstractDrbg"), "reseedCounter");
		counter.setInt(mechanism, counter.getInt(mechanism) + 1);
	}

	/** What a thread sees that runs as soon as there has been a restore. */
	static volatile String first = "";

	static void watch() throws Exception {
		while (String.valueOf(call("jsnap.Program", "restoreTime")).equals("-1"))
			Thread.onSpinWait();
		countOn(drbg);
		boolean load = loadIsALoad();
		String property = System.getProperty("who"), variable = System.getenv("FRESH");
		String zone = TimeZone.getDefault().getID(), folder = folders();
		String address;
		try {
			address = InetAddress.getByName("some.name.test").getHostAddress();
		} catch (IOException e) {
			address = "none";
		}
		first = variable + " " + property + " " + zone + " " + folder + " " + load + " " + address;
	}

	/** Of two values that nextGaussian makes it keeps one, for whichever thread asks next. */
	static void keepGaussian() throws Exception {
		ThreadLocalRandom random = ThreadLocalRandom.current();
		do
			random.nextGaussian();
		while (!open(Random.class, "haveNextNextGaussian").getBoolean(random));
	}

	/** Right before the snapshot. */
	static String poise() throws Exception {
		keepGaussian();
		loadIsALoad();
		keepBuffer("sun.security.provider.NativePRNG");
		keepBuffer("sun.security.provider.NativePRNG$NonBlocking");
		new Thread(() -> {
			try {
				watch();
			} catch (Exception e) {
				first = e.toString();
			}
		}).start();
		if (Runtime.version().feature() >= 21)
			startVirtual(Pinned::run);
		return "poised";
	}

	static LongSupplier inPool() {
		return () -> {
			try {
				return pool.submit(() -> ThreadLocalRandom.current().nextLong()).get();
			} catch (Exception e) {
				throw new IllegalStateException(e);
			}
		};
	}

	static void openSources() throws Exception {
		sources.put("Math.random", () -> bits(Math.random()));
		sources.put("ThreadLocalRandom", () -> ThreadLocalRandom.current().nextLong());
		sources.put("ThreadLocalRandom-pool", inPool());
		sources.put("ThreadLocalRandom.nextGaussian", () -> bits(ThreadLocalRandom.current().nextGaussian()));
		sources.put("StrictMath.random", () -> bits(StrictMath.random()));
		sources.put("Collections.shuffle", World::shuffled);
		sources.put("new-Random", uniquifier());
		if (RandomGeneratorFactory.all().anyMatch(f -> f.name().equals("L64X128MixRandom")))
			sources.put("RandomGenerator", () -> RandomGenerator.of("L64X128MixRandom").nextLong());
		if (sources.containsKey("RandomGenerator"))
			ownGenerator = RandomGenerator.of("L64X128MixRandom");
		for (int i = 0; i < 64; i++)
			manySecure.add(new SecureRandom());
		if (Runtime.version().feature() >= 21)
			sources.put("virtual-thread", inVirtualThread());
		sources.put("new-SplittableRandom", () -> new SplittableRandom().nextLong());
		sources.put("UUID", () -> UUID.randomUUID().getMostSignificantBits());
		SecureRandom standard = new SecureRandom();
		sources.put("SecureRandom", standard::nextLong);
		for (String algorithm : List.of("NativePRNG", "NativePRNGNonBlocking", "SHA1PRNG", "DRBG"))
			sources.put(algorithm, secure(algorithm));
		sources.put("new-thread", () -> {
			long[] value = new long[1];
			Thread thread = new Thread(() -> value[0] = ThreadLocalRandom.current().nextLong());
			thread.start();
			try {
				thread.join();
			} catch (InterruptedException e) {
				throw new IllegalStateException(e);
			}
			return value[0];
		});
		/* All of them in use before the snapshot. */
		drawer.submit(World::draw).get();
	}

	static final ExecutorService drawer = Executors.newSingleThreadExecutor();

	/** By turns: some have a state in common that lasts for a few values. Each time in the same thread. */
	static String draw() {
		drawn.clear();
		for (int i = 0; i < VALUES; i++)
			sources.forEach((name, source) -> drawn.computeIfAbsent(name, n -> new StringBuilder())
					.append(Long.toHexString(source.getAsLong())).append('\n'));
		return "drawn";
	}

	static Object call(String type, String method) {
		try {
			Object result = Class.forName(type).getMethod(method).invoke(null);
			return result instanceof Object[] array ? String.join("|", (String[]) array) : result;
		} catch (ReflectiveOperationException e) {
			return e.toString();
		}
	}

	static Object bean(String attribute) {
		try {
			return ManagementFactory.getPlatformMBeanServer()
					.getAttribute(new ObjectName("jdk.management:type=CRaC"), attribute);
		} catch (Exception e) {
			return e.toString();
		}
	}

	static String consistent() {
		ProcessHandle self = ProcessHandle.current();
		return self.isAlive() + " " + ProcessHandle.of(self.pid()).map(self::equals).orElse(false) + " "
				+ (self.pid() == ManagementFactory.getRuntimeMXBean().getPid()) + " "
				+ (System.currentTimeMillis() - self.info().startInstant().get().toEpochMilli() < 60_000);
	}

	static String ask(String what, String name) throws Exception {
		return switch (what) {
		case "/draw" -> drawer.submit(World::draw).get();
		case "/random" -> drawn.get(name).toString();
		case "/pinned" -> pinned(Long.parseLong(name));
		case "/poise" -> poise();
		case "/first" -> first;
		case "/sources" -> String.join("\n", sources.keySet());
		case "/env" -> String.valueOf(System.getenv(name));
		case "/property" -> String.valueOf(System.getProperty(name));
		case "/arguments" -> String.valueOf(call("jsnap.Program", "arguments"));
		case "/restored" -> String.valueOf(call("jsnap.Program", "restoreTime"));
		case "/bean" -> String.valueOf(bean(name));
		case "/host" -> InetAddress.getLocalHost().getHostName();
		case "/lookup" -> InetAddress.getByName(name).getHostAddress();
		case "/folders" -> folders();
		case "/zone" -> TimeZone.getDefault().getID() + " " + java.time.ZoneId.systemDefault() + " "
				+ new Date(0).toString();
		case "/process" -> consistent();
		case "/arm" -> arm(Long.parseLong(name));
		case "/fired" -> fired.get() + " " + timerFired.get() + " " + delayFired.get() + " " + sinceRestore();
		case "/ticks" -> scheduled.get() + " " + timed.get();
		case "/processors" -> String.valueOf(Runtime.getRuntime().availableProcessors());
		case "/up" -> "up";
		default -> "?";
		};
	}

	static void answer(HttpExchange exchange) throws IOException {
		byte[] bytes;
		try {
			bytes = ask(exchange.getRequestURI().getPath(), exchange.getRequestURI().getQuery())
					.getBytes(StandardCharsets.UTF_8);
		} catch (Exception e) {
			bytes = e.toString().getBytes(StandardCharsets.UTF_8);
		}
		exchange.sendResponseHeaders(200, bytes.length);
		exchange.getResponseBody().write(bytes);
		exchange.close();
	}

	public static void main(String[] args) throws Exception {
		openSources();
		TimeZone.getDefault();
		ManagementFactory.getPlatformMBeanServer();
		ProcessHandle.current();
		for (String name : List.of("localhost"))
			InetAddress.getByName(name);
		InetAddress.getLocalHost();
		ScheduledExecutorService scheduler = Executors.newScheduledThreadPool(1);
		scheduler.scheduleAtFixedRate(scheduled::incrementAndGet, 200, 200, TimeUnit.MILLISECONDS);
		new Timer(true).scheduleAtFixedRate(new TimerTask() {
			@Override
			public void run() {
				timed.incrementAndGet();
			}
		}, 200, 200);
		HttpServer server = HttpServer.create(
				new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0])), 0);
		server.createContext("/", World::answer);
		server.setExecutor(Executors.newFixedThreadPool(4));
		server.start();
	}
}
