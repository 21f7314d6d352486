/*
 * Takes a process apart: stops it, reads it into a manifest and a page stream, lets it go.
 */
#ifndef JSNAP_CHECKPOINT_CHECKPOINT_H
#define JSNAP_CHECKPOINT_CHECKPOINT_H

#include "image/manifest.h"
#include "proc/maps.h"
#include "trace/remote.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A descriptor of the target that the restorer will provide anew. 0, 1 and 2 are always "stdin",
 * "stdout" and "stderr" and need not be listed. Duplicates in the target follow. */
struct checkpoint_external {
	int fd;		  /* number in the target */
	const char *slot; /* name under which restore finds its replacement */
};

/* What the engine does not decide by itself: what becomes of a descriptor that leads out of the
 * process. The caller is asked for each while the target is stopped; it must be quick. */
enum checkpoint_fd_kind {
	CHECKPOINT_FD_FILE,	/* a name in the file system: file, folder, device, FIFO */
	CHECKPOINT_FD_PIPE,	/* whose other end another process holds */
	CHECKPOINT_FD_TCP,	/* a connection that has not ended */
	CHECKPOINT_FD_LISTENER, /* TCP or Unix */
	CHECKPOINT_FD_UDP,
	CHECKPOINT_FD_UNIX,  /* connected to another process's socket */
	CHECKPOINT_FD_OTHER, /* eventfd, epoll, memory file ... */
};

struct checkpoint_fd {
	int fd;
	enum checkpoint_fd_kind kind;
	uint32_t flags;		    /* O_* of an open file */
	const char *name;	    /* the link in /proc/PID/fd: a path, "socket:[INODE]" */
	const void *local, *remote; /* struct sockaddr, or NULL; of a socket */
	uint32_t local_size, remote_size;
};

enum checkpoint_action {
	CHECKPOINT_CARRY, /* exactly, or the checkpoint is refused: what is done without a policy */
	CHECKPOINT_END,	  /* a connection or pipe: as if the other side had closed it */
	CHECKPOINT_REOPEN, /* a file by its name as it is then, at its end where it is only written;
			      a Unix connection by the peer's name */
	CHECKPOINT_KEEP,   /* a file that is written, with its contents: put back under its name
			      unless it is there unchanged */
	CHECKPOINT_CLOSE,  /* the number answers EBADF, as a closed one, but is not given out again
			    */
	CHECKPOINT_REFUSE, /* the checkpoint fails and names it */
};

struct checkpoint_policy {
	/* NULL: CHECKPOINT_CARRY. An action that a kind does not have counts as that too. */
	enum checkpoint_action (*decide)(void *ctx, const struct checkpoint_fd *fd);
	void *ctx;
};

/* What was read of a process that runs, so that it need not be read in its pause. All zeros:
 * nothing. */
struct checkpoint_expected {
	struct maps maps; /* with flags */
	struct remote_gadgets gadgets;
	bool twin; /* one is to be had: see twin.h */
};

/* Just before checkpoint_capture, and before the caller makes the program wait for it; where it
 * fails, the pause is longer. */
void checkpoint_expect(pid_t pid, struct checkpoint_expected *ret_expected);
void checkpoint_expected_free(struct checkpoint_expected *expected);
#define CLEANUP_CHECKPOINT_EXPECTED __attribute__((cleanup(checkpoint_expected_free)))

struct checkpoint_options {
	pid_t pid;	    /* as the caller's PID namespace numbers it */
	bool leave_running; /* else the target is killed (SIGKILL) after a successful capture */
	int stream_fd;	    /* receives the page stream, sparse, at stream_offset */
	uint64_t stream_offset;
	uint64_t stream_room; /* what stream_room_make returned for it */
	const struct checkpoint_external *externals;
	size_t n_externals;
	const struct checkpoint_expected *expected; /* NULL: nothing was read beforehand */
	/* The program never MADV_DONTNEEDs memory of its own mapping but counts on zeros there
	 * (HotSpot does not): its large mappings may be restored as private file mappings. See
	 * anon_rule.c. */
	bool file_backed;
	bool arenas_kept; /* and its malloc does not shrink arenas (mallopt(3), M_TRIM_THRESHOLD) */
	/* Called when everything is captured and the target is still stopped, to write the image:
	 * unless it returns 0 the checkpoint has failed and the target goes on. May be NULL. */
	int (*commit)(void *ctx, const struct manifest *m, struct jsnap_error *err);
	void *commit_ctx;
	/* Called at once, in another thread, when the target that is left running goes on; its
	 * pages may still have to be read (twin.h), and that may fail. May be NULL. */
	void (*released)(void *ctx);
	void *released_ctx;
	/* Called in the calling thread from then on; returns when `fd` is readable, that is, all is
	 * read, or before. May be NULL. It must reap no stops of the target's threads before. */
	void (*wait)(void *ctx, int fd);
	void *wait_ctx;
	unsigned
		cpu_level; /* the program was told to use no more than x86-64-vN (2 to 4); 0: all */
	struct checkpoint_policy policy;
	/* CLOCK_MONOTONIC: what the caller counts on holds until then. A target that is not stopped
	 * by that time goes on, and the checkpoint has failed (-ETIMEDOUT). 0: no limit. */
	uint64_t stop_by_ns;
};

#define CHECKPOINT_PARTS 24

struct checkpoint_stats {
	uint64_t pause_ns; /* first thread stopped to last thread released */
	/* What it is made of, in this order. */
	struct {
		const char *name;
		uint64_t ns;
	} parts[CHECKPOINT_PARTS];
	uint32_t n_parts;
	bool twin;	       /* pages were read after the pause: see twin.h */
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
