import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.lang.invoke.MethodHandles;
import java.lang.ref.WeakReference;
import java.lang.reflect.Field;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.ToIntFunction;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * What a Java program holds besides threads and locks: a graph in the heap, memory mapped and
 * allocated behind the VM's back, files, Unix sockets, classes that come and go, code that is thrown
 * away, and from Java 21 on virtual threads, parked, asleep and pinned.
 */
final class Objects {
	private Objects() {
	}

	static void start(BiConsumer<String, StressMain.Round> worker) throws Exception {
		Path folder = Files.createTempDirectory("stress");
		worker.accept("graph", new Graph());
		worker.accept("mapped", new Mapped(folder.resolve("mapped")));
		worker.accept("unsafe", new OffHeap());
		worker.accept("file", new Records(folder.resolve("records")));
		worker.accept("unix", new UnixEcho(folder.resolve("socket")));
		worker.accept("zip", new Zip());
		worker.accept("loading", new Loading());
		worker.accept("trap", new Traps());
		VirtualThreads virtual = VirtualThreads.find();
		if (virtual != null)
			worker.accept("virtual", virtual);
	}

	/** Nodes that refer to each other at random; its checksum is known at any time. */
	private static final class Graph implements StressMain.Round {
		private static final int NODES = 20_000;

		private static final class Node {
			int value;
			String name;
			Node[] next;
			Object extra;
		}

		private final Random random = new Random(7);
		private final Node[] nodes = new Node[NODES];
		private final WeakReference<Node[]> weak = new WeakReference<>(nodes);
		private long expected;

		Graph() {
			for (int i = 0; i < NODES; i++)
				nodes[i] = new Node();
			for (int i = 0; i < NODES; i++)
				change(i);
			expected = sum();
		}

		private void change(int i) {
			Node node = nodes[i];
			node.value = random.nextInt();
			node.name = "node" + node.value;
			node.next = new Node[random.nextInt(4)];
			for (int k = 0; k < node.next.length; k++)
				node.next[k] = nodes[random.nextInt(NODES)];
			node.extra = (i & 3) == 0 ? new long[] {i, node.value} : Map.of(i, node.value);
		}

		private long sumOf(int i) {
			Node node = nodes[i];
			long sum = node.value * 31L + node.name.hashCode();
			for (Node next : node.next)
				sum = sum * 31 + System.identityHashCode(next);
			if (node.extra instanceof long[] pair)
				sum = sum * 31 + pair[0] * pair[1];
			else
				sum = sum * 31 + ((Map<?, ?>) node.extra).hashCode();
			return sum;
		}

		private long sum() {
			long sum = 0;
			for (int i = 0; i < NODES; i++)
				sum += sumOf(i);
			return sum;
		}

		@Override
		public void run() throws InterruptedException {
			StressMain.require(sum() == expected, "the graph's sum is not %d", expected);
			for (int i = 0; i < 500; i++) {
				int at = random.nextInt(NODES);
				expected -= sumOf(at);
				change(at);
				expected += sumOf(at);
			}
			StressMain.require(weak.get() == nodes, "the weak reference was cleared");
			Thread.sleep(20);
		}
	}

	/** A shared mapping of a file, which its channel reads too. */
	private static final class Mapped implements StressMain.Round {
		private static final int SIZE = 4 << 20;

		private final FileChannel channel;
		private final MappedByteBuffer buffer;
		private final byte[] expected = new byte[SIZE];
		private final Random random = new Random(11);

		Mapped(Path file) throws IOException {
			channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ,
					StandardOpenOption.WRITE);
			buffer = channel.map(FileChannel.MapMode.READ_WRITE, 0, SIZE);
		}

