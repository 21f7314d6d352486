package app;

import io.micronaut.context.annotation.Requires;
import io.micronaut.context.annotation.Value;
import io.micronaut.http.MediaType;
import io.micronaut.http.annotation.Controller;
import io.micronaut.http.annotation.Get;
import io.micronaut.http.annotation.Produces;
import io.micronaut.scheduling.TaskExecutors;
import io.micronaut.scheduling.annotation.ExecuteOn;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import javax.sql.DataSource;

/** Where there is a database: an answer that needs a pooled connection to it and another service. */
@Controller
@Requires(beans = DataSource.class)
public class Orders {
	private final HttpClient client = HttpClient.newHttpClient();
	private final HttpRequest backend;
	private final DataSource db;

	Orders(DataSource db, @Value("${backend}") URI backend) {
		this.db = db;
		this.backend = HttpRequest.newBuilder(backend).build();
	}

	@Get("/order")
	@Produces(MediaType.TEXT_PLAIN)
	@ExecuteOn(TaskExecutors.BLOCKING)
	public String order() throws Exception {
		try (Connection connection = db.getConnection();
				Statement statement = connection.createStatement();
				ResultSet row = statement.executeQuery("select current_database()")) {
			row.next();
			return row.getString(1) + "," + client.send(backend, HttpResponse.BodyHandlers.ofString()).body();
		}
	}
}
