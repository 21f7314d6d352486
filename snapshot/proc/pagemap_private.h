/* The two ways to scan, each on its own for pagemap.c and for the tests of both. */
#ifndef JSNAP_PROC_PAGEMAP_PRIVATE_H
#define JSNAP_PROC_PAGEMAP_PRIVATE_H

#include "proc/pagemap.h"

#define PAGEMAP_PAGE_SIZE UINT64_C(4096)

/* PAGEMAP_SCAN. -ENOTTY, with nothing appended, when the kernel lacks it or a filter refuses it. */
int pagemap_scan_ioctl(int pagemap_fd, uint64_t start, uint64_t end, enum pagemap_what what,
		       struct pagemap_runs *runs, struct jsnap_error *err);

/* Reads the 64-bit entry of every page. */
int pagemap_scan_entries(int pagemap_fd, uint64_t start, uint64_t end, enum pagemap_what what,
			 struct pagemap_runs *runs, struct jsnap_error *err);

/* Adds a run, merged with the last one where they touch. */
int pagemap_append(struct pagemap_runs *runs, uint64_t start, uint64_t end,
		   struct jsnap_error *err);

#endif
