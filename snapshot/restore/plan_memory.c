/*
 * The list that replaces the address space: everything but the region goes, the vDSO and its data
 * move to where the target had them, then every mapping comes back with its pages.
 *
 * Pages of a mapping that may be file-backed are mapped privately from the page stream: that costs
 * one call for a stretch of any length, and memory only for what is touched. All others are read,
 * most of them later (plan_pages.c).
 */
#include "restore/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define USER_END 0x7ffffffff000ull

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static void fill_unmap(struct plan *plan)
{
	uint64_t region = (uint64_t)plan->region, end = region + plan->region_size;

	plan_op(plan, SYS_munmap, RST_OK, PLAN_UNMAP, 0, PLAN_ARGS(0, region));
	plan_op(plan, SYS_munmap, RST_OK, PLAN_UNMAP, 0, PLAN_ARGS(end, USER_END - end));
}

static void map(struct plan *plan, uint32_t index, uint64_t start, uint64_t size, uint32_t prot,
		uint32_t flags, int fd, uint64_t offset)
{
	plan_op(plan, SYS_mmap, RST_ARG0, PLAN_MAP, index,
		PLAN_ARGS(start, size, prot, flags | MAP_FIXED, (uint64_t)(int64_t)fd, offset));
}

static void map_pieces(struct plan *plan, uint32_t index, const struct m_vma *vma)
{
	for (uint32_t i = 0; i < vma->n_pieces; i++) {
		const struct m_piece *piece = &plan->m->pieces[vma->first_piece + i];

		if (plan_maps_piece(plan, vma, piece))
			map(plan, index, piece->addr, piece->size, vma->prot,
			    MAP_PRIVATE | (vma->map_flags & MAP_NORESERVE), plan->stream_fd,
			    plan->options->stream_offset + piece->offset);
	}
}

static void fill_advice(struct plan *plan, uint32_t index, const struct m_vma *vma)
{
	static const struct {
		uint32_t flag;
		int advice;
	} ADVICE[] = {
		{MAPS_VM_DONTFORK, MADV_DONTFORK},   {MAPS_VM_DONTDUMP, MADV_DONTDUMP},
		{MAPS_VM_HUGEPAGE, MADV_HUGEPAGE},   {MAPS_VM_NOHUGEPAGE, MADV_NOHUGEPAGE},
		{MAPS_VM_MERGEABLE, MADV_MERGEABLE}, {MAPS_VM_WIPEONFORK, MADV_WIPEONFORK},
		{MAPS_VM_SEQ_READ, MADV_SEQUENTIAL}, {MAPS_VM_RAND_READ, MADV_RANDOM},
	};

	for (size_t i = 0; i < sizeof(ADVICE) / sizeof(ADVICE[0]); i++)
		if (vma->vmflags & ADVICE[i].flag)
			plan_op(plan, SYS_madvise, RST_IGNORE, PLAN_ADVISE, index,
				PLAN_ARGS(vma->start, vma->end - vma->start,
					  (uint64_t)ADVICE[i].advice));
	if (vma->vmflags & MAPS_VM_LOCKED)
		plan_op(plan, SYS_mlock2, RST_IGNORE, PLAN_ADVISE, index,
			PLAN_ARGS(vma->start, vma->end - vma->start,
				  vma->vmflags & MAPS_VM_LOCKONFAULT ? MLOCK_ONFAULT : 0));
}

/* The descriptor to map from, of those that the plan has for writing and for reading alone. */
static int source_fd(const struct plan *plan, const struct m_vma *vma)
{
	const int32_t *fds = vma->kind == M_VMA_OBJECT ? plan->object_fds : plan->backing_fds;
	const int32_t *ro = vma->kind == M_VMA_OBJECT ? plan->object_ro_fds : plan->backing_ro_fds;

	return plan_maps_read_only(vma) && ro[vma->backing] >= 0 ? ro[vma->backing]
								 : fds[vma->backing];
}

static void fill_vma(struct plan *plan, uint32_t index)
{
	const struct m_vma *vma = &plan->m->vmas[index];
	uint64_t size = vma->end - vma->start;
	bool opened = plan_reads_any(plan, vma) && !(vma->prot & PROT_WRITE);
	uint32_t prot = vma->prot | (opened ? PROT_READ | PROT_WRITE : 0);
	uint32_t flags = vma->map_flags;
	uint64_t offset = vma->offset;
	int fd = -1;

	switch (vma->kind) {
	case M_VMA_VDSO:
	case M_VMA_VVAR:
		return;
	case M_VMA_ANON:
		flags |= MAP_ANONYMOUS;
		offset = 0;
		break;
	default:
		fd = source_fd(plan, vma);
	}
	map(plan, index, vma->start, size, prot, flags, fd, offset);
	map_pieces(plan, index, vma);
	if (plan->reader[index] == PLAN_READER_LEADER)
		plan_read_pages(plan, index);
	if (opened)
		plan_op(plan, SYS_mprotect, RST_OK, PLAN_MAP, index,
			PLAN_ARGS(vma->start, size, vma->prot));
	fill_advice(plan, index, vma);
}

static void fill_guards(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->m->n_guards; i++) {
		const struct m_guard *guard = &plan->m->guards[i];

		plan_op(plan, SYS_madvise, RST_OK, PLAN_GUARD, i,
			PLAN_ARGS(guard->start, guard->end - guard->start, MADV_GUARD_INSTALL));
	}
}

/* When all is mapped: F_SEAL_FUTURE_WRITE allows what was mapped before it, and F_SEAL_WRITE what
 * can't be made writable. */
static void fill_seals(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->m->n_objects; i++)
		if (plan->m->objects[i].seals)
			plan_op(plan, SYS_fcntl, RST_OK, PLAN_SEAL, i,
				PLAN_ARGS((uint64_t)plan->object_fds[i], F_ADD_SEALS,
					  plan->m->objects[i].seals));
}

int plan_fill_memory(struct plan *plan, struct jsnap_error *err)
{
	char *scratch = plan_alloc(plan, PLAN_VDSO_SCRATCH, 4096);
	int r;

	if (!scratch)
		return plan_out_of_region(err);
	r = plan_fill_vdso(plan, (uint64_t)scratch, true, err);
	if (r < 0)
		return r;
	fill_unmap(plan);
	for (uint32_t i = 0; i < plan->m->n_vmas; i++)
		fill_vma(plan, i);
	fill_guards(plan);
	fill_seals(plan);
	return plan_fill_vdso(plan, (uint64_t)scratch, false, err);
}
