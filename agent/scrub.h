/*
 * Makes the free parts of the Java heap (regions.h) zeros again, so that dead objects neither cost
 * space in a snapshot nor carry secrets into it. To be called at a safepoint.
 */
#ifndef JSNAP_AGENT_SCRUB_H
#define JSNAP_AGENT_SCRUB_H

#include <stddef.h>

struct scrub_result {
	size_t bytes; /* free and committed, now zeros */
	int error;    /* 0 or a negative errno: -ENOTSUP for a collector that is not known */
};

void scrub_free_heap(struct scrub_result *ret_result);

#endif
