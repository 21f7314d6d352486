package app;

import jakarta.enterprise.inject.Instance;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Optional;
import javax.sql.DataSource;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/** Where a database is configured: an answer that needs a pooled connection to it and another service. */
@Path("/order")
public class Orders {
	private final HttpClient client = HttpClient.newHttpClient();
	private final Optional<URI> backend;
	private final Instance<DataSource> db;

	Orders(Instance<DataSource> db, @ConfigProperty(name = "backend") Optional<URI> backend) {
		this.db = db;
		this.backend = backend;
	}

	@GET
	@Produces(MediaType.TEXT_PLAIN)
	public String order() throws Exception {
		HttpRequest request = HttpRequest.newBuilder(backend.orElseThrow()).build();
		try (Connection connection = db.get().getConnection();
				Statement statement = connection.createStatement();
				ResultSet row = statement.executeQuery("select current_database()")) {
			row.next();
			return row.getString(1) + "," + client.send(request, HttpResponse.BodyHandlers.ofString()).body();
		}
	}
}
