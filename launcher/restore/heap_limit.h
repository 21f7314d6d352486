/*
 * A JVM sizes its heap once, by the memory it finds at its start. Restored where less is allowed,
 * it would grow into the limit and be killed, hours later; so that is refused at once.
 */
#ifndef JSNAP_LAUNCHER_HEAP_LIMIT_H
#define JSNAP_LAUNCHER_HEAP_LIMIT_H

#include "image/manifest.h"

#include <stdint.h>

/* As note "heap.max"; 0 (not known) stores nothing. */
int heap_limit_store(uint64_t heap_max, struct manifest *m, struct jsnap_error *err);

/* Pure; `limit` as machine_memory_limit gives it. */
int heap_limit_check(const struct manifest *m, uint64_t limit, struct jsnap_error *err);

#endif
