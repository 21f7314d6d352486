/* See host.h. */
#include "restore/host.h"

#include "base/region.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PKRU	     9u
#define VECTOR_STATE 0xe4ull /* AVX and AVX-512 */
#define XSAVE_IN_USE 512u    /* offset of XSTATE_BV in the XSAVE area */

_Static_assert(MANIFEST_CPU_WORDS == CPU_WORDS, "format");
_Static_assert(MANIFEST_CPU_COMPONENTS == CPU_COMPONENTS, "format");

void host_layout(const struct manifest *m, struct cpu *ret_cpu)
{
	const struct m_host *h = m->host;

	*ret_cpu = (struct cpu){.xcr0 = h->xcr0};
	memcpy(ret_cpu->words, h->cpu_words, sizeof(ret_cpu->words));
	memcpy(ret_cpu->xsave_at, h->xsave_at, sizeof(ret_cpu->xsave_at));
	memcpy(ret_cpu->xsave_size, h->xsave_size, sizeof(ret_cpu->xsave_size));
}

/* Components that some thread has something in. */
static uint64_t state_in_use(const struct manifest *m)
{
	uint64_t used = 0, one;

	for (uint32_t i = 0; i < m->n_threads; i++) {
		struct m_blob xsave = m->threads[i].xsave;

		if (xsave.size < XSAVE_IN_USE + sizeof(one))
			continue;
		memcpy(&one, (const char *)manifest_bytes(m, xsave) + XSAVE_IN_USE, sizeof(one));
		used |= one;
	}
	return used;
}

static bool lacks_xsavec(const struct manifest *m)
{
	struct cpu cpu, without;

	host_layout(m, &cpu);
	without = cpu;
	cpu_remove(&without, "xsavec");
	return memcmp(cpu.words, without.words, sizeof(cpu.words)) == 0;
}

static int check_state(const struct manifest *m, const struct cpu *here, struct jsnap_error *err)
{
	const struct m_host *h = m->host;
	/* An image for a level uses what the level has; a default PKRU is no use of it. */
	uint64_t needs = h->cpu_level ? state_in_use(m) & ~(1ull << PKRU) : h->xcr0;

	/* Lazy binding then saves registers with XSAVE into a space measured at the start, which
	 * more registers would overrun (glibc, sysdeps/x86_64/dl-trampoline.h). */
	if (!h->cpu_level && here->xcr0 & ~h->xcr0 & VECTOR_STATE && lacks_xsavec(m))
		return error_set(err, ESTALE,
				 "this processor has more vector registers (extended state %#llx) "
				 "than the snapshot's (%#llx), which has no XSAVEC",
				 (unsigned long long)here->xcr0, (unsigned long long)h->xcr0);
	for (unsigned i = 0; i < CPU_COMPONENTS; i++) {
		if (!(needs >> i & 1))
			continue;
		if (!(here->xcr0 >> i & 1))
			return error_set(err, ESTALE,
					 "the snapshot's process has %s registers (extended state "
					 "%u), which this machine does not offer",
					 cpu_component_name(i), i);
		if (i >= 2 && here->xsave_size[i] != h->xsave_size[i])
			return error_set(err, ESTALE,
					 "%s registers take %u bytes on this processor, %u in the "
					 "snapshot",
					 cpu_component_name(i), here->xsave_size[i],
					 h->xsave_size[i]);
		/* A signal frame on a stack, of a handler that runs, can't be moved. */
		if (i >= 2 && !h->cpu_level && here->xsave_at[i] != h->xsave_at[i])
			return error_set(err, ESTALE,
					 "this processor keeps %s registers at another place (%u, "
					 "the snapshot's at %u); --cpu x86-64-v3 makes snapshots "
					 "for both",
					 cpu_component_name(i), here->xsave_at[i], h->xsave_at[i]);
	}
	return 0;
}

int host_check_cpu(const struct manifest *m, const struct cpu *here, struct jsnap_error *err)
{
	struct cpu needs;
	char names[400], maker[160] = "";
	unsigned missing;

	host_layout(m, &needs);
	missing = cpu_missing(&needs, here, names, sizeof(names));
	if (!missing)
		return check_state(m, here, err);
	if (m->host->cpu_level)
		snprintf(maker, sizeof(maker), "x86-64-v%u", m->host->cpu_level);
	else
		snprintf(maker, sizeof(maker), "%.64s", manifest_str(m, m->host->cpu_name));
	error_set(err, ESTALE, "this processor lacks %s, which the snapshot (made for %s) may use",
		  names, maker);
	return error_hint(err, m->host->cpu_level
				       ? "take one here"
				       : "take one here, or one with --cpu for all machines");
}

static int too_little(struct jsnap_error *err, const char *what, uint64_t has, uint64_t needs,
		      const char *hint)
{
	error_set(err, ENOMEM, "%s is %llu MiB here, the snapshot's process needs %llu MiB", what,
		  (unsigned long long)(has >> 20), (unsigned long long)(needs >> 20));
	return error_hint(err, "%s", hint);
}

static int check_places(const struct manifest *m, const struct machine *here,
			struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const struct m_vma *vma = &m->vmas[i];

		if (vma->start < here->mmap_min_addr)
			return error_set(
				err, ESTALE,
				"the snapshot has memory at %#llx, and this machine allows "
				"none below %#llx (sysctl vm.mmap_min_addr)",
				(unsigned long long)vma->start,
				(unsigned long long)here->mmap_min_addr);
		if (vma->end > here->user_end)
			return error_set(
				err, ESTALE,
				"the snapshot has memory at %#llx, and address space ends "
				"at %#llx here: this machine has no five-level page tables",
				(unsigned long long)vma->start, (unsigned long long)here->user_end);
	}
	return 0;
}

/* As mm/mmap.c counts them: all mappings, and the private writable ones that are no stack. */
static int check_limits(const struct manifest *m, const struct machine *here,
			struct jsnap_error *err)
{
	uint64_t all = 0, data = 0, stored = 0;

	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const struct m_vma *vma = &m->vmas[i];

		all += vma->end - vma->start;
		if ((vma->prot & PROT_WRITE) && !(vma->map_flags & (MAP_SHARED | MAP_GROWSDOWN)))
			data += vma->end - vma->start;
	}
	for (uint32_t i = 0; i < m->n_pieces; i++)
		stored += m->pieces[i].size;
	if (all > here->address_space)
		return too_little(err, "the limit of address space (ulimit -v)",
				  here->address_space, all, "raise it or take a new snapshot here");
	if (data > here->data)
		return too_little(err, "the limit of data memory (ulimit -d)", here->data, data,
				  "raise it or take a new snapshot here");
	if (stored > here->memory_limit)
		return too_little(err, "the memory limit of this control group", here->memory_limit,
				  stored, "allow more memory");
	if (m->n_vmas + REGION_MAPPINGS > here->max_mappings)
		return error_set(err, ENOMEM,
				 "to restore the snapshot takes %u mappings, this machine allows "
				 "%llu (sysctl vm.max_map_count)",
				 m->n_vmas + REGION_MAPPINGS,
				 (unsigned long long)here->max_mappings);
	return 0;
}

int host_check_machine(const struct manifest *m, const struct machine *here,
		       struct jsnap_error *err)
{
	int r;

	if (m->process->page_size != here->page_size)
		return error_set(err, ESTALE,
				 "the snapshot has pages of %llu bytes, this machine of %llu",
				 (unsigned long long)m->process->page_size,
				 (unsigned long long)here->page_size);
	r = check_places(m, here, err);
	return r < 0 ? r : check_limits(m, here, err);
}
