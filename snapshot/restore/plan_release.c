/*
 * What stands between "every thread exists" and "the program has answered": what is left of its
 * memory to read, and the pages it is known to write by then, made its own beforehand, are shared
 * out to all processors while its threads are still being started; and threads that nobody waits
 * for come back a moment later than the others.
 *
 * Populating for write changes no byte (madvise(2), MADV_POPULATE_WRITE); where the kernel does not
 * know it, or memory is short, the program faults the pages in by itself.
 */
#include "restore/plan.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define HELPERS_MAX 8
#define HOLD_MAX_NS 1000000000ull
/* Neighbours are for one processor: two that are at pages of one folio of the stream wait for each
 * other, which is dearer than the pages. */
#define POPULATE_STEP 8

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static bool may_populate(const struct m_vma *vma)
{
	return (vma->kind == M_VMA_ANON || vma->kind == M_VMA_FILE_PRIVATE) &&
	       (vma->prot & PROT_WRITE) && (vma->map_flags & MAP_PRIVATE);
}

static void populate(struct plan *plan, uint32_t index, uint64_t start, uint64_t end)
{
	for (; start < end; start += PLAN_STEP) {
		uint64_t size = end - start < PLAN_STEP ? end - start : PLAN_STEP;

		plan_op(plan, SYS_madvise, RST_IGNORE, PLAN_POPULATE, index,
			PLAN_ARGS(start, size, MADV_POPULATE_WRITE));
	}
}

static void fill_populate(struct plan *plan)
{
	const struct working_set *set = plan->options->working_set;
	uint32_t run = 0;

	for (uint32_t i = 0; set && i < plan->m->n_vmas; i++) {
		const struct m_vma *vma = &plan->m->vmas[i];

		while (run < set->count && set->runs[run].end <= vma->start)
			run++;
		for (uint32_t k = run; k < set->count && set->runs[k].start < vma->end; k++) {
			uint64_t start = set->runs[k].start, end = set->runs[k].end;

			if (may_populate(vma))
				populate(plan, i, start > vma->start ? start : vma->start,
					 end < vma->end ? end : vma->end);
		}
	}
}

static void fill_reads(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->m->n_vmas; i++)
		if (plan->reader[i] == PLAN_READER_ANY)
			plan_read_pages(plan, i);
}

static uint64_t processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (uint64_t)CPU_COUNT(&set);
}

static bool is_held(const struct restore_options *o, uint32_t tid)
{
	size_t low = 0, high = o->n_held;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (o->held[middle] == tid)
			return true;
		if (o->held[middle] < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* One that waits for a time holds nothing that others could be waiting for. */
bool plan_holds(const struct plan *plan, const struct m_thread *t)
{
	return plan->options->hold_ns && t->restart != M_RESTART_NONE &&
	       is_held(plan->options, t->tid);
}

void plan_fill_release(struct plan *plan)
{
	uint64_t cpus = processors(), hold = plan->options->hold_ns;
	size_t first = plan->n_ops;

	fill_reads(plan);
	plan->head->reads = (struct rst_shared){.ops = plan_list(plan, first), .step = 1};
	first = plan->n_ops;
	fill_populate(plan);
	plan->head->populates =
		(struct rst_shared){.ops = plan_list(plan, first), .step = POPULATE_STEP};
	/* The leader takes part too; with one processor it is alone. */
	plan->head->helpers = cpus > HELPERS_MAX ? HELPERS_MAX : cpus > 1 ? cpus : 0;
	plan->head->hold_ns = hold < HOLD_MAX_NS ? hold : HOLD_MAX_NS;
}
