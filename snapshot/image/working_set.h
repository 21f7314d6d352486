/*
 * The working set: which pages a restored process had written by its first response, recorded once
 * and made ready at every later restore (docs/image-format.md, "The working set"). Advice: without
 * it, or with a wrong one, a restore is slower and not different.
 */
#ifndef JSNAP_IMAGE_WORKING_SET_H
#define JSNAP_IMAGE_WORKING_SET_H

#include "image/image.h"

#include <stddef.h>
#include <stdint.h>

#define WORKING_SET_RUNS_MAX  65536u
#define WORKING_SET_BYTES_MAX (256ull << 20) /* of all runs: more is not a working set */

struct working_run { /* addresses, page aligned */
	uint64_t start, end;
};

struct working_set {
	struct working_run *runs; /* ascending, disjoint */
	uint32_t count, cap;
};

void working_set_free(struct working_set *set);
#define CLEANUP_WORKING_SET __attribute__((cleanup(working_set_free)))

/* Appends a run at or after the end of the last one, with which it is merged when no more than
 * `bridge` bytes lie between. -ENOMEM; -E2BIG: too many runs or bytes. */
int working_set_add(struct working_set *set, uint64_t start, uint64_t end, uint64_t bridge);

/* Written under a temporary name and renamed, mode 0600. spare_others: place.h; -EEXIST where
 * another file is there. */
int working_set_save(const char *path, const struct working_set *set, const struct image_id *id,
		     bool spare_others, struct jsnap_error *err);

/* -ENOENT; -ESTALE: of another image; -EBADMSG: damaged; -EPERM: others may write it. */
int working_set_load(const char *path, const struct image_id *expect, struct working_set *ret_set,
		     struct jsnap_error *err);

#endif
