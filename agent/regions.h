/*
 * Which parts of the Java heap hold no objects: between the top and the end of each space or
 * region, as the VM's own tables say (vmstructs.h). For the Serial, Parallel and G1 collectors of
 * JDK 17 to 25; others are unknown and left alone.
 *
 * Tops only stand still at a safepoint, and only just after a full collection, with the threads'
 * allocation buffers retired, is all that lies below them alive.
 */
#ifndef JSNAP_AGENT_REGIONS_H
#define JSNAP_AGENT_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A free part [start, end) of the heap. */
typedef void regions_visit(void *context, uintptr_t start, uintptr_t end);

/*
 * Calls `visit` for each free part, in no order, adjacent ones possibly apart. Parts the VM has
 * reserved but not committed may be among them. False, perhaps after some calls, when the collector
 * or a name in the tables is unknown.
 */
bool regions_free(regions_visit *visit, void *context);

#endif
