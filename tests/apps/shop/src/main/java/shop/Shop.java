package shop;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.http.client.HttpComponentsClientHttpRequestFactory;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.scheduling.annotation.EnableScheduling;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

@SpringBootApplication
@EnableScheduling
@RestController
public class Shop {
	private final JdbcTemplate db;
	private final String backend;
	private final HttpClient jdkClient = HttpClient.newHttpClient();
	private final RestTemplate apacheClient;
	private final AtomicLong ticks = new AtomicLong();

	Shop(JdbcTemplate db, @Value("${backend}") String backend) {
		CloseableHttpClient client = HttpClients.createSystem();
		this.db = db;
		this.backend = backend;
		this.apacheClient = new RestTemplate(new HttpComponentsClientHttpRequestFactory(client));
	}

	public static void main(String[] args) {
		SpringApplication.run(Shop.class, args);
	}

	@GetMapping("/item")
	String item(@RequestParam(defaultValue = "1") int id) {
		return db.queryForObject("select name from item where id = ?", String.class, id);
	}

	@GetMapping("/sold")
	long sold() {
		db.update("update item set sold = sold + 1 where id = 2");
		return db.queryForObject("select sold from item where id = 2", Long.class);
	}

	@GetMapping("/jdk")
	String jdk() throws Exception {
		HttpRequest request = HttpRequest.newBuilder(URI.create(backend)).build();
		return jdkClient.send(request, HttpResponse.BodyHandlers.ofString()).body();
	}

	@GetMapping("/apache")
	String apache() {
		return apacheClient.getForObject(backend, String.class);
	}

	/* All of it at once. */
	@GetMapping("/order")
	String order() throws Exception {
		return item(1) + "," + jdk() + "," + apache();
	}

	@GetMapping("/ticks")
	long ticks() {
		return ticks.get();
	}

	@Scheduled(fixedDelay = 100)
	void tick() {
		ticks.incrementAndGet();
		db.queryForObject("select 1", Integer.class);
	}
}
