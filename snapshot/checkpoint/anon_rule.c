/*
 * The one rule for which memory may come back as a private mapping of the stored pages and which
 * must be anonymous.
 *
 * madvise(MADV_DONTNEED) on anonymous memory makes it read as zeros; on a private file mapping the
 * file's bytes come back (madvise(2)). glibc's malloc shrinks its arenas that way and calloc counts
 * on the zeros (malloc/arena.c, shrink_heap; malloc/malloc.c, __libc_calloc); nptl gives cached
 * thread stacks back that way (nptl/allocatestack.c, advise_stack_range). HotSpot uncommits with
 * mmap(MAP_FIXED) (os_linux.cpp, pd_uncommit_memory), which is safe on either.
 *
 * So: anonymous unless the caller vouched for the program (`file_backed`), and even then for
 * stacks, and everything when another allocator is loaded. Arenas and [heap] may be mapped when
 * malloc was told to keep them (`arenas_kept`): what it gives back then are only the insides of
 * free chunks (malloc_trim(3)), which calloc clears again; what sbrk(2) takes from [heap] is
 * unmapped, and fresh when it comes back.
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/mman.h>

#define ARENA_SIZE   (64ull << 20)  /* HEAP_MAX_SIZE of malloc/arena.c on 64-bit */
#define GUARD_MAX    (1ull << 20)   /* what lies below a stack; larger ones are reservations */
#define GUARDED_MAX  (64ull << 20)  /* a mapping with a guard below it, up to here, is a stack */
#define SMALL_ENOUGH (256ull << 10) /* copying is as cheap as one more mapping */

static bool foreign_allocator(const struct manifest *m)
{
	static const char *const NAMES[] = {"jemalloc", "tcmalloc", "mimalloc", "snmalloc",
					    "rpmalloc"};
	bool glibc = false;

	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const char *name = manifest_str(m, m->vmas[i].name);

		if (strstr(name, "/libc.so.6") || strstr(name, "/libc-2."))
			glibc = true;
		for (size_t k = 0; k < ARRAY_SIZE(NAMES); k++)
			if (strstr(name, NAMES[k]))
				return true;
	}
	return !glibc;
}

/* The arena's heaps are 64 MiB aligned reservations: read-write from the start, then PROT_NONE. */
static bool in_arena(const struct manifest *m, uint32_t i)
{
	uint64_t base = m->vmas[i].start & ~(ARENA_SIZE - 1), reach = m->vmas[i].end;

	if (m->vmas[i].start != base || reach > base + ARENA_SIZE)
		return false;
	while (++i < m->n_vmas && m->vmas[i].start == reach && m->vmas[i].kind == M_VMA_ANON &&
	       reach < base + ARENA_SIZE)
		reach = m->vmas[i].end;
	return reach >= base + ARENA_SIZE;
}

/* By its place: what an earlier restore mapped there has no name. */
static bool in_heap(const struct manifest *m, const struct m_vma *vma)
{
	return vma->start < m->process->brk && vma->end > m->process->start_brk;
}

static bool is_guarded(const struct capture *c, uint32_t i)
{
	const struct m_vma *vma = &c->m->vmas[i];

	if (capture_guarded(c, vma->start)) /* as glibc 2.42 makes stacks */
		return vma->end - vma->start <= GUARDED_MAX;
	return i > 0 && vma[-1].end == vma->start && vma[-1].prot == PROT_NONE &&
	       vma[-1].kind == M_VMA_ANON && vma[-1].end - vma[-1].start <= GUARD_MAX &&
	       vma->end - vma->start <= GUARDED_MAX;
}

static bool holds_stack(const struct capture *c, const struct m_vma *vma)
{
	size_t count;

	capture_stacks_in(c, vma->start, vma->end, &count);
	return count > 0;
}

static bool must_be_anon(const struct capture *c, uint32_t i)
{
	const struct m_vma *vma = &c->m->vmas[i];

	if (holds_stack(c, vma))
		return true;
	if (in_arena(c->m, i) || in_heap(c->m, vma))
		return !c->options->arenas_kept;
	if (manifest_str(c->m, vma->name)[0] == '[')
		return true;
	return is_guarded(c, i);
}

void capture_apply_anon_rule(struct capture *c)
{
	bool all = !c->options->file_backed || foreign_allocator(c->m);

	for (uint32_t i = 0; i < c->m->n_vmas; i++) {
		struct m_vma *vma = &c->m->vmas[i];

		if (vma->kind == M_VMA_FILE_PRIVATE)
			vma->must_be_anon = all;
		if (vma->kind == M_VMA_ANON)
			vma->must_be_anon =
				all || vma->end - vma->start <= SMALL_ENOUGH || must_be_anon(c, i);
	}
}
