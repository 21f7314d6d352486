/*
 * The VM's own -XX flags, read and, for moments, written where the VM keeps them (JVMFlag::flags,
 * src/hotspot/share/runtime/flags/jvmFlag.hpp). The agent thus knows the collector without loading
 * a management class.
 */
#ifndef JSNAP_AGENT_FLAGS_H
#define JSNAP_AGENT_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

/* The flag's storage, or NULL when the VM has no such flag. */
void *flags_storage(const char *name);

/* A boolean flag; false as well when the VM does not have it. */
bool flags_is_set(const char *name);

enum collector {
	COLLECTOR_UNKNOWN,
	COLLECTOR_SERIAL,
	COLLECTOR_PARALLEL,
	COLLECTOR_G1,
	COLLECTOR_Z,
	COLLECTOR_SHENANDOAH,
	COLLECTOR_EPSILON,
};

enum collector flags_collector(void);

/* "serial", "parallel", "g1", "z", "shenandoah", "epsilon" or "unknown". */
const char *flags_collector_name(enum collector collector);

#endif
