/*
 * Puts pages into the page stream and describes them by pieces. All-zero pages are left out. In a
 * mapping that is restored by mapping the stream, a gap of up to PAGES_BRIDGE pages stays a hole of
 * the stream, which reads as zeros, so that few mappings restore many runs; where pages are copied,
 * a gap would be copied too, at the price of a fresh page each.
 */
#ifndef JSNAP_CHECKPOINT_PAGES_H
#define JSNAP_CHECKPOINT_PAGES_H

#include "checkpoint/capture.h"
#include "proc/pagemap.h"

#define PAGES_BRIDGE 512u

enum pages_layout {
	PAGES_EXACT,  /* every piece holds stored pages only: gaps belong to what lies below */
	PAGES_PACKED, /* no zero page is stored; pieces follow each other in the stream */
	PAGES_MAPPED, /* gaps are bridged; offsets are congruent with addresses, for mapping */
};

/* Where the bytes of an object or mapping come from. */
struct pages_source {
	int fd;			     /* read with pread at offset; or -1: */
	const struct tracee *tracee; /* read at address */
	uint64_t zero_until;	     /* what lies below this address is stored as zeros */
};

/*
 * Stores what is in `runs` (addresses, or offsets of an object). Appends to manifest.pieces and
 * returns the first one's index and their number.
 */
int pages_store(struct capture *c, const struct pages_source *source, enum pages_layout layout,
		const struct pagemap_runs *runs, uint32_t *ret_first, uint32_t *ret_count,
		struct jsnap_error *err);

#endif
