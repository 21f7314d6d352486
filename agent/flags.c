/* See flags.h. */
#include "agent/flags.h"

#include "agent/vmstructs.h"

#include <string.h>

/* JDK 17 has about 1,500 in a product build. */
#define FLAGS_MAX 100000

void *flags_storage(const char *name)
{
	uintptr_t flags, count;
	size_t size = vmstructs_size("JVMFlag");

	if (!size || !vmstructs_word(0, "JVMFlag", "flags", &flags) ||
	    !vmstructs_word(0, "JVMFlag", "numFlags", &count) || count > FLAGS_MAX)
		return NULL;
	for (uintptr_t i = 0; i < count; i++) {
		uintptr_t flag_name, address;

		if (!vmstructs_word(flags + i * size, "JVMFlag", "_name", &flag_name))
			return NULL;
		if (!flag_name || strcmp((const char *)flag_name, name) != 0)
			continue;
		if (!vmstructs_word(flags + i * size, "JVMFlag", "_addr", &address))
			return NULL;
		return (void *)address;
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
