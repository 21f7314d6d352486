package app;

import io.micronaut.http.MediaType;
import io.micronaut.http.annotation.Controller;
import io.micronaut.http.annotation.Get;
import io.micronaut.http.annotation.Produces;
import io.micronaut.runtime.Micronaut;

/** The smallest Micronaut service. */
@Controller
public class Application {
	public static void main(String[] args) {
		Micronaut.run(Application.class, args);
	}

	@Get("/hello")
	@Produces(MediaType.TEXT_PLAIN)
	public String hello() {
		return "hello";
	}
}
