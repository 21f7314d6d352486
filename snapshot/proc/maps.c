/*
 * /proc/PID/maps and smaps: entries and their names live in one allocation, so that parsing
 * thousands of VMAs costs one malloc. A first pass over the text counts what that needs.
 */
#include "proc/maps.h"

#include "base/cleanup.h"
#include "proc/maps_line.h"
#include "proc/procfile.h"

#include <errno.h>

/* An entry of smaps has some 700 bytes; MAPS_MAX_ENTRIES of them and long names fit. */
#define MAPS_MAX_TEXT	 (512u << 20)
#define MAPS_EXPECT_TEXT (1u << 20)

/* How many entries there are, and how many bytes all their names take at most. */
static int maps_measure(struct text text, size_t *ret_count, size_t *ret_bytes,
			struct jsnap_error *err)
{
	size_t count = 0, bytes = 0;
	struct text line;

	while (text_line(&text, &line)) {
		if (!maps_line_is_entry(line))
			continue;
		count++;
		bytes += (size_t)(line.end - line.p) + 1;
	}
	if (count > MAPS_MAX_ENTRIES)
		return error_set(err, E2BIG, "maps: %zu entries, more than the %u allowed", count,
				 MAPS_MAX_ENTRIES);
	*ret_count = count;
	*ret_bytes = bytes;
	return 0;
}

static int maps_fill(struct text text, struct maps_entry *entries, char *names,
		     struct jsnap_error *err)
{
	struct maps_entry *entry = NULL;
	uint64_t floor = 0;
	struct text line;
	const char *why;

	for (size_t number = 1; text_line(&text, &line); number++) {
		if (maps_line_is_entry(line)) {
			entry = entry ? entry + 1 : entries;
			why = maps_line_entry(line, entry, names);
			if (!why && entry->start < floor)
				why = "the range overlaps or precedes the one before";
			if (!why) {
				floor = entry->end;
				names += strlen(names) + 1;
			}
		} else if (!entry) {
			why = "no address range before it";
		} else {
			why = maps_line_detail(line, entry);
		}
		if (why)
			return text_bad_line(err, EBADMSG, "maps", number, line, why);
	}
	return 0;
}

int maps_parse(const char *text, size_t size, struct maps *ret_maps, struct jsnap_error *err)
{
	struct text whole = {text, text + size};
	CLEANUP_FREE struct maps_entry *entries = NULL;
	size_t count = 0, bytes = 0;
	int ret = maps_measure(whole, &count, &bytes, err);

	if (ret < 0)
		return ret;
	/* calloc, because most large blocks come zeroed from the kernel anyway. */
	entries = calloc(1, count * sizeof(*entries) + bytes + 1);
	if (!entries)
		return error_set(err, ENOMEM, "maps: no memory for %zu entries", count);
	ret = maps_fill(whole, entries, (char *)(entries + count), err);
	if (ret < 0)
		return ret;
	ret_maps->entries = STEAL_PTR(entries);
	ret_maps->count = count;
	return 0;
}

int maps_read(pid_t pid, bool with_flags, struct maps *ret_maps, struct jsnap_error *err)
{
	const char *leaf = with_flags ? "smaps" : "maps";
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int ret = procfile_read(pid, leaf, MAPS_EXPECT_TEXT, MAPS_MAX_TEXT, &text, &size, err);

	if (ret < 0)
		return ret;
	if (size == 0)
		return error_set(err, ESRCH,
				 "/proc/%d/%s is empty: the process has exited (a zombie) or is a "
				 "kernel thread",
				 (int)pid, leaf);
	ret = maps_parse(text, size, ret_maps, err);
	if (ret < 0)
		error_context(err, "process %d", (int)pid);
	return ret;
}

void maps_free(struct maps *maps)
{
	free(maps->entries);
	maps->entries = NULL;
	maps->count = 0;
}

const struct maps_entry *maps_find(const struct maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct maps_entry *entry = &maps->entries[middle];

		if (addr < entry->start)
			high = middle;
		else if (addr >= entry->end)
			low = middle + 1;
		else
			return entry;
	}
	return NULL;
}
