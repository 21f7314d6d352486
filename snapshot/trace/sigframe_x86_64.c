/* See sigframe.h. */
#include "trace/sigframe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ucontext.h>

/* arch/x86/include/uapi/asm/sigcontext.h, arch/x86/include/uapi/asm/ucontext.h */
#define K_FP_XSTATE_MAGIC1     0x46505853u
#define K_FP_XSTATE_MAGIC2     0x46505845u
#define K_UC_FP_XSTATE	       0x1u
#define K_UC_SIGCONTEXT_SS     0x2u
#define K_UC_STRICT_RESTORE_SS 0x4u

#define XSAVE_LEGACY_SIZE  512u
#define XSAVE_HEADER_SIZE  64u
#define XSAVE_SW_OFFSET	   464u /* software-reserved bytes of the legacy area */
#define XFEATURE_TILE_DATA (1ull << 18)

struct k_fpx_sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};

#define PKRU 9u

/* Bytes of the standard-format area that holds these features (Intel SDM 1, 13.4.3). */
static uint32_t xstate_size(const struct cpu *cpu, uint64_t features)
{
	uint32_t size = XSAVE_LEGACY_SIZE + XSAVE_HEADER_SIZE;

	for (unsigned i = 2; i < CPU_COMPONENTS; i++)
		if ((features >> i & 1) && cpu->xsave_at[i] + cpu->xsave_size[i] > size)
			size = cpu->xsave_at[i] + cpu->xsave_size[i];
	return size;
}

/* Each component from where one processor keeps it to where the other does; components that only
 * the first one has are empty (host_check_cpu) and are left out. */
static int move_state(const struct sigframe_input *in, const struct cpu *from, const struct cpu *to,
		      uint64_t features, char *fp, struct jsnap_error *err)
{
	uint64_t in_use, *out;

	memcpy(fp, in->xsave, XSAVE_LEGACY_SIZE + XSAVE_HEADER_SIZE);
	memcpy(&in_use, fp + XSAVE_LEGACY_SIZE, sizeof(in_use));
	if (in_use & ~features & ~(1ull << PKRU))
		return error_set(err, ENOTSUP,
				 "it has extended state in use (%#llx) that this processor lacks",
				 (unsigned long long)(in_use & ~features));
	out = (uint64_t *)(fp + XSAVE_LEGACY_SIZE);
	*out = in_use & features;
	for (unsigned i = 2; i < CPU_COMPONENTS; i++) {
		uint64_t end = (uint64_t)from->xsave_at[i] + from->xsave_size[i];

		if (!(features >> i & 1) || !from->xsave_size[i])
			continue;
		if (end > in->xsave_size || from->xsave_size[i] > to->xsave_size[i])
			return error_set(err, EBADMSG,
					 "extended state %u lies outside its %zu bytes", i,
					 in->xsave_size);
		memcpy(fp + to->xsave_at[i], (const char *)in->xsave + from->xsave_at[i],
		       from->xsave_size[i]);
	}
	return 0;
}

static void fill_registers(ucontext_t *uc, const struct sigframe_input *in)
{
	const struct user_regs_struct *r = in->regs;
	greg_t *g = uc->uc_mcontext.gregs;

	g[REG_R8] = (greg_t)r->r8;
	g[REG_R9] = (greg_t)r->r9;
	g[REG_R10] = (greg_t)r->r10;
	g[REG_R11] = (greg_t)r->r11;
	g[REG_R12] = (greg_t)r->r12;
	g[REG_R13] = (greg_t)r->r13;
	g[REG_R14] = (greg_t)r->r14;
	g[REG_R15] = (greg_t)r->r15;
	g[REG_RDI] = (greg_t)r->rdi;
	g[REG_RSI] = (greg_t)r->rsi;
	g[REG_RBP] = (greg_t)r->rbp;
	g[REG_RBX] = (greg_t)r->rbx;
	g[REG_RDX] = (greg_t)r->rdx;
	g[REG_RAX] = (greg_t)r->rax;
	g[REG_RCX] = (greg_t)r->rcx;
	g[REG_RSP] = (greg_t)r->rsp;
	g[REG_RIP] = (greg_t)r->rip;
	g[REG_EFL] = (greg_t)r->eflags;
	g[REG_CSGSFS] = (greg_t)((r->cs & 0xffff) | (r->gs & 0xffff) << 16 |
				 (r->fs & 0xffff) << 32 | (r->ss & 0xffff) << 48);
	/* Only the kernel's eight bytes of the mask are part of the frame. */
	memcpy(&uc->uc_sigmask, &in->sigmask, sizeof(in->sigmask));
	uc->uc_stack.ss_sp = (void *)in->altstack_sp;
	uc->uc_stack.ss_flags = (int)in->altstack_flags;
	uc->uc_stack.ss_size = in->altstack_size;
}

