/*
 * Would a restored process be confined as it was? Security modules (LSM), its label, the
 * number of seccomp filters, and its capabilities, of both sides. What no refusal covers the engine
 * sees to: a restored process has no_new_privs when either side has, and no capability that one of
 * them lacks.
 */
#ifndef JSNAP_LAUNCHER_CONFINEMENT_H
#define JSNAP_LAUNCHER_CONFINEMENT_H

#include "image/image.h"
#include "launcher/options/settings.h"

#include <stdint.h>

struct confinement {		    /* of who restores */
	struct image_header header; /* arch, lsm and lsm_label of it */
	unsigned seccomp_filters;   /* how many */
	uint64_t capabilities;	    /* that a restored process may keep: none but for root */
};

/* Pure. -ESTALE names both sides: one taken here would do, and run takes it. */
int confinement_check(const struct image_header *header, const struct manifest *m,
		      const struct confinement *here, enum lsm_policy lsm, struct jsnap_error *err);
/* The part of it that comes before the manifest, whose records are of its architecture: -ENOTSUP
 * names both. */
int confinement_check_arch(const struct image_header *header, struct jsnap_error *err);
/* Against this process. */
int confinement_check_here(const struct image_header *header, const struct manifest *m,
			   enum lsm_policy lsm, struct jsnap_error *err);

#endif
