import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A service that asks another one over connections of a pool, which trusts one that was used a moment ago
 * without a look, as pools do. Pool PORT BACKEND_PORT [watch]
 *
 * With watch an event loop has one more connection to the other service, and closes it when it has ended.
 *
 * /ask: what the other one answers to /hello; 500 when the connection has failed.
 * /stale: how many connections have been given back although they had ended: whoever asked over one had its answer.
 */
public final class Pool {
	private static final long TRUST_NS = 500_000_000L;
	private static final byte[] REQUEST =
			"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

	private static final ConcurrentLinkedDeque<Connection> idle = new ConcurrentLinkedDeque<>();
	private static final AtomicInteger made = new AtomicInteger();
	private static final AtomicLong stale = new AtomicLong();
	private static InetSocketAddress backend;

	/** Every other one waits for its answer in read(2), the others in poll(2). */
	private static final class Connection {
		private final SocketChannel channel = SocketChannel.open(backend);
		private final boolean polls = made.getAndIncrement() % 2 == 1;
		private final byte[] bytes = new byte[4096];
		private long used;

		Connection() throws IOException {
			channel.socket().setTcpNoDelay(true);
			channel.socket().setSoTimeout(polls ? 30_000 : 0);
		}

		private int read(int at) throws IOException {
			if (polls)
				return channel.socket().getInputStream().read(bytes, at, bytes.length - at);
			return channel.read(ByteBuffer.wrap(bytes, at, bytes.length - at));
		}

		/** The answer's body, which is the backend's one word. */
		String ask() throws IOException {
			int total = 0;

			channel.write(ByteBuffer.wrap(REQUEST));
			for (;;) {
				int n = read(total);

				if (n < 0)
					throw new EOFException("the connection has ended");
				total += n;
				String text = new String(bytes, 0, total, StandardCharsets.US_ASCII);
				if (text.endsWith("hello"))
					return "hello";
			}
		}

		boolean ended() throws IOException {
			channel.configureBlocking(false);
			try {
				return channel.read(ByteBuffer.allocate(1)) < 0;
			} catch (IOException e) {
				return true;
			} finally {
				channel.configureBlocking(true);
			}
		}
	}

	private static Connection take() throws IOException {
		Connection c;

		while ((c = idle.pollFirst()) != null) {
			if (System.nanoTime() - c.used < TRUST_NS || !c.ended())
				return c;
			c.channel.close();
		}
		return new Connection();
	}

	private static String ask() throws IOException {
		Connection c = take();

		try {
			String answer = c.ask();

			if (c.ended())
				stale.incrementAndGet();
			c.used = System.nanoTime();
			idle.addFirst(c);
			return answer;
		} catch (IOException e) {
			c.channel.close();
			throw e;
		}
	}

	private static void watch() throws IOException {
		Selector selector = Selector.open();
		SocketChannel channel = SocketChannel.open(backend);

		channel.configureBlocking(false);
		channel.register(selector, SelectionKey.OP_READ);
		while (channel.isOpen() && selector.select() >= 0)
			if (channel.read(ByteBuffer.allocate(1)) < 0)
				channel.close();
	}

	private static void answer(HttpExchange exchange, int status, String text) throws IOException {
		byte[] bytes = text.getBytes(StandardCharsets.UTF_8);

		exchange.sendResponseHeaders(status, bytes.length);
		exchange.getResponseBody().write(bytes);
		exchange.close();
	}

	private static void asked(HttpExchange exchange) throws IOException {
		String text;
		int status = 200;

		try {
			text = ask();
		} catch (IOException e) {
			text = e.toString();
			status = 500;
		}
		answer(exchange, status, text);
	}

	public static void main(String[] args) throws IOException {
		System.setProperty("sun.net.httpserver.nodelay", "true");
		HttpServer server = HttpServer.create(
				new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0])), 0);

		backend = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[1]));
		server.createContext("/ask", Pool::asked);
		server.createContext("/stale", exchange -> answer(exchange, 200, Long.toString(stale.get())));
		server.setExecutor(Executors.newFixedThreadPool(8));
		server.start();
		if (args.length > 2)
			watch();
	}
}
