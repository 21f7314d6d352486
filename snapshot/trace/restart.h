/*
 * System calls that a stop interrupted. The kernel leaves an ERESTART code in rax
 * (include/linux/errno.h) and acts on it when the thread goes on (arch/x86/kernel/signal.c,
 * arch_do_signal_or_restart); a restored thread has no such kernel state, so its registers must
 * say by themselves what happens next.
 */
#ifndef JSNAP_TRACE_RESTART_H
#define JSNAP_TRACE_RESTART_H

#include "trace/tracee.h"

enum restart_signal { /* what waits for the thread, unblocked */
		      RESTART_NO_SIGNAL,
		      RESTART_SIGNAL_RESTARTS, /* its handler was installed with SA_RESTART */
		      RESTART_SIGNAL_INTERRUPTS,
};

enum restart_deadline { /* which clock an absolute deadline is of; values are those of m_restart */
			RESTART_NONE,
			RESTART_ABSOLUTE_MONOTONIC,
			RESTART_ABSOLUTE_BOOTTIME,
};

/*
 * Rewrites `regs` of a stopped thread so that resuming them in another process makes the call again
 * with its original arguments, unless a signal that will be delivered first must end it with EINTR.
 * *ret_restart and *ret_deadline tell
 * where an absolute deadline lies that the time asleep must be added to.
 */
void restart_rewind(const struct tracee *tracee, struct user_regs_struct *regs,
		    enum restart_signal signal, enum restart_deadline *ret_restart,
		    uint64_t *ret_deadline);

/* The same for a thread that is released in place: only what the kernel would not do by itself.
 * restart_needed tells whether there is anything; not to be done when a signal waits for the
 * thread, whose handler must see the call end with EINTR. */
bool restart_needed(const struct user_regs_struct *regs);
void restart_in_place(struct user_regs_struct *regs);

#endif
