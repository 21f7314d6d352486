/* See bench_run.h: the page cache as the name of a variant says. */
#include "launcher/bench/bench_run.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <unistd.h>

/* Reads a file, or takes it out of the page cache. */
static void touch(const char *path, bool drop)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE char *buffer = malloc(1 << 20);

	if (fd < 0 || !buffer)
		return;
	if (drop) {
		fdatasync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		return;
	}
	while (read(fd, buffer, 1 << 20) > 0)
		;
}

/* Image and hot copy, so that each run finds the cache as its name says. */
void bench_set_cache(const struct bench *b, bool drop)
{
	const struct settings *s = b->start.settings;
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};
	CLEANUP_STORE_ENTRIES struct store_entries entries = {0};
	struct settings own = *s;

	if (!s->image && !s->store)
		own.store = b->store;
	if (s->image) {
		if (store_slot_of_image(s->image, &slot, NULL) < 0)
			return;
		touch(slot.image, drop);
		touch(slot.hot, drop);
		return;
	}
	if (store_list(&own, &entries, NULL) < 0)
		return;
	for (size_t i = 0; i < entries.count; i++) {
		CLEANUP_STORE_SLOT struct store_slot each = {.lock_fd = -1};

		if (store_slot_of_image(entries.entries[i].image, &each, NULL) < 0)
			continue;
		touch(each.image, drop);
		touch(each.hot, drop);
	}
}
