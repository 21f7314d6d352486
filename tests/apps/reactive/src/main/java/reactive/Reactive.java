package reactive;

import java.time.Duration;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.http.client.ReactorResourceFactory;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;

@SpringBootApplication
@RestController
public class Reactive {
	private final WebClient client;

	Reactive(WebClient.Builder builder, @Value("${backend}") String backend) {
		client = builder.baseUrl(backend).build();
	}

	public static void main(String[] args) {
		SpringApplication.run(Reactive.class, args);
	}

	/**
	 * Spring's CRaC support ends the event loops and makes others. The connector of Spring Boot 3.5 goes on with
	 * those it was made with; this one, Spring's own, asks for them anew.
	 */
	@Configuration
	@Profile("restarted")
	static class Restarted {
		@Bean
		ReactorClientHttpConnector connector(ReactorResourceFactory resources) {
			return new ReactorClientHttpConnector(resources, client -> client);
		}
	}

	@GetMapping("/hello")
	Mono<String> hello() {
		return Mono.just("hello");
	}

	@GetMapping("/later")
	Mono<String> later() {
		return Mono.delay(Duration.ofMillis(2)).map(n -> "later");
	}

	@GetMapping("/relay")
	Mono<String> relay() {
		return client.get().retrieve().bodyToMono(String.class).map(body -> "relayed " + body);
	}
}
