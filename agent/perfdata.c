/* See perfdata.h. */
#include "agent/perfdata.h"

#include "agent/vmstructs.h"

#include <string.h>

#define PERFDATA_MAGIC	 0xcafec0c0u
#define PERFDATA_SCALAR	 'J'
#define PERFDATA_ENTRIES 10000 /* most that are looked at; JDK 17 has 300 */

struct perfdata_prologue {
	uint32_t magic; /* in big-endian order on disk */
	int8_t byte_order, major, minor, accessible;
	int32_t used, overflow;
	int64_t modified;
	int32_t entry_offset, entries;
};

struct perfdata_entry {
	int32_t length, name_offset, vector_length;
	int8_t type, flags, units, variability;
	int32_t data_offset;
};

/* The entry at `offset`, or NULL unless it and its name lie within the `size` bytes in use. */
static const struct perfdata_entry *entry_at(const char *start, size_t size, size_t offset)
{
	const struct perfdata_entry *entry = (const void *)(start + offset);

	if (offset > size || size - offset < sizeof(*entry))
		return NULL;
	if (entry->length < (int32_t)sizeof(*entry) || (size_t)entry->length > size - offset ||
	    entry->name_offset < 0 || entry->name_offset >= entry->length)
		return NULL;
	return entry;
}

bool perfdata_counter(const char *name, int64_t *ret_value)
{
	const struct perfdata_prologue *prologue;
	uintptr_t start = 0, capacity = 0;
	size_t offset, size;

	if (!vmstructs_word(0, "PerfMemory", "_start", &start) || !start ||
	    !vmstructs_word(0, "PerfMemory", "_capacity", &capacity) ||
	    capacity < sizeof(*prologue))
		return false;
	prologue = (const void *)start;
	if (__builtin_bswap32(prologue->magic) != PERFDATA_MAGIC || prologue->used < 0 ||
	    (size_t)prologue->used > capacity || prologue->entry_offset < 0)
		return false;
	size = (size_t)prologue->used;
	offset = (size_t)prologue->entry_offset;
	for (int i = 0; i < PERFDATA_ENTRIES; i++) {
		const struct perfdata_entry *entry = entry_at((const char *)start, size, offset);
		const char *base = (const char *)entry;

		if (!entry)
			return false;
		if (entry->type == PERFDATA_SCALAR && entry->vector_length == 0 &&
		    entry->data_offset >= 0 && entry->data_offset <= entry->length - 8 &&
		    !strncmp(base + entry->name_offset, name,
			     (size_t)(entry->length - entry->name_offset))) {
			*ret_value = *(const int64_t *)(base + entry->data_offset);
			return true;
		}
		offset += (size_t)entry->length;
	}
	return false;
}