int sigframe_build(const struct sigframe_input *in, uint64_t at, void *buf, size_t capacity,
		   size_t *ret_size, struct jsnap_error *err)
{
	uint64_t fp_at = (at + sizeof(ucontext_t) + 63) & ~63ull;
	char *fp = (char *)buf + (fp_at - at);
	struct k_fpx_sw_bytes sw = {.magic1 = K_FP_XSTATE_MAGIC1};
	uint32_t magic2 = K_FP_XSTATE_MAGIC2;
	const struct cpu *from = in->from, *to = in->to;
	uint64_t enabled, in_use;
	struct cpu here;
	size_t total;
	ucontext_t *uc = buf;
	int r;

	if (in->xsave_size < XSAVE_LEGACY_SIZE + XSAVE_HEADER_SIZE)
		return error_set(err, EBADMSG, "extended state of %zu bytes is too short",
				 in->xsave_size);
	if (!to) {
		cpu_here(&here);
		from = to = &here;
	}
	memcpy(&enabled, (const char *)in->xsave + XSAVE_SW_OFFSET, sizeof(enabled));
	memcpy(&in_use, (const char *)in->xsave + XSAVE_LEGACY_SIZE, sizeof(in_use));
	if (in_use & XFEATURE_TILE_DATA)
		return error_set(err, ENOTSUP, "a thread has AMX tile data in use");
	enabled &= to->xcr0 & ~XFEATURE_TILE_DATA;
	sw.xfeatures = enabled;
	sw.xstate_size = xstate_size(to, enabled);
	sw.extended_size = sw.xstate_size + (uint32_t)sizeof(magic2);
	total = fp_at - at + sw.extended_size;
	if (total > capacity)
		return error_set(err, EBADMSG,
				 "extended state of %zu bytes does not fit this processor, which "
				 "needs %u",
				 in->xsave_size, sw.xstate_size);
	memset(buf, 0, total);
	r = move_state(in, from, to, enabled, fp, err);
	if (r < 0)
		return r;
	memcpy(fp + XSAVE_SW_OFFSET, &sw, sizeof(sw));
	memcpy(fp + sw.xstate_size, &magic2, sizeof(magic2));
	uc->uc_flags = K_UC_FP_XSTATE | K_UC_SIGCONTEXT_SS | K_UC_STRICT_RESTORE_SS;
	uc->uc_mcontext.fpregs = (fpregset_t)fp_at;
	fill_registers(uc, in);
	*ret_size = total;
	return 0;
}

int sigframe_build_bare(const struct sigframe_input *in, void *buf, size_t capacity,
			size_t *ret_size, struct jsnap_error *err)
{
	const size_t size = offsetof(ucontext_t, uc_sigmask) + sizeof(in->sigmask);
	ucontext_t uc = {.uc_flags = K_UC_SIGCONTEXT_SS | K_UC_STRICT_RESTORE_SS};

	if (size > capacity)
		return error_set(err, EINVAL, "no room for a signal frame");
	fill_registers(&uc, in);
	memcpy(buf, &uc, size);
	*ret_size = size;
	return 0;
}
