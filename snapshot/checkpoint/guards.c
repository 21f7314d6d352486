/*
 * Guard pages (madvise(2), MADV_GUARD_INSTALL, Linux 6.13): markers in the page tables of a mapping
 * that make touching a page fatal. Newer C libraries put one below each thread's stack. They hold
 * nothing, so they are no pages of the stream; a restore installs them again.
 */
#include "checkpoint/capture.h"

#include "proc/pagemap_private.h"

#include <errno.h>

static int guard_add(struct manifest *m, const struct pagemap_run *run, struct jsnap_error *err)
{
	struct m_guard *guard = MANIFEST_ADD(m, guards);

	if (!guard)
		return error_set(err, ENOMEM, "too many guard pages");
	*guard = (struct m_guard){run->start, run->end};
	return 0;
}

int capture_guards(struct capture *c, struct jsnap_error *err)
{
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m->n_vmas; i++) {
		const struct m_vma *vma = &c->m->vmas[i];

		if (vma->kind == M_VMA_VDSO || vma->kind == M_VMA_VVAR)
			continue;
		runs.count = 0; /* by mapping: a run must not reach into the next one */
		r = pagemap_scan(c->pagemap_fd, vma->start, vma->end, PAGEMAP_GUARD, &runs, err);
		for (size_t k = 0; r == 0 && k < runs.count; k++)
			r = guard_add(c->m, &runs.runs[k], err);
	}
	return r;
}

/* The first guard that ends above an address. */
static uint32_t guard_from(const struct manifest *m, uint64_t address)
{
	uint32_t low = 0, high = m->n_guards;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->guards[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool capture_guarded(const struct capture *c, uint64_t address)
{
	uint32_t i = guard_from(c->m, address);

	return i < c->m->n_guards && c->m->guards[i].start <= address;
}

int capture_between_guards(const struct capture *c, uint64_t start, uint64_t end,
			   struct pagemap_runs *runs, struct jsnap_error *err)
{
	int r = 0;

	for (uint32_t i = guard_from(c->m, start); r == 0 && start < end; i++) {
		bool last = i >= c->m->n_guards || c->m->guards[i].start >= end;
		uint64_t stop = last ? end : c->m->guards[i].start;

		if (stop > start)
			r = pagemap_append(runs, start, stop, err);
		start = last ? end : c->m->guards[i].end;
	}
	return r;
}
