import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import okhttp3.RequestBody;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.eclipse.jetty.client.InputStreamResponseListener;

/**
 * A service that asks another one by an HTTP client with its defaults, and takes its time to read the answer: the
 * connection is in use meanwhile, and kept afterwards. The requests are POSTs, which not every client makes again.
 * Clients PORT BACKEND_PORT apache4|apache5|okhttp|jdk|url|jetty|reactor
 *
 * /ask: what the other one answers to /hello; 500 when the request has failed.
 */
public final class Clients {
	private static final int THREADS = 8;
	private static final int WAIT_MS = 20;

	private interface Client {
		/** The body of the answer; read to its end, it gives the connection back. */
		InputStream post(URI uri) throws Exception;
	}

	private static Client apache4() {
		org.apache.http.impl.client.CloseableHttpClient client = org.apache.http.impl.client.HttpClients.createDefault();

		return uri -> client.execute(new org.apache.http.client.methods.HttpPost(uri)).getEntity().getContent();
	}

	private static Client apache5() {
		CloseableHttpClient client = org.apache.hc.client5.http.impl.classic.HttpClients.createDefault();

		return uri -> client.executeOpen(null, new org.apache.hc.client5.http.classic.methods.HttpPost(uri), null)
				.getEntity()
				.getContent();
	}

	private static Client okhttp() {
		OkHttpClient client = new OkHttpClient();

		return uri -> {
			okhttp3.Request request = new okhttp3.Request.Builder()
					.url(uri.toURL())
					.post(RequestBody.create(new byte[0]))
					.build();
			return client.newCall(request).execute().body().byteStream();
		};
	}

	private static Client jdk() {
		java.net.http.HttpClient client = java.net.http.HttpClient.newHttpClient();

		return uri -> {
			HttpRequest request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.noBody()).build();
			return client.send(request, HttpResponse.BodyHandlers.ofInputStream()).body();
		};
	}

	private static Client url() {
		return uri -> {
			HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
			connection.setRequestMethod("POST");
			connection.setDoOutput(true);
			connection.getOutputStream().close();
			return connection.getInputStream();
		};
	}

	private static Client jetty() throws Exception {
		org.eclipse.jetty.client.HttpClient client = new org.eclipse.jetty.client.HttpClient();

		client.start();
		return uri -> {
			InputStreamResponseListener listener = new InputStreamResponseListener();
			client.POST(uri).send(listener);
			listener.get(30, TimeUnit.SECONDS);
			return listener.getInputStream();
		};
	}

	private static Client reactor() {
		reactor.netty.http.client.HttpClient client = reactor.netty.http.client.HttpClient.create();

		return uri -> new ByteArrayInputStream(
				client.post().uri(uri).responseContent().aggregate().asByteArray().block());
	}

	private static Client client(String name) throws Exception {
		return switch (name) {
			case "apache4" -> apache4();
			case "apache5" -> apache5();
			case "okhttp" -> okhttp();
			case "jdk" -> jdk();
			case "url" -> url();
			case "jetty" -> jetty();
			case "reactor" -> reactor();
			default -> throw new IllegalArgumentException(name);
		};
	}

	private static String ask(Client client, URI uri) throws Exception {
		try (InputStream body = client.post(uri)) {
			String first = new String(body.readNBytes(1), StandardCharsets.UTF_8);

			Thread.sleep(WAIT_MS);
			return first + new String(body.readAllBytes(), StandardCharsets.UTF_8);
		}
	}

	private static void answer(HttpExchange exchange, Client client, URI uri) throws IOException {
		int status = 200;
		String text;

		try {
			text = ask(client, uri);
		} catch (Exception e) {
			text = e.toString();
			status = 500;
		}
		byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
		exchange.sendResponseHeaders(status, bytes.length);
		exchange.getResponseBody().write(bytes);
		exchange.close();
	}

	public static void main(String[] args) throws Exception {
		System.setProperty("sun.net.httpserver.nodelay", "true");
		URI uri = URI.create("http://127.0.0.1:" + args[1] + "/hello");
		Client client = client(args[2]);
		HttpServer server = HttpServer.create(
				new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0])), 0);

		server.createContext("/ask", exchange -> answer(exchange, client, uri));
		server.setExecutor(Executors.newFixedThreadPool(THREADS));
		server.start();
	}
}
