/*
 * Page runs from /proc/PID/pagemap, one 64-bit entry for each page: for kernels before 6.7.
 * Documentation/admin-guide/mm/pagemap.rst and pte_to_pagemap_entry in fs/proc/task_mmu.c:
 * bit 63 present, 62 swapped, 61 file page or shared anonymous, 58 guard region (6.15).
 *
 * What differs from the ioctl:
 * - The zero page cannot be told from an anonymous page that a forked relative shares (both lack
 *   bit 56, and page frame numbers need CAP_SYS_ADMIN), so it is reported: its reader finds zeros.
 * - Frames without a struct page ([vvar], VM_PFNMAP, VM_IO) are reported; such VMAs must not be
 *   scanned.
 * - An untouched range costs time: one read covers 1 GiB and its entries are skipped 512 at a time,
 *   yet the kernel
 *   writes them all: 1 TiB takes about a second (measured), 32 GiB some 30 ms. Skip VMAs whose
 * maps_entry.resident is 0; a JVM's reservations are VMAs of their own, apart from what it has
 * committed.
 */
#include "proc/pagemap_private.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdbool.h>

#define ENTRY_PRESENT	(UINT64_C(1) << 63)
#define ENTRY_SWAPPED	(UINT64_C(1) << 62)
#define ENTRY_FILE	(UINT64_C(1) << 61)
#define ENTRY_GUARD	(UINT64_C(1) << 58)
#define ENTRIES_BATCH	(256u << 10) /* 2 MiB of entries, 1 GiB of addresses */
#define ENTRIES_STRETCH 512

/* OR of many entries: without bits 62 and 63 none of them matters. */
static uint64_t entries_union(const uint64_t *entries, size_t count)
{
	uint64_t all = 0;

	for (size_t i = 0; i < count; i++)
		all |= entries[i];
	return all;
}

static bool entries_match(uint64_t entry, enum pagemap_what what)
{
	if (!(entry & (ENTRY_PRESENT | ENTRY_SWAPPED)))
		return false;
	/* Bits 0-54 are a frame number only when present, bit 58 a guard only when not. */
	if (!(entry & ENTRY_PRESENT) && (entry & ENTRY_GUARD))
		return what == PAGEMAP_GUARD;
	if (what == PAGEMAP_GUARD)
		return false;
	return what == PAGEMAP_PRESENT || !(entry & ENTRY_FILE);
}

static int entries_append(const uint64_t *entries, size_t count, uint64_t start,
			  enum pagemap_what what, struct pagemap_runs *runs,
			  struct jsnap_error *err)
{
	for (size_t i = 0; i < count;) {
		size_t n = count - i < ENTRIES_STRETCH ? count - i : ENTRIES_STRETCH;

		if (!(entries_union(entries + i, n) & (ENTRY_PRESENT | ENTRY_SWAPPED))) {
			i += n;
			continue;
		}
		for (size_t stop = i + n; i < stop; i++) {
			uint64_t page = start + i * PAGEMAP_PAGE_SIZE;
			int ret = 0;

			if (entries_match(entries[i], what))
				ret = pagemap_append(runs, page, page + PAGEMAP_PAGE_SIZE, err);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

int pagemap_scan_entries(int pagemap_fd, uint64_t start, uint64_t end, enum pagemap_what what,
			 struct pagemap_runs *runs, struct jsnap_error *err)
{
	uint64_t pages = (end - start) / PAGEMAP_PAGE_SIZE;
	size_t batch = pages < ENTRIES_BATCH ? (size_t)pages : ENTRIES_BATCH;
	CLEANUP_FREE uint64_t *entries = malloc((batch ? batch : 1) * sizeof(*entries));

	if (!entries)
		return error_set(err, ENOMEM, "pagemap: no memory for %zu entries", batch);
	while (start < end) {
		uint64_t left = (end - start) / PAGEMAP_PAGE_SIZE;
		size_t want = left < batch ? (size_t)left : batch;
		off_t offset = (off_t)(start / PAGEMAP_PAGE_SIZE * sizeof(*entries));
		ssize_t n = pread(pagemap_fd, entries, want * sizeof(*entries), offset);
		int ret;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read pagemap at %#llx", (unsigned long long)start);
		if (n == 0) /* past the end of the address space, or the process has exited */
			return 0;
		if (n % (ssize_t)sizeof(*entries))
			return error_set(err, EIO, "read pagemap at %#llx: a part of an entry",
					 (unsigned long long)start);
		ret = entries_append(entries, (size_t)n / sizeof(*entries), start, what, runs, err);
		if (ret < 0)
			return ret;
		start += (uint64_t)n / sizeof(*entries) * PAGEMAP_PAGE_SIZE;
	}
	return 0;
}
