/*
 * What lies below a thread's stack pointer is dead (psABI: all but a red zone of 128 bytes) and may
 * hold what nobody meant to keep: it is stored as zeros. Only where a mapping is surely one stack:
 * the main thread's, which the kernel grows; and, in a program that was vouched for, one as nptl
 * makes it (nptl/allocatestack.c), thread block on top and guard below, with one thread in it.
 */
#include "checkpoint/capture.h"

#include <string.h>
#include <sys/mman.h>

#define RED_ZONE  128u
#define STACK_MAX (64ull << 20)
#define BLOCK_MAX (64ull << 10) /* of static thread-local storage, at the stack's top */
#define GUARD_MAX (1ull << 20)

static bool inside(const struct m_vma *vma, uint64_t address)
{
	return address >= vma->start && address < vma->end;
}

static bool has_guard(const struct manifest *m, uint32_t i)
{
	const struct m_vma *below = i ? &m->vmas[i - 1] : NULL;

	return below && below->end == m->vmas[i].start && below->prot == PROT_NONE &&
	       below->end - below->start <= GUARD_MAX;
}

static bool is_thread_stack(const struct capture *c, uint32_t i, const struct tracee_thread *owner)
{
	const struct m_vma *vma = &c->m->vmas[i];

	return c->options->file_backed && vma->kind == M_VMA_ANON &&
	       vma->end - vma->start <= STACK_MAX && has_guard(c->m, i) &&
	       inside(vma, owner->regs.fs_base) && vma->end - owner->regs.fs_base <= BLOCK_MAX;
}

uint64_t capture_dead_stack(const struct capture *c, uint32_t i)
{
	const struct m_vma *vma = &c->m->vmas[i];
	const struct tracee_thread *owner = NULL;
	uint64_t end;

	for (size_t k = 0; k < c->tracee.n_threads; k++) {
		const struct tracee_thread *thread = &c->tracee.threads[k];

		if (!inside(vma, thread->regs.rsp) && !inside(vma, thread->regs.fs_base))
			continue;
		if (owner)
			return 0;
		owner = thread;
	}
	if (!owner || !inside(vma, owner->regs.rsp) ||
	    (strcmp(manifest_str(c->m, vma->name), "[stack]") != 0 &&
	     !is_thread_stack(c, i, owner)))
		return 0;
	end = owner->regs.rsp - RED_ZONE;
	for (uint32_t k = 0; k < c->m->n_threads; k++) {
		const struct m_thread *t = &c->m->threads[k];

		/* A signal stack within it is live wherever it lies. */
		if (t->altstack_size && t->altstack_sp < end &&
		    t->altstack_sp + t->altstack_size > vma->start)
			return 0;
	}
	for (uint32_t k = 0; k < c->m->n_guards; k++)
		if (c->m->guards[k].start < end && c->m->guards[k].end > vma->start)
			return 0;
	return end > vma->start ? end : 0;
}
