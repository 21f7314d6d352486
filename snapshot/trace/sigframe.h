/*
 * A signal frame that makes rt_sigreturn(2) resume a thread with given registers, extended state
 * and mask (arch/x86/kernel/signal_64.c, arch/x86/kernel/fpu/signal.c). Used both to guarantee that
 * a thread with injected calls comes back by itself, and to start restored threads.
 */
#ifndef JSNAP_TRACE_SIGFRAME_H
#define JSNAP_TRACE_SIGFRAME_H

#include "base/error.h"

#include "proc/cpu.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#define SIGFRAME_OVERHEAD \
	1280u		    /* bytes a frame needs beside the extended state, alignment included */
#define SIGFRAME_MAX 20480u /* bytes that a frame may need, alignment included */

struct sigframe_input {
	const struct user_regs_struct *regs;
	const void *xsave; /* as NT_X86_XSTATE gives it */
	size_t xsave_size;
	/* The processor it comes from and the one it goes to; NULL, NULL: both are this one. */
	const struct cpu *from, *to;
	uint64_t sigmask;
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
};

/*
 * Writes the frame for address `at` (16-aligned) into `buf`. The stack pointer must be `at` when
 * rt_sigreturn is called. *ret_size: bytes used.
 * -ENOTSUP: the thread uses state that cannot be resumed this way (AMX tiles), or that `to` lacks.
 */
int sigframe_build(const struct sigframe_input *in, uint64_t at, void *buf, size_t capacity,
		   size_t *ret_size, struct jsnap_error *err);

/* The same without extended state, which is reset; needs no more than 304 bytes. */
int sigframe_build_bare(const struct sigframe_input *in, void *buf, size_t capacity,
			size_t *ret_size, struct jsnap_error *err);

#endif
