import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.CountDownLatch;

/**
 * For the cost of growth: answers at a port, holds so many MB of heap that a request does not touch,
 * and so many threads that wait.
 */
public class Grow {
	static byte[][] ballast;

	public static void main(String[] args) throws Exception {
		int port = Integer.parseInt(args[0]), megabytes = Integer.parseInt(args[1]), threads = Integer.parseInt(args[2]);
		CountDownLatch never = new CountDownLatch(1);

		ballast = new byte[megabytes][];
		for (int i = 0; i < megabytes; i++) {
			ballast[i] = new byte[1 << 20];
			for (int at = 0; at < ballast[i].length; at += 64)
				ballast[i][at] = (byte) (i + at);
		}
		for (int i = 0; i < threads; i++) {
			Thread thread = new Thread(null, () -> {
				try {
					never.await();
				} catch (InterruptedException e) {
					return;
				}
			}, "waits-" + i, 256 << 10);
			thread.setDaemon(true);
			thread.start();
		}
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
		server.createContext("/", exchange -> {
			byte[] answer = "hello".getBytes();
			exchange.sendResponseHeaders(200, answer.length);
			exchange.getResponseBody().write(answer);
			exchange.close();
		});
		server.start();
	}
}
