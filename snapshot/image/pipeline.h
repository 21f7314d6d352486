/*
 * Chunks through worker threads, in order at both ends, in bounded memory. Internal to
 * snapshot/image.
 *
 * The caller's thread fills chunks (produce) and takes them back (consume), each in order; workers
 * do the work between, in any order. With one thread everything happens on the caller's, and no
 * thread is started. Workers block all signals.
 */
#ifndef JSNAP_IMAGE_PIPELINE_H
#define JSNAP_IMAGE_PIPELINE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPELINE_THREADS_MAX  64u
#define PIPELINE_THREADS_AUTO 8u /* each costs some 10 MiB, and containers see all processors */

struct chunk {
	uint64_t index;	       /* 0, 1, ... */
	unsigned char *raw;    /* `raw_cap` bytes; raw_size of them are the chunk's content */
	unsigned char *packed; /* `packed_cap` bytes */
	size_t raw_size, packed_size;
	bool zero; /* the content is zeros and `raw` need not be filled */
	bool done; /* set by produce: no work is left */
};

struct pipeline {
	/* 1: a chunk, 0: there are no more, or -errno */
	int (*produce)(void *ctx, struct chunk *chunk, struct jsnap_error *err);
	/* `worker` is a value of worker_new that no other thread uses meanwhile */
	int (*work)(void *ctx, void *worker, struct chunk *chunk, struct jsnap_error *err);
	int (*consume)(void *ctx, struct chunk *chunk, struct jsnap_error *err);
	void *(*worker_new)(void *ctx); /* NULL: no memory */
	void (*worker_free)(void *worker);
	size_t raw_cap, packed_cap;
};

/* Threads for `requested` (0: one for each processor this process may use,
 * not more than PIPELINE_THREADS_AUTO) and `chunks` of work. */
unsigned pipeline_threads(unsigned requested, uint64_t chunks);

/* Runs to the end or to the first error, in chunk order. No thread is left either way. */
int pipeline_run(const struct pipeline *p, void *ctx, unsigned threads, struct jsnap_error *err);

#endif
