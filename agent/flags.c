/* See flags.h. */
#include "agent/flags.h"

#include "agent/vmstructs.h"

#include <string.h>

/* JDK 17 has about 1,500 in a product build. */
#define FLAGS_MAX 100000

void *flags_storage(const char *name)
{
	uintptr_t flags, count;
	size_t size = vmstructs_size("JVMFlag"), name_offset, storage_offset;

	if (!size || !vmstructs_word(0, "JVMFlag", "flags", &flags) ||
	    !vmstructs_word(0, "JVMFlag", "numFlags", &count) || count > FLAGS_MAX ||
	    !vmstructs_offset("JVMFlag", "_name", &name_offset) ||
	    !vmstructs_offset("JVMFlag", "_addr", &storage_offset))
		return NULL;
	for (uintptr_t i = 0; i < count; i++) {
		uintptr_t flag = flags + i * size;
		const char *flag_name = *(const char *const *)(flag + name_offset);

		if (flag_name && !strcmp(flag_name, name))
			return *(void *const *)(flag + storage_offset);
	}
	return NULL;
}

bool flags_is_set(const char *name)
{
	const uint8_t *flag = flags_storage(name);

	return flag && *flag;
}

static const struct {
	const char *flag;
	const char *name;
} collectors[] = {
	[COLLECTOR_UNKNOWN] = {NULL, "unknown"},
	[COLLECTOR_SERIAL] = {"UseSerialGC", "serial"},
	[COLLECTOR_PARALLEL] = {"UseParallelGC", "parallel"},
	[COLLECTOR_G1] = {"UseG1GC", "g1"},
	[COLLECTOR_Z] = {"UseZGC", "z"},
	[COLLECTOR_SHENANDOAH] = {"UseShenandoahGC", "shenandoah"},
	[COLLECTOR_EPSILON] = {"UseEpsilonGC", "epsilon"},
};

enum collector flags_collector(void)
{
	for (enum collector c = COLLECTOR_SERIAL; c <= COLLECTOR_EPSILON; c++)
		if (flags_is_set(collectors[c].flag))
			return c;
	return COLLECTOR_UNKNOWN;
}

const char *flags_collector_name(enum collector collector)
{
	return collectors[collector].name;
}
