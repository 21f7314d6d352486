/*
 * The VM's performance counters, read from its own memory (PerfMemory; the format is that of
 * hsperfdata files, src/hotspot/share/runtime/perfMemory.hpp): no Java code runs and no class is
 * loaded to learn how far the application has come. None exist under -XX:-UsePerfData.
 */
#ifndef JSNAP_AGENT_PERFDATA_H
#define JSNAP_AGENT_PERFDATA_H

#include <stdbool.h>
#include <stdint.h>

/* A scalar counter by its full name, such as "java.cls.loadedClasses". */
bool perfdata_counter(const char *name, int64_t *ret_value);

#endif
