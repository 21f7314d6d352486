/*
 * A snapshot from which a program came back and crashed at once is not used again: a mark beside
 * the image (NAME-KEY.bad) names the image by its id, so that a newer one under the same key is not
 * concerned. It is removed with the snapshot.
 */
#ifndef JSNAP_LAUNCHER_PROBATION_H
#define JSNAP_LAUNCHER_PROBATION_H

#include "image/image.h"
#include "launcher/store/store.h"

#include <stdbool.h>
#include <stddef.h>

/* Pure: is this end (wait(2)) after so long a crash that the snapshot is to blame for? Signals that
 * a program gets for its own faults, within `limit_ns` (0: never). */
bool probation_failed(int wait_status, uint64_t after_ns, uint64_t limit_ns);

/* Marks it, or removes it from the store where the disk is too full for a mark, which takes the
 * exclusive lock; when neither works, a warning. */
void probation_mark(const struct store_slot *slot, const struct image_id *id, int wait_status,
		    uint64_t after_ns);

/* True when this image is marked; `reason` says why. */
bool probation_bad(const struct store_slot *slot, const struct image_id *id, char *reason,
		   size_t size);

#endif
