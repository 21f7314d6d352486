package app;

import java.util.List;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** Create, read, update, delete: each request goes through Hibernate, the pool and the database. */
@RestController
@RequestMapping("/items")
class ItemController {
	private final Items items;

	ItemController(Items items) {
		this.items = items;
	}

	@GetMapping
	List<Item> all() {
		return items.findAll();
	}

	@GetMapping("/{id}")
	Item one(@PathVariable("id") long id) {
		return items.findById(id).orElseThrow(() -> new ResponseStatusException(HttpStatus.NOT_FOUND));
	}

	@PostMapping
	@ResponseStatus(HttpStatus.CREATED)
	Item create(@RequestBody Item item) {
		return items.save(item);
	}

	@PutMapping("/{id}")
	Item update(@PathVariable("id") long id, @RequestBody Item changed) {
		Item item = one(id);
		item.setName(changed.getName());
		return items.save(item);
	}

	@DeleteMapping("/{id}")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	void delete(@PathVariable("id") long id) {
		items.delete(one(id));
	}
}
