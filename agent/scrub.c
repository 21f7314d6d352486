/*
 * See scrub.h. How a free part becomes zeros depends on what is mapped there:
 *  - private and anonymous, what HotSpot commits: madvise(MADV_DONTNEED). It keeps protection,
 *    memory policy and huge page advice, and cannot fail halfway;
 *  - a private mapping of a file, what a heap is after a restore: there the same call brings the
 *    file's bytes back, so fresh anonymous pages are mapped over it, as os::commit_memory does;
 *  - shared (-XX:AllocateHeapAt): MADV_REMOVE;
 *  - anything that refuses (locked or huge pages): the pages that are present are overwritten.
 * What is not readable and writable is reserved but not committed, and left alone.
 */
#include "agent/scrub.h"

#include "agent/regions.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE	     ((uintptr_t)4096) /* x86-64 */
#define MAPS_MAX     (256u << 20)      /* bytes of /proc/self/maps */
#define PAGEMAP_HELD (3ull << 62)      /* present or swapped */

struct range {
	uintptr_t start, end;
};

struct ranges {
	struct range *items;
	size_t count, capacity;
	int error;
};

static void ranges_add(void *context, uintptr_t start, uintptr_t end)
{
	struct ranges *ranges = context;

	if (ranges->error)
		return;
	if (ranges->count && ranges->items[ranges->count - 1].end == start) {
		ranges->items[ranges->count - 1].end = end;
		return;
	}
	if (ranges->count == ranges->capacity) {
		size_t capacity = ranges->capacity ? ranges->capacity * 2 : 256;
		struct range *grown = realloc(ranges->items, capacity * sizeof(*grown));

		if (!grown) {
			ranges->error = -ENOMEM;
			return;
		}
		ranges->items = grown;
		ranges->capacity = capacity;
	}
	ranges->items[ranges->count++] = (struct range){start, end};
}

enum backing { BACKING_NONE, BACKING_ANONYMOUS, BACKING_FILE, BACKING_SHARED, BACKING_HUGE };

struct mapping {
	uintptr_t start, end;
	enum backing backing;
	int protection;
};

/* One line of /proc/self/maps (proc_pid_maps(5)). */
static bool parse_mapping(const char *line, struct mapping *ret_mapping)
{
	char perms[5], name[32] = "";
	unsigned long inode;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*s %lu %31[^\n]", &ret_mapping->start,
		   &ret_mapping->end, perms, &inode, name) < 4)
		return false;
	ret_mapping->protection = PROT_READ | PROT_WRITE | (perms[2] == 'x' ? PROT_EXEC : 0);
	if (perms[0] != 'r' || perms[1] != 'w')
		ret_mapping->backing = BACKING_NONE;
	else if (strstr(name, "anon_hugepage"))
		ret_mapping->backing = BACKING_HUGE;
	else if (perms[3] == 's')
		ret_mapping->backing = BACKING_SHARED;
	else
		ret_mapping->backing = inode ? BACKING_FILE : BACKING_ANONYMOUS;
	return true;
}

/* Overwrites the pages that hold something; the others are zeros and stay unallocated. Without a
 * pagemap all are overwritten. */
static void overwrite_pages(int pagemap, uintptr_t start, uintptr_t end)
{
	uint64_t entries[512];

	while (start < end) {
		size_t pages = (end - start) / PAGE;

		if (pages > ARRAY_SIZE(entries))
			pages = ARRAY_SIZE(entries);
		if (pagemap < 0 || pread_full(pagemap, entries, pages * sizeof(*entries),
					      (off_t)(start / PAGE * sizeof(*entries))))
			memset(entries, 0xff, sizeof(entries));
		for (size_t i = 0; i < pages; i++)
			if (entries[i] & PAGEMAP_HELD)
				memset((void *)(start + i * PAGE), 0, PAGE);
		start += pages * PAGE;
	}
}

/* Whole pages [start, end) of one mapping. */
static void zero_pages(const struct mapping *mapping, int pagemap, uintptr_t start, uintptr_t end)
{
	void *address = (void *)start;

	switch (mapping->backing) {
	case BACKING_ANONYMOUS:
		if (madvise(address, end - start, MADV_DONTNEED))
			overwrite_pages(pagemap, start, end);
		break;
	case BACKING_FILE:
		if (mmap(address, end - start, mapping->protection,
			 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != address)
			overwrite_pages(-1, start, end);
		break;
	case BACKING_SHARED:
		if (madvise(address, end - start, MADV_REMOVE))
			overwrite_pages(-1, start, end);
		break;
	default:
		overwrite_pages(pagemap, start, end);
		break;
	}
}

/* The part [start, end) of one mapping: whole pages, and what sticks out of them on either side. */
static void zero_part(const struct mapping *mapping, int pagemap, uintptr_t start, uintptr_t end)
{
	uintptr_t first = (start + PAGE - 1) & -PAGE, last = end & -PAGE;

	if (first >= last) {
		memset((void *)start, 0, end - start);
		return;
	}
	memset((void *)start, 0, first - start);
	memset((void *)last, 0, end - last);
	zero_pages(mapping, pagemap, first, last);
}

static size_t zero_in_mapping(const struct mapping *mapping, int pagemap,
			      const struct ranges *ranges)
{
	size_t bytes = 0;

	if (mapping->backing == BACKING_NONE)
		return 0;
	for (size_t i = 0; i < ranges->count; i++) {
		uintptr_t start = ranges->items[i].start, end = ranges->items[i].end;

		if (start < mapping->start)
			start = mapping->start;
		if (end > mapping->end)
			end = mapping->end;
		if (start >= end)
			continue;
		zero_part(mapping, pagemap, start, end);
		bytes += end - start;
	}
	return bytes;
}

void scrub_free_heap(struct scrub_result *ret_result)
{
	CLEANUP_CLOSE int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE char *maps = NULL;
	struct ranges ranges = {0};
	struct mapping mapping;

	*ret_result = (struct scrub_result){0};
	if (!regions_free(ranges_add, &ranges))
		ranges.error = -ENOTSUP;
	if (!ranges.error)
		ranges.error = read_file("/proc/self/maps", MAPS_MAX, &maps, NULL);
	/* The text was read whole: mapping over a part changes what the file would say next. */
	for (char *line = maps, *next; !ranges.error && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (parse_mapping(line, &mapping))
			ret_result->bytes += zero_in_mapping(&mapping, pagemap, &ranges);
	}
	ret_result->error = ranges.error;
	free(ranges.items);
}
