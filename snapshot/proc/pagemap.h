/*
 * Which pages of a range are this process's own: present or swapped, and not simply the file's
 * bytes. PAGEMAP_SCAN where the kernel has it (6.7, Documentation/admin-guide/mm/pagemap.rst),
 * else /proc/PID/pagemap bit by bit; the caller sees no difference.
 */
#ifndef JSNAP_PROC_PAGEMAP_H
#define JSNAP_PROC_PAGEMAP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pagemap_run {
	uint64_t start, end; /* bytes, page aligned */
};

struct pagemap_runs {
	struct pagemap_run *runs; /* ascending, adjacent runs merged */
	size_t count, capacity;
};

enum pagemap_what {
	PAGEMAP_ANON,	 /* present or swapped, and not file-backed: what a private mapping owns.
			    The zero page (PAGE_IS_PFNZERO) is left out */
	PAGEMAP_PRESENT, /* present or swapped, whatever backs it: for shared memory */
	PAGEMAP_GUARD,	 /* guard regions (MADV_GUARD_INSTALL), where the kernel tells them: 6.15 */
};

/* Opens /proc/PID/pagemap (O_RDONLY|O_CLOEXEC); fd or -errno. */
int pagemap_open(pid_t pid, struct jsnap_error *err);

/* Appends the runs of [start, end) that are `what` to `runs`. */
int pagemap_scan(int pagemap_fd, uint64_t start, uint64_t end, enum pagemap_what what,
		 struct pagemap_runs *runs, struct jsnap_error *err);

void pagemap_runs_free(struct pagemap_runs *runs);
#define CLEANUP_PAGEMAP_RUNS __attribute__((cleanup(pagemap_runs_free)))

#endif
