/* Which threads of a restored JVM come back a moment later than the others (restore_options.held).
 */
#ifndef JSNAP_LAUNCHER_HELD_THREADS_H
#define JSNAP_LAUNCHER_HELD_THREADS_H

#include "image/manifest.h"

#include <stddef.h>

#define HELD_THREADS_NS 50000000ull

/* TIDs, ascending; owned by the caller (free). NULL: none, or no memory. */
uint32_t *held_threads(const struct manifest *m, size_t *ret_count);

#endif
