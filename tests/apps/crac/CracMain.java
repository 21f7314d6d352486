import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.crac.CheckpointException;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;
import org.crac.RestoreException;

/**
 * The contract of org.crac, one clause for each mode; prints what happens, line by line. CracMain MODE
 */
public final class CracMain {
	private static final List<Object> keep = new ArrayList<>();

	static class Told implements Resource {
		final String name;

		Told(String name) {
			this.name = name;
			keep.add(this);
		}

		@Override
		public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
			say("before " + name);
		}

		@Override
		public void afterRestore(Context<? extends Resource> context) throws Exception {
			say("after " + name);
		}
	}

	/** A context of the application's own: first come, first told, and all of its exceptions in one. */
	static class Nested extends Context<Resource> {
		private final List<Resource> members = new ArrayList<>();
		private final String words;

		Nested(String words) {
			this.words = words;
			keep.add(this);
		}

		@Override
		public void register(Resource resource) {
			members.add(resource);
		}

		@Override
		public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
			CheckpointException all = words == null ? new CheckpointException() : new CheckpointException(words);
			for (Resource member : members)
				try {
					member.beforeCheckpoint(this);
				} catch (Exception e) {
					all.addSuppressed(e);
				}
			if (all.getSuppressed().length > 0)
				throw all;
		}

		@Override
		public void afterRestore(Context<? extends Resource> context) throws RestoreException {
			RestoreException all = words == null ? new RestoreException() : new RestoreException(words);
			for (Resource member : members)
				try {
					member.afterRestore(this);
				} catch (Exception e) {
					all.addSuppressed(e);
				}
			if (all.getSuppressed().length > 0)
				throw all;
		}
	}

	static class Failing extends Told {
		private final boolean before, after;

		Failing(String name, boolean before, boolean after) {
			super(name);
			this.before = before;
			this.after = after;
		}

		@Override
		public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
			super.beforeCheckpoint(context);
			if (before)
				throw new IllegalStateException(name + " will not");
		}

		@Override
		public void afterRestore(Context<? extends Resource> context) throws Exception {
			super.afterRestore(context);
			if (after)
				throw new IllegalStateException(name + " cannot");
		}
	}

	static class Hanging extends Told {
		private final boolean heedsInterrupts;
		private volatile boolean end;

		Hanging(String name, boolean heedsInterrupts) {
			super(name);
			this.heedsInterrupts = heedsInterrupts;
		}

		@Override
		public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
			say("before " + name);
			while (heedsInterrupts && !end)
				Thread.sleep(1000);
			while (!end)
				Thread.onSpinWait();
			say("let go " + name);
		}
	}

	/** An exception that throws another when it is asked what it says. */
	static class Mute extends RuntimeException {
		private static final long serialVersionUID = 1;

		@Override
		public String toString() {
			throw new IllegalStateException("no words");
		}
	}

	static class Silent extends Told {
		Silent(String name) {
			super(name);
		}

		@Override
		public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
			super.beforeCheckpoint(context);
			throw new Mute();
		}
	}

	/** As many threads as there can be. */
	static void crowd() {
		try {
			for (;;) {
				Thread thread = new Thread(() -> {
					try {
						Thread.sleep(600_000);
					} catch (InterruptedException e) {
						say("interrupted");
					}
				});
				thread.setDaemon(true);
				thread.start();
			}
		} catch (OutOfMemoryError e) {
			say("crowded");
		}
	}

	static long used() throws InterruptedException {
		for (int i = 0; i < 3; i++) {
			System.gc();
			Thread.sleep(50);
		}
		return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
	}

	static synchronized void say(String line) {
		System.out.println(line);
		System.out.flush();
	}

	static void register(Resource resource) {
		Core.getGlobalContext().register(resource);
	}

	static void snapshot() {
		try {
			Core.checkpointRestore();
			say("returned");
		} catch (CheckpointException | RestoreException e) {
			say("thrown " + e.getClass().getSimpleName());
			for (Throwable each : e.getSuppressed())
				say("suppressed " + each.getClass().getSimpleName() + " " + each.getMessage());
		}
	}

	public static void main(String[] args) throws Exception {
		switch (args[0]) {
		case "order" -> {
			for (String name : List.of("A", "B", "C"))
				register(new Told(name));
			snapshot();
		}
		case "nested", "words" -> {
			Nested nested = new Nested(args[0].equals("words") ? "in other words" : null);
			register(new Told("A"));
			register(nested);
			nested.register(new Failing("N1", true, true));
			nested.register(new Failing("N2", true, true));
			register(new Told("B"));
			snapshot();
		}
		case "before" -> {
			register(new Failing("A", true, false));
			register(new Told("B"));
			register(new Failing("C", true, true));
			snapshot();
		}
		case "after" -> {
			register(new Failing("A", false, true));
			register(new Told("B"));
			register(new Failing("C", false, true));
			snapshot();
		}
		case "registration" -> {
			register(new Told("A"));
			register(new Told("B") {
				@Override
				public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
					super.beforeCheckpoint(context);
					register(new Told("late"));
				}

				@Override
				public void afterRestore(Context<? extends Resource> context) throws Exception {
					super.afterRestore(context);
					register(new Told("too late"));
				}
			});
			register(new Told("C"));
			snapshot();
		}
		case "weak" -> {
			register(new Told("kept"));
			for (int i = 0; i < 100; i++)
				register(new Told("dropped " + i));
			Object first = keep.get(0);
			keep.clear();
			keep.add(first);
			for (int i = 0; i < 3; i++) {
				System.gc();
				Thread.sleep(50);
			}
			snapshot();
		}
		case "forgotten" -> {
			long before = used();
			for (int i = 1; i <= 400_000; i++) {
				register(new Resource() {
					@Override
					public void beforeCheckpoint(Context<? extends Resource> context) {
					}

					@Override
					public void afterRestore(Context<? extends Resource> context) {
					}
				});
				if (i % 20_000 == 0)
					System.gc();
			}
			say("grown by " + (used() - before >> 24) + " times 16 MiB");
		}
		case "again" -> {
			register(new Told("A") {
				@Override
				public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
					super.beforeCheckpoint(context);
					snapshot();
				}
			});
			snapshot();
		}
		case "twice" -> {
			register(new Told("A"));
			snapshot();
			snapshot();
		}
		case "hang" -> {
			register(new Told("A"));
			register(new Hanging("H", true));
			register(new Told("B"));
			snapshot();
		}
		case "crowded" -> {
			register(new Told("A") {
				@Override
				public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
					super.beforeCheckpoint(context);
					crowd();
				}
			});
			snapshot();
		}
		case "late" -> {
			register(new Told("A") {
				@Override
				public void beforeCheckpoint(Context<? extends Resource> context) throws Exception {
					super.beforeCheckpoint(context);
					for (long end = System.nanoTime() + 3_000_000_000L; System.nanoTime() < end;)
						Thread.onSpinWait();
				}
			});
			snapshot();
			say("interrupted " + Thread.interrupted());
		}
		case "outside", "mute", "careful" -> {
			boolean careful = args[0].equals("careful");
			register(new Told("A") {
				@Override
				public void afterRestore(Context<? extends Resource> context) throws Exception {
					if (careful)
						Thread.sleep(500);
					super.afterRestore(context);
				}
			});
			if (args[0].equals("mute"))
				register(new Silent("M"));
			register(new Told("B"));
			new java.net.ServerSocket(Integer.parseInt(args[1]), 1, java.net.InetAddress.getLoopbackAddress());
			keep.add(Thread.currentThread());
			for (int c; (c = System.in.read()) >= 0;)
				if (c == '!')
					break;
		}
		case "asked", "midway" -> {
			boolean asks = args[0].equals("midway");
			java.util.concurrent.atomic.AtomicLong requests = new java.util.concurrent.atomic.AtomicLong();
			com.sun.net.httpserver.HttpServer server = com.sun.net.httpserver.HttpServer.create(
					new java.net.InetSocketAddress(java.net.InetAddress.getLoopbackAddress(), Integer.parseInt(args[1])), 0);
			server.createContext("/", exchange -> {
				requests.incrementAndGet();
				exchange.sendResponseHeaders(204, -1);
				exchange.close();
			});
			register(new Told("A") {
				@Override
				public void beforeCheckpoint(Context<? extends Resource> context) {
					if (asks)
						server.stop(0);
					say("before" + (asks ? "" : " " + requests));
				}

				@Override
				public void afterRestore(Context<? extends Resource> context) {
					say("after" + (asks ? "" : " " + requests));
				}
			});
			server.start();
			while (asks && requests.get() < 30)
				Thread.sleep(1);
			if (asks)
				snapshot();
			while (System.in.read() != '!')
				;
		}
		case "deaf" -> {
			Hanging deaf = new Hanging("D", false);
			register(new Told("A"));
			register(deaf);
			register(new Told("B"));
			say("up");
			new java.net.ServerSocket(Integer.parseInt(args[1]), 1, java.net.InetAddress.getLoopbackAddress());
			while (System.in.read() != '!')
				;
			deaf.end = true;
			while (System.in.read() != '!')
				;
		}
		default -> throw new IllegalArgumentException(args[0]);
		}
		Collections.reverse(keep);
		say("end");
		System.exit(0);
	}
}
