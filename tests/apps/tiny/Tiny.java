import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** The smallest service: the JDK's own HTTP server, four paths and a shutdown hook. Tiny PORT */
public final class Tiny {
	private static final AtomicLong requests = new AtomicLong();

	public static void main(String[] args) throws IOException {
		int port = Integer.parseInt(args[0]);
		// Without it each answer on a kept connection waits 40 ms for a delayed acknowledgement.
		System.setProperty("sun.net.httpserver.nodelay", "true");
		HttpServer server = HttpServer.create(
				new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
		server.createContext("/hello", exchange -> answer(exchange, "hello"));
		server.createContext("/count", exchange -> answer(exchange, Long.toString(requests.get())));
		server.createContext("/pid",
				exchange -> answer(exchange, Long.toString(ProcessHandle.current().pid())));
		server.createContext("/env",
				exchange -> answer(exchange, String.valueOf(System.getenv(exchange.getRequestURI().getQuery()))));
		server.createContext("/gc", exchange -> {
			System.gc();
			answer(exchange, "ok");
		});
		server.setExecutor(Executors.newFixedThreadPool(4));
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("shutdown hook ran")));
		server.start();
	}

	private static void answer(HttpExchange exchange, String text) throws IOException {
		byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
		requests.incrementAndGet();
		exchange.sendResponseHeaders(200, bytes.length);
		exchange.getResponseBody().write(bytes);
		exchange.close();
	}
}
