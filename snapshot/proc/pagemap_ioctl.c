/*
 * Page runs from the PAGEMAP_SCAN ioctl: Linux 6.7, include/uapi/linux/fs.h and pagemap_scan_* in
 * fs/proc/task_mmu.c; PAGEMAP_SCAN(2const).
 *
 * The kernel walks page tables, not pages: an untouched reservation of terabytes costs
 * microseconds. Guard regions (MADV_GUARD_INSTALL, 6.13) are markers that look swapped but hold
 * nothing and cannot be read; kernels from 6.15 on can tell them, and they are left out.
 */
#include "proc/pagemap_private.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/ioctl.h>

/* Our own copies: linux/fs.h of the oldest distributions we build on does not have them. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL   _IOWR('f', 16, struct scan_arg)
#define SCAN_FILE    (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)
#define SCAN_PFNZERO (UINT64_C(1) << 5)
#define SCAN_GUARD   (UINT64_C(1) << 8)
#define SCAN_REGIONS 2048

static bool lacks_guard; /* learnt once: EINVAL for a category the kernel does not know */

static int scan_call(int fd, struct scan_arg *arg, enum pagemap_what what)
{
	uint64_t excluded = what == PAGEMAP_ANON ? SCAN_FILE | SCAN_PFNZERO : 0;

	for (;;) {
		bool guard = !__atomic_load_n(&lacks_guard, __ATOMIC_RELAXED);
		int n;

		if (what == PAGEMAP_GUARD && !guard)
			return 0;
		arg->category_mask = excluded | (guard ? SCAN_GUARD : 0);
		arg->category_inverted = what == PAGEMAP_GUARD ? 0 : arg->category_mask;
		n = ioctl(fd, SCAN_IOCTL, arg);
		if (n >= 0)
			return n;
		if (errno == EINVAL && guard)
			__atomic_store_n(&lacks_guard, true, __ATOMIC_RELAXED);
		else if (errno != EINTR)
			return -errno;
	}
}

static int scan_append(const struct scan_region *regions, int count, struct pagemap_runs *runs,
		       struct jsnap_error *err)
{
	for (int i = 0; i < count; i++) {
		int ret = pagemap_append(runs, regions[i].start, regions[i].end, err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

int pagemap_scan_ioctl(int pagemap_fd, uint64_t start, uint64_t end, enum pagemap_what what,
		       struct pagemap_runs *runs, struct jsnap_error *err)
{
	struct scan_region regions[SCAN_REGIONS];

	while (start < end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uintptr_t)regions,
			.vec_len = SCAN_REGIONS,
			.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
			.return_mask = SCAN_PRESENT | SCAN_SWAPPED,
		};
		int n = scan_call(pagemap_fd, &arg, what);
		int ret;

		if (n == -ENOTTY || n == -ENOSYS || n == -EPERM)
			return error_set(err, ENOTTY, "pagemap: no PAGEMAP_SCAN here");
		if (n < 0) {
			errno = -n;
			return error_errno(err, "PAGEMAP_SCAN of %#llx-%#llx",
					   (unsigned long long)start, (unsigned long long)end);
		}
		if (n > SCAN_REGIONS)
			return error_set(err, EIO, "PAGEMAP_SCAN returned %d regions of %d", n,
					 SCAN_REGIONS);
		ret = scan_append(regions, n, runs, err);
		if (ret < 0)
			return ret;
		/* Only a full vector ends a scan early. arg.walk_end is no help: measured on 6.18,
		 * it keeps the place of an earlier stop when the kernel's own buffer of 512 regions
		 * was full and the vector was not, and pages would be scanned twice. */
		start = n < SCAN_REGIONS ? end : regions[n - 1].end;
	}
	return 0;
}
