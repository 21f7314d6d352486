/*
 * The part of the plan that brings the vDSO to where the process expects it: this kernel's own when
 * the snapshot had the same, else beside the old image, which is led to it (vdso.h).
 */
#include "restore/plan.h"

#include "restore/vdso.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define USER_END 0x7ffffffff000ull

static bool is_vdso_name(const char *name)
{
	return strcmp(name, "[vdso]") == 0 || strncmp(name, "[vvar", 5) == 0;
}

static const struct maps_entry *own_vdso(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->self.count; i++)
		if (strcmp(plan->self.entries[i].name, name) == 0)
			return &plan->self.entries[i];
	return NULL;
}

static void move(struct plan *plan, uint64_t from, uint64_t to, uint64_t size)
{
	plan_op(plan, SYS_mremap, RST_OK, PLAN_VDSO, 0,
		PLAN_ARGS(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to));
}

static bool is_special(const struct m_vma *vma)
{
	return vma->kind == M_VMA_VDSO || vma->kind == M_VMA_VVAR;
}

/* The kernel follows the vDSO only when the whole of it is moved (arch/x86/entry/vdso/vma.c,
 * vdso_mremap); its place may overlap the old one, hence the detour through the region. */
static int fill_vdso(struct plan *plan, bool out, uint64_t scratch, struct jsnap_error *err)
{
	uint64_t end = scratch + PLAN_VDSO_SCRATCH;

	for (uint32_t i = 0; i < plan->m->n_vmas; i++) {
		const struct m_vma *vma = &plan->m->vmas[i];
		const struct maps_entry *own;
		uint64_t size = vma->end - vma->start;

		if (!is_special(vma))
			continue;
		own = own_vdso(plan, manifest_str(plan->m, vma->name));
		if (!own || own->end - own->start != size)
			return error_set(err, EBADMSG, "the snapshot's vDSO is not this kernel's");
		if (scratch + size > end)
			return error_set(err, EBADMSG, "the snapshot's vDSO has too many pages");
		if (out)
			move(plan, own->start, scratch, size);
		else
			move(plan, scratch, vma->start, size);
		scratch += size;
	}
	return 0;
}

/* This kernel's own vDSO and its data, which keep their distances: [*ret_start, *ret_end). */
static int own_span(const struct plan *plan, uint64_t *ret_start, uint64_t *ret_end,
		    struct jsnap_error *err)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (size_t i = 0; i < plan->self.count; i++) {
		const struct maps_entry *own = &plan->self.entries[i];

		if (!is_vdso_name(own->name))
			continue;
		start = own->start < start ? own->start : start;
		end = own->end > end ? own->end : end;
	}
	if (start >= end || end - start > PLAN_VDSO_SCRATCH)
		return error_set(err, ENOTSUP, "this kernel's vDSO has an unknown shape");
	*ret_start = start;
	*ret_end = end;
	return 0;
}

static bool is_free(const struct plan *plan, uint64_t start, uint64_t end)
{
	uint64_t region = (uint64_t)plan->region;

	if (start < region + plan->region_size && region < end)
		return false;
	for (uint32_t i = 0; i < plan->m->n_vmas; i++)
		if (start < plan->m->vmas[i].end && plan->m->vmas[i].start < end)
			return false;
	return true;
}

/* Near the old one, so that a short jump reaches it, and away from the stack that grows down. */
static int find_vdso_place(const struct plan *plan, uint64_t near, uint64_t size,
			   uint64_t *ret_place, struct jsnap_error *err)
{
	for (uint64_t step = 1; step < 4096; step++) {
		uint64_t away = step << 18, above = near + away, below = near - away;

		if (above + size <= USER_END && is_free(plan, above, above + size)) {
			*ret_place = above;
			return 0;
		}
		if (below > (1ull << 32) && is_free(plan, below, below + size)) {
			*ret_place = below;
			return 0;
		}
	}
	return error_set(err, ENOMEM, "no free address space near the vDSO at %#llx",
			 (unsigned long long)near);
}

static void move_own(struct plan *plan, bool out, uint64_t scratch, uint64_t start, uint64_t place)
{
	for (size_t i = 0; i < plan->self.count; i++) {
		const struct maps_entry *own = &plan->self.entries[i];
		uint64_t at = own->start - start;

		if (!is_vdso_name(own->name))
			continue;
		if (out)
			move(plan, own->start, scratch + at, own->end - own->start);
		else
			move(plan, scratch + at, place + at, own->end - own->start);
	}
}

/* The old image as ordinary memory, led to this kernel's functions: see vdso.h. */
static int fill_old_vdso(struct plan *plan, uint32_t index, uint64_t start, uint64_t place,
			 struct jsnap_error *err)
{
	const struct m_vma *vma = &plan->m->vmas[index];
	const struct maps_entry *own = own_vdso(plan, "[vdso]");
	struct m_blob blob = plan->m->process->vdso;
	uint64_t size = vma->end - vma->start;
	unsigned char *copy = plan_put(plan, manifest_bytes(plan->m, blob), blob.size);
	struct vdso_image new;
	unsigned patched;
	int r;

	if (!copy)
		return plan_out_of_region(err);
	if (!own || blob.size > size)
		return error_set(err, EBADMSG, "the snapshot's vDSO is larger than its place");
	new = (struct vdso_image){.bytes = (const unsigned char *)own->start,
				  .size = own->end - own->start,
				  .at = place + (own->start - start)};
	r = vdso_patch(copy, blob.size, vma->start, &new, &patched, err);
	if (r < 0)
		return r;
	plan_op(plan, SYS_mmap, RST_ARG0, PLAN_VDSO, index,
		PLAN_ARGS(vma->start, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0));
	plan_op(plan, RST_NR_COPY, RST_OK, PLAN_VDSO, index,
		PLAN_ARGS(vma->start, (uint64_t)copy, blob.size));
	plan_op(plan, SYS_mprotect, RST_OK, PLAN_VDSO, index,
		PLAN_ARGS(vma->start, size, vma->prot));
	return 0;
}

static int fill_other_vdso(struct plan *plan, uint64_t scratch, bool out, struct jsnap_error *err)
{
	uint64_t start = 0, end = 0, place = 0;
	int r = own_span(plan, &start, &end, err);

	if (r < 0)
		return r;
	if (out) {
		move_own(plan, true, scratch, start, 0);
		return 0;
	}
	for (uint32_t i = 0; r == 0 && i < plan->m->n_vmas; i++) {
		if (plan->m->vmas[i].kind != M_VMA_VDSO)
			continue;
		if (!place)
			r = find_vdso_place(plan, plan->m->vmas[i].end, end - start, &place, err);
		if (r == 0)
			r = fill_old_vdso(plan, i, start, place, err);
	}
	if (r == 0 && place)
		move_own(plan, false, scratch, start, place);
	return r;
}

static int check_names(const struct plan *plan, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < plan->m->n_vmas; i++)
		if (is_vdso_name(manifest_str(plan->m, plan->m->vmas[i].name)) !=
		    is_special(&plan->m->vmas[i]))
			return error_set(err, EBADMSG, "mapping %u misnames the vDSO", i);
	return 0;
}

int plan_fill_vdso(struct plan *plan, uint64_t scratch, bool out, struct jsnap_error *err)
{
	int r = check_names(plan, err);

	if (r < 0)
		return r;
	return plan->other_vdso ? fill_other_vdso(plan, scratch, out, err)
				: fill_vdso(plan, out, scratch, err);
}
