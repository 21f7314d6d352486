/*
 * Takes a process apart: stops it, reads it into a manifest and a page stream, lets it go.
 */
#ifndef JSNAP_CHECKPOINT_CHECKPOINT_H
#define JSNAP_CHECKPOINT_CHECKPOINT_H

#include "image/manifest.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A descriptor of the target that the restorer will provide anew. 0, 1 and 2 are always "stdin",
 * "stdout" and "stderr" and need not be listed. Duplicates in the target follow. */
struct checkpoint_external {
	int fd;		  /* number in the target */
	const char *slot; /* name under which restore finds its replacement */
};

struct checkpoint_options {
	pid_t pid;	    /* as the caller's PID namespace numbers it */
	bool leave_running; /* else the target is killed (SIGKILL) after a successful capture */
	int stream_fd;	    /* receives the page stream, sparse, at stream_offset */
	uint64_t stream_offset;
	const struct checkpoint_external *externals;
	size_t n_externals;
	/* The program never MADV_DONTNEEDs memory of its own mapping but counts on zeros there
	 * (HotSpot does not): its large mappings may be restored as private file mappings. See
	 * anon_rule.c. */
	bool file_backed;
	bool arenas_kept; /* and its malloc does not shrink arenas (mallopt(3), M_TRIM_THRESHOLD) */
	/* Called when everything is captured and the target is still stopped, to write the image:
	 * unless it returns 0 the checkpoint has failed and the target goes on. May be NULL. */
	int (*commit)(void *ctx, const struct manifest *m, struct jsnap_error *err);
	void *commit_ctx;
	unsigned
		cpu_level; /* the program was told to use no more than x86-64-vN (2 to 4); 0: all */
	bool tcp_close; /* established TCP connections come back closed by the peer; else refused */
};

struct checkpoint_stats {
	uint64_t pause_ns;     /* first thread stopped to last thread released */
	uint64_t stored_bytes; /* bytes of pages stored, bridged zeros not counted */
	uint32_t threads, vmas, fds;
};

/*
 * Fills `m` (manifest_init'ed by the caller) and the stream. On failure the target goes on as if
 * nothing had happened, at whatever moment the failure (or the death of this process) comes.
 * -ENOTSUP: the target holds something that is not carried; the error names it.
 */
int checkpoint_capture(const struct checkpoint_options *options, struct manifest *m,
		       struct checkpoint_stats *ret_stats, struct jsnap_error *err);

#endif