		@Override
		public void run() throws Exception {
			byte[] bytes = new byte[1 + random.nextInt(5000)];
			int at = random.nextInt(SIZE - bytes.length);
			random.nextBytes(bytes);
			buffer.put(at, bytes);
			System.arraycopy(bytes, 0, expected, at, bytes.length);
			ByteBuffer read = ByteBuffer.allocate(8192);
			int from = random.nextInt(SIZE - 8192);
			channel.read(read, from);
			StressMain.require(Arrays.equals(read.array(), 0, 8192, expected, from, from + 8192),
					"the file differs from its mapping at %d", from);
			byte[] mapped = new byte[8192];
			buffer.get(from, mapped);
			StressMain.require(Arrays.equals(mapped, 0, 8192, expected, from, from + 8192),
					"the mapping differs at %d", from);
			Thread.sleep(2);
		}
	}

	/** Memory of sun.misc.Unsafe, some of it kept, and swaps in it. */
	private static final class OffHeap implements StressMain.Round {
		private static final int BLOCKS = 64;
		private static final int SIZE = 100_000;

		private final sun.misc.Unsafe unsafe;
		private final long[] blocks = new long[BLOCKS];
		private final long[] marks = new long[BLOCKS];
		private final Random random = new Random(13);

		OffHeap() throws ReflectiveOperationException {
			Field field = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
			field.setAccessible(true);
			unsafe = (sun.misc.Unsafe) field.get(null);
		}

		@Override
		public void run() throws InterruptedException {
			int i = random.nextInt(BLOCKS);
			if (blocks[i] != 0) {
				for (int at = 0; at < SIZE; at += 8)
					StressMain.require(unsafe.getLong(blocks[i] + at) == marks[i] + at,
							"block %d differs at %d", i, at);
				unsafe.freeMemory(blocks[i]);
			}
			blocks[i] = unsafe.allocateMemory(SIZE);
			marks[i] = random.nextLong();
			for (int at = 0; at < SIZE; at += 8)
				unsafe.putLong(blocks[i] + at, marks[i] + at);
			StressMain.require(unsafe.compareAndSwapLong(null, blocks[i], marks[i], marks[i]),
					"a compare-and-swap failed");
			Thread.sleep(1);
		}
	}

	/** Records at random places of one file, and lines at the end of another. */
	private static final class Records implements StressMain.Round {
		private final RandomAccessFile file;
		private final FileChannel log;
		private final Map<Integer, Long> written = new HashMap<>();
		private final Random random = new Random(17);
		private long lines;

		Records(Path path) throws IOException {
			file = new RandomAccessFile(path.toFile(), "rw");
			log = FileChannel.open(Path.of(path + ".log"), StandardOpenOption.CREATE,
					StandardOpenOption.APPEND);
		}

		@Override
		public void run() throws Exception {
			int at = random.nextInt(4000);
			file.seek(at * 8L);
			if (written.containsKey(at)) {
				long got = file.readLong();
				StressMain.require(got == written.get(at), "record %d is %d", at, got);
				StressMain.require(file.getFilePointer() == at * 8L + 8, "the offset moved");
				file.seek(at * 8L);
			}
			long value = random.nextLong();
			file.writeLong(value);
			written.put(at, value);
			log.write(StandardCharsets.US_ASCII.encode(String.format("line %010d\n", lines++)));
			StressMain.require(log.size() == lines * 16, "the log has %d bytes", log.size());
			Thread.sleep(2);
		}
	}

	/** Both ends of a Unix socket; what is sent arrives, in order. */
	private static final class UnixEcho implements StressMain.Round {
		private final SocketChannel near;
		private final SocketChannel far;
		private final Random random = new Random(19);

		UnixEcho(Path path) throws IOException {
			ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
			server.bind(UnixDomainSocketAddress.of(path));
			near = SocketChannel.open(UnixDomainSocketAddress.of(path));
			far = server.accept();
			server.close();
		}

		@Override
		public void run() throws Exception {
			byte[] bytes = new byte[1 + random.nextInt(2000)];
			random.nextBytes(bytes);
			near.write(ByteBuffer.wrap(bytes));
			if (random.nextInt(4) == 0)
				Thread.sleep(2); /* unread for a while */
			ByteBuffer got = ByteBuffer.allocate(bytes.length);
			while (got.hasRemaining())
				StressMain.require(far.read(got) > 0, "the Unix socket ended");
			StressMain.require(Arrays.equals(got.array(), bytes), "the Unix socket changed bytes");
		}
	}

	/** Native code that holds arrays critically, and an intrinsic checksum. */
	private static final class Zip implements StressMain.Round {
		private final Random random = new Random(23);
		private final byte[] bytes = new byte[200_000];

		@Override
		public void run() throws Exception {
			Deflater deflater = new Deflater(1 + random.nextInt(9));
			Inflater inflater = new Inflater();
			byte[] packed = new byte[bytes.length + 1000];
			byte[] back = new byte[bytes.length];
			for (int i = 0; i < 20_000; i++)
				bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(32);
			deflater.setInput(bytes);
			deflater.finish();
			int size = deflater.deflate(packed);
			inflater.setInput(packed, 0, size);
			int got = inflater.inflate(back);
			StressMain.require(got == bytes.length && Arrays.equals(back, bytes), "inflated wrong");
			CRC32 one = new CRC32();
			CRC32 two = new CRC32();
			one.update(bytes);
			two.update(ByteBuffer.allocateDirect(bytes.length).put(back).flip());
			StressMain.require(one.getValue() == two.getValue(), "the checksums differ");
			deflater.end();
			inflater.end();
			Thread.sleep(20);
		}
	}

	private static byte[] codeOf(String name) throws IOException {
		try (InputStream in = Objects.class.getResourceAsStream(name + ".class")) {
			return in.readAllBytes();
		}
	}

	/** A class loader of its own each time, whose class is initialized, used and forgotten. */
	private static final class Loading implements StressMain.Round {
		private final byte[] code = codeOf("Trap");

		Loading() throws IOException {
		}

		private final class Loader extends ClassLoader {
			@Override
			protected Class<?> findClass(String name) throws ClassNotFoundException {
				return defineClass("Trap", code, 0, code.length);
			}

			Class<?> load() throws ClassNotFoundException {
				return findClass("Trap");
			}
		}

		@Override
		@SuppressWarnings("unchecked")
		public void run() throws Exception {
			Class<?> loaded = new Loader().load();
			StressMain.require(loaded != Trap.class, "the loader gave the program's own class");
			Object made = loaded.getDeclaredConstructor().newInstance();
			int got = ((ToIntFunction<Object>) made).applyAsInt("four");
			StressMain.require(got == 4, "the loaded class answers %d", got);
			Thread.sleep(20);
		}
	}

	/** Code compiled for what it has seen, until it sees something else. */
	private static final class Traps implements StressMain.Round {
		private final byte[] code = codeOf("Trap");

		Traps() throws IOException {
		}

		@Override
		@SuppressWarnings("unchecked")
		public void run() throws Exception {
			Class<?> fresh = MethodHandles.lookup().defineHiddenClass(code, true).lookupClass();
			var trap = (ToIntFunction<Object>) fresh.getDeclaredConstructor().newInstance();
			long sum = 0;
			for (int i = 0; i < 20_000; i++)
				sum += trap.applyAsInt("abcde");
			for (int i = 0; i < 2_000; i++)
				sum += trap.applyAsInt(i);
			sum += trap.applyAsInt(null);
			StressMain.require(sum == 100_000 + 1999L * 1000 - 1, "the sum is %d", sum);
			Thread.sleep(20);
		}
	}

	/** By reflection, for the program is compiled for Java 17. */
	private static final class VirtualThreads implements StressMain.Round {
		private static final int PARKED = 300;

		private final ExecutorService executor;
		private final LinkedBlockingQueue<Integer> asked = new LinkedBlockingQueue<>();
		private final ConcurrentLinkedQueue<Integer> answers = new ConcurrentLinkedQueue<>();
		private final Object monitor = new Object();

		private VirtualThreads(ExecutorService executor) {
			this.executor = executor;
			for (int i = 0; i < PARKED; i++)
				executor.submit(() -> {
					while (true)
						answers.add(asked.take() + 1);
				});
		}

		static VirtualThreads find() throws ReflectiveOperationException {
			try {
				return new VirtualThreads((ExecutorService) Executors.class
						.getMethod("newVirtualThreadPerTaskExecutor").invoke(null));
			} catch (NoSuchMethodException e) {
				return null;
			}
		}

		private Callable<Integer> task(int i, CountDownLatch latch) {
			return () -> {
				long start = System.nanoTime();
				if (i % 3 == 0) {
					Thread.sleep(5);
				} else if (i % 3 == 1) {
					latch.await();
				} else {
					synchronized (monitor) { /* pinned, up to Java 23 */
						Thread.sleep(1);
					}
				}
				if (i % 3 == 0)
					StressMain.waited(start, 5, "a virtual thread's sleep");
				return i;
			};
		}

		@Override
		public void run() throws Exception {
			CountDownLatch latch = new CountDownLatch(1);
			Future<?>[] futures = new Future<?>[30];
			for (int i = 0; i < futures.length; i++)
				futures[i] = executor.submit(task(i, latch));
			for (int i = 0; i < PARKED; i++)
				asked.add(1000 + i);
			Thread.sleep(3);
			latch.countDown();
			for (int i = 0; i < futures.length; i++)
				StressMain.require(futures[i].get(5, TimeUnit.MINUTES).equals(i), "task %d", i);
			long sum = 0;
			for (int n = 0; n < PARKED;) {
				Integer answer = answers.poll();
				if (answer == null) {
					Thread.sleep(1);
					continue;
				}
				sum += answer;
				n++;
			}
			StressMain.require(sum == PARKED * 1001L + PARKED * (PARKED - 1L) / 2,
					"the answers' sum is %d", sum);
		}
	}
}
