package app;

import jakarta.annotation.PreDestroy;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

@SpringBootApplication
public class Application {
	public static void main(String[] args) {
		SpringApplication.run(Application.class, args);
	}

	/** The line by which a test sees that SIGTERM went through the shutdown hooks. */
	@PreDestroy
	void stopped() {
		System.out.println("shutdown hook ran");
	}
}
