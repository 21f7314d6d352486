/*
 * Who reads the stored pages that are not mapped, and when. Memory that nobody looks at before the
 * release is read meanwhile by whoever is free; a thread reads its own stack. What can't wait is
 * read while the leader maps.
 *
 * The kernel writes into a thread's rseq area from when it is registered (rseq(2)): pages that
 * come later would put an old processor's number there. So a thread reads the mapping that holds
 * its area before it registers it.
 */
#include "restore/plan.h"

#include "base/fault.h"
#include "base/region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define MAP_WORTH 16384u /* bytes: to read a shorter stretch is no dearer than to map it */

struct anchor {
	uint64_t address;
	uint32_t thread;
};

uint64_t plan_map_worth(const struct manifest *m, uint64_t max_mappings)
{
	uint64_t taken = m->n_vmas + REGION_MAPPINGS;
	uint64_t spare = max_mappings > taken ? (max_mappings - taken) / 2 : 0;
	uint64_t worth = MAP_WORTH, more;

	for (;; worth *= 2) {
		more = 0;
		for (uint32_t i = 0; i < m->n_pieces; i++)
			more += m->pieces[i].size >= worth ? 2 : 0;
		if (more <= spare)
			return worth;
	}
}

bool plan_maps_piece(const struct plan *plan, const struct m_vma *vma, const struct m_piece *piece)
{
	return (vma->kind == M_VMA_ANON || vma->kind == M_VMA_FILE_PRIVATE) && !vma->must_be_anon &&
	       piece->size >= plan->map_worth && !(plan->stream_noexec && (vma->prot & PROT_EXEC));
}

bool plan_reads_any(const struct plan *plan, const struct m_vma *vma)
{
	for (uint32_t i = 0; i < vma->n_pieces; i++)
		if (!plan_maps_piece(plan, vma, &plan->m->pieces[vma->first_piece + i]))
			return true;
	return false;
}

static void read_piece(struct plan *plan, uint32_t index, const struct m_piece *piece)
{
	uint64_t offset = plan->options->stream_offset + piece->offset;

	for (uint64_t done = 0; done < piece->size;) {
		uint64_t size = piece->size - done;

		if (size > PLAN_STEP)
			size = PLAN_STEP;
		plan_op(plan, SYS_pread64, RST_ARG2, PLAN_READ, index,
			PLAN_ARGS((uint64_t)plan->stream_fd, piece->addr + done, size,
				  offset + done));
		done += size;
	}
}

void plan_read_pages(struct plan *plan, uint32_t index)
{
	const struct m_vma *vma = &plan->m->vmas[index];

	for (uint32_t i = 0; i < vma->n_pieces; i++) {
		const struct m_piece *piece = &plan->m->pieces[vma->first_piece + i];

		if (!plan_maps_piece(plan, vma, piece))
			read_piece(plan, index, piece);
	}
}

static int by_address(const void *a, const void *b)
{
	const struct anchor *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* The leader registers its own when all is in place. */
static size_t find_anchors(const struct manifest *m, struct anchor *anchors)
{
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_threads; i++) {
		const struct m_thread *t = &m->threads[i];
		const struct user_regs_struct *regs = (const void *)t->regs;

		if (t->tid != m->process->pid)
			anchors[n++] =
				(struct anchor){t->rseq_addr ? t->rseq_addr : regs->fs_base, i};
	}
	qsort(anchors, n, sizeof(*anchors), by_address);
	return n;
}

int plan_choose_readers(struct plan *plan, struct jsnap_error *err)
{
	const struct manifest *m = plan->m;
	struct anchor *anchors = calloc(m->n_threads + 1u, sizeof(*anchors));
	size_t n, next = 0;

	plan->reader = calloc(m->n_vmas + 1u, sizeof(*plan->reader));
	plan->own_vma = calloc(m->n_threads + 1u, sizeof(*plan->own_vma));
	plan->map_worth = plan_map_worth(m, machine_max_mappings(fault_system_root()));
	if (!anchors || !plan->reader || !plan->own_vma) {
		free(anchors);
		return error_set(err, ENOMEM, "out of memory");
	}
	n = find_anchors(m, anchors);
	memset(plan->own_vma, 0xff, m->n_threads * sizeof(*plan->own_vma));
	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const struct m_vma *vma = &m->vmas[i];
		size_t first;

		while (next < n && anchors[next].address < vma->start)
			next++;
		for (first = next; next < n && anchors[next].address < vma->end;)
			next++;
		/* Where nothing may be written it is only as long as the leader maps. */
		if (!(vma->prot & PROT_WRITE) || next - first > 1 || !plan_reads_any(plan, vma))
			continue;
		plan->reader[i] = next == first ? PLAN_READER_ANY : PLAN_READER_THREAD;
		if (next - first == 1)
			plan->own_vma[anchors[first].thread] = i;
	}
	free(anchors);
	return 0;
}
