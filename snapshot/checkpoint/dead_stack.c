/*
 * What lies below a thread's stack pointer is dead (psABI: all but a red zone of 128 bytes) and may
 * hold what nobody meant to keep: it is stored as zeros. Only where a mapping is surely one stack:
 * the main thread's, which the kernel grows; and, in a program that was vouched for, one as nptl
 * makes it (nptl/allocatestack.c), thread block on top and guard below, with one thread in it.
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"

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

static int by_address(const void *a, const void *b)
{
	const struct capture_stack *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

int capture_find_stacks(struct capture *c, struct jsnap_error *err)
{
	size_t n = c->tracee.n_threads;

	c->stacks = reallocarray(NULL, n, 2 * sizeof(*c->stacks));
	if (!c->stacks)
		return error_set(err, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < n; i++) {
		const struct user_regs_struct *regs = &c->tracee.threads[i].regs;

		c->stacks[c->n_stacks++] = (struct capture_stack){regs->rsp, i};
		c->stacks[c->n_stacks++] = (struct capture_stack){regs->fs_base, i};
	}
	qsort(c->stacks, c->n_stacks, sizeof(*c->stacks), by_address);
	return 0;
}

const struct capture_stack *capture_stacks_in(const struct capture *c, uint64_t start, uint64_t end,
					      size_t *ret_count)
{
	size_t low = 0, high = c->n_stacks, first;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->stacks[middle].address < start)
			low = middle + 1;
		else
			high = middle;
	}
	for (first = low; low < c->n_stacks && c->stacks[low].address < end;)
		low++;
	*ret_count = low - first;
	return c->stacks + first;
}

/* The end of what is dead below a stack pointer in mapping `i`; 0: nothing surely is. */
static uint64_t dead_end(const struct capture *c, uint32_t i)
{
	const struct m_vma *vma = &c->m->vmas[i];
	const struct tracee_thread *owner = NULL;
	size_t count;
	const struct capture_stack *in = capture_stacks_in(c, vma->start, vma->end, &count);
	uint64_t end;

	for (size_t k = 0; k < count; k++)
		if (in[k].thread != in[0].thread)
			return 0;
	if (count)
		owner = &c->tracee.threads[in[0].thread];
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

int capture_dead_stacks(struct capture *c, struct jsnap_error *err)
{
	c->dead_ends = calloc((size_t)c->m->n_vmas + 1, sizeof(*c->dead_ends));
	if (!c->dead_ends)
		return error_set(err, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < c->m->n_vmas; i++)
		c->dead_ends[i] = dead_end(c, i);
	return 0;
}
