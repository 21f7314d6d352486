import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.Timer;
import java.util.TimerTask;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import javax.management.ObjectName;

/** What a program sees of its world, over HTTP: random numbers of each source, names, times. World PORT */
public final class World {
	static final int VALUES = 1000;
	static final Map<String, LongSupplier> sources = new TreeMap<>();
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

	static LongSupplier secure(String algorithm) throws Exception {
		SecureRandom random = SecureRandom.getInstance(algorithm);
		return random::nextLong;
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
		sources.put("new-Random", () -> new Random().nextLong());
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
		for (LongSupplier source : sources.values())
			for (int i = 0; i < 8; i++)
				source.getAsLong();
	}

	static String values(String source) {
		StringBuilder text = new StringBuilder();
		LongSupplier supplier = sources.get(source);
		for (int i = 0; i < VALUES; i++)
			text.append(Long.toHexString(supplier.getAsLong())).append('\n');
		return text.toString();
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
		case "/random" -> values(name);
		case "/sources" -> String.join("\n", sources.keySet());
		case "/env" -> String.valueOf(System.getenv(name));
		case "/property" -> String.valueOf(System.getProperty(name));
		case "/arguments" -> String.valueOf(call("jsnap.Program", "arguments"));
		case "/restored" -> String.valueOf(call("jsnap.Program", "restoreTime"));
		case "/bean" -> String.valueOf(bean(name));
		case "/host" -> InetAddress.getLocalHost().getHostName();
		case "/lookup" -> InetAddress.getByName(name).getHostAddress();
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
