import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.Executors;
import javax.sql.DataSource;

/**
 * A service that has pooled connections while it waits for something else, and gives them back afterwards: one to a
 * database elsewhere, one to a database of its own in memory, which is gone with its last connection.
 * Held PORT JDBC_URL DATA_SOURCE_CLASS SETTER_OF_URL SETTER_OF_SIZE
 *
 * /ask: 200 when both databases have answered.
 */
public final class Held {
	private static final int THREADS = 8;
	private static final int WAIT_MS = 100;

	/** By the names of its class and setters, so that this compiles without any pool. */
	private static DataSource pool(String[] names, String url, int size) throws ReflectiveOperationException {
		Object pool = Class.forName(names[2]).getConstructor().newInstance();

		pool.getClass().getMethod(names[3], String.class).invoke(pool, url);
		pool.getClass().getMethod(names[4], int.class).invoke(pool, size);
		return (DataSource) pool;
	}

	private static String query(Connection connection, String sql) throws SQLException {
		try (Statement statement = connection.createStatement(); ResultSet row = statement.executeQuery(sql)) {
			row.next();
			return row.getString(1);
		}
	}

	private static String ask(DataSource elsewhere, DataSource own) throws SQLException, InterruptedException {
		try (Connection connection = elsewhere.getConnection()) {
			String answer = query(connection, "select 1");

			try (Connection kept = own.getConnection()) {
				answer += query(kept, "select word from kept");
				Thread.sleep(WAIT_MS / THREADS);
			}
			Thread.sleep(WAIT_MS);
			return answer;
		}
	}

	private static void answer(HttpExchange exchange, DataSource elsewhere, DataSource own) throws IOException {
		int status = 200;
		String text;

		try {
			text = ask(elsewhere, own);
		} catch (SQLException | InterruptedException e) {
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
		DataSource elsewhere = pool(args, args[1], THREADS);
		DataSource own = pool(args, "jdbc:h2:mem:own", 1);
		HttpServer server = HttpServer.create(
				new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0])), 0);

		try (Connection connection = own.getConnection(); Statement statement = connection.createStatement()) {
			statement.execute("create table kept as select 'kept' as word");
		}
		server.createContext("/ask", exchange -> answer(exchange, elsewhere, own));
		server.setExecutor(Executors.newFixedThreadPool(THREADS));
		server.start();
	}
}
