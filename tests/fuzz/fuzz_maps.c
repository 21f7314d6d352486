/* maps_parse: whatever is accepted is ordered, aligned and findable. */
#include "proc/maps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jsnap_error err = {0};
	struct maps maps = {0};
	uint64_t floor = 0;
	int ret = maps_parse((const char *)data, size, &maps, &err);

	if (ret < 0) {
		if (err.code != -ret || !err.text[0] || maps.entries)
			abort();
		return 0;
	}
	for (size_t i = 0; i < maps.count; i++) {
		const struct maps_entry *entry = &maps.entries[i];

		if (entry->start < floor || entry->start >= entry->end)
			abort();
		if (maps_find(&maps, entry->end - 1) != entry || strlen(entry->name) > size)
			abort();
		floor = entry->end;
	}
	maps_free(&maps);
	return 0;
}
