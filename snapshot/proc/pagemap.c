/* See pagemap.h: opening, collecting runs, and the choice between the two ways to scan. */
#include "proc/pagemap.h"

#include "proc/pagemap_private.h"
#include "proc/procfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int pagemap_open(pid_t pid, struct jsnap_error *err)
{
	return procfile_open(pid, "pagemap", 0, err);
}

int pagemap_append(struct pagemap_runs *runs, uint64_t start, uint64_t end, struct jsnap_error *err)
{
	if (runs->count && runs->runs[runs->count - 1].end == start) {
		runs->runs[runs->count - 1].end = end;
		return 0;
	}
	if (runs->count == runs->capacity) {
		size_t capacity = runs->capacity ? runs->capacity * 2 : 256;
		struct pagemap_run *grown = reallocarray(runs->runs, capacity, sizeof(*grown));

		if (!grown)
			return error_set(err, ENOMEM, "pagemap: no memory for %zu page runs",
					 capacity);
		runs->runs = grown;
		runs->capacity = capacity;
	}
	runs->runs[runs->count++] = (struct pagemap_run){start, end};
	return 0;
}

int pagemap_scan(int pagemap_fd, uint64_t start, uint64_t end, enum pagemap_what what,
		 struct pagemap_runs *runs, struct jsnap_error *err)
{
	/* Whether this kernel lacks the ioctl is learnt once; a race only asks it twice. */
	static bool lacks_ioctl;
	int ret;

	if ((start | end) & (PAGEMAP_PAGE_SIZE - 1))
		return error_set(err, EINVAL, "pagemap: %#llx-%#llx is not page aligned",
				 (unsigned long long)start, (unsigned long long)end);
	/* The kernel's half (where [vsyscall] is) has no pages of a process. */
	if (start >= end || start >> 63)
		return 0;
	if (!__atomic_load_n(&lacks_ioctl, __ATOMIC_RELAXED)) {
		ret = pagemap_scan_ioctl(pagemap_fd, start, end, what, runs, err);
		if (ret != -ENOTTY)
			return ret;
		__atomic_store_n(&lacks_ioctl, true, __ATOMIC_RELAXED);
	}
	return pagemap_scan_entries(pagemap_fd, start, end, what, runs, err);
}

void pagemap_runs_free(struct pagemap_runs *runs)
{
	free(runs->runs);
	*runs = (struct pagemap_runs){0};
}
