/* Signal dispositions, and signals that are pending with their siginfo. */
#include "checkpoint/capture.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#define PEEK_BATCH     32
#define PENDING_ROUNDS 100u

struct kernel_sigaction { /* include/linux/signal_types.h on x86-64 */
	uint64_t handler, flags, restorer, mask;
};

static int capture_disposition(struct capture *c, int signo, struct jsnap_error *err)
{
	struct kernel_sigaction action;
	struct m_sigaction *record;
	int r = capture_call_out(c, &action, sizeof(action), err, "ask a signal's disposition",
				 SYS_rt_sigaction,
				 REMOTE_ARGS((uint64_t)signo, 0, CAPTURE_OUT, sizeof(action.mask)));

	if (r < 0 || (!action.handler && !action.flags && !action.mask))
		return r;
	record = MANIFEST_ADD(c->m, sigactions);
	if (!record)
		return error_set(err, ENOMEM, "out of memory");
	record->signo = (uint32_t)signo;
	record->handler = action.handler;
	record->flags = action.flags;
	record->restorer = action.restorer;
	record->mask = action.mask;
	return 0;
}

static int capture_queue(struct capture *c, pid_t tid, pid_t ns_tid, uint32_t flags,
			 struct jsnap_error *err)
{
	siginfo_t batch[PEEK_BATCH];

	for (uint64_t offset = 0;;) {
		struct __ptrace_peeksiginfo_args args = {
			.off = offset, .flags = flags, .nr = PEEK_BATCH};
		long n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, batch);

		if (n < 0)
			return error_errno(err, "read the pending signals of thread %d", tid);
		for (long i = 0; i < n; i++) {
			struct m_siginfo *record = MANIFEST_ADD(c->m, siginfos);

			if (!record)
				return error_set(err, ENOMEM, "too many pending signals");
			record->tid = flags ? 0 : (uint32_t)ns_tid;
			memcpy(record->info, &batch[i], sizeof(record->info));
		}
		if (n < PEEK_BATCH)
			return 0;
		offset += (uint64_t)n;
	}
}

int capture_signals(struct capture *c, struct jsnap_error *err)
{
	/* A default action's flags mean something for SIGCHLD only (SA_NOCLDWAIT). */
	uint64_t set = c->status.sig_ignored | c->status.sig_caught | 1ull << (SIGCHLD - 1);
	int r = 0;

	for (int signo = 1; r == 0 && signo <= 64; signo++)
		if (set & (1ull << (signo - 1)))
			r = capture_disposition(c, signo, err);
	return r;
}

static int capture_queues(struct capture *c, struct jsnap_error *err)
{
	int r;

	c->m->n_siginfos = 0;
	r = capture_queue(c, c->options->pid, 0, PTRACE_PEEKSIGINFO_SHARED, err);
	for (size_t i = 0; r == 0 && i < c->tracee.n_threads; i++)
		r = capture_queue(c, c->tracee.threads[i].tid, capture_own_tid(c, i), 0, err);
	return r;
}

/*
 * A timer goes on while the process is stopped. One that expires between the two readings would be
 * lost, its signal not yet pending and its time over, or come twice: so both are read until no
 * signal has come meanwhile.
 */
int capture_pending(struct capture *c, struct jsnap_error *err)
{
	for (unsigned round = 0; round < PENDING_ROUNDS; round++) {
		uint32_t before;
		int r = capture_queues(c, err);

		before = c->m->n_siginfos;
		if (r == 0)
			r = capture_timers(c, err);
		if (r == 0)
			r = capture_queues(c, err);
		if (r < 0 || c->m->n_siginfos == before)
			return r;
	}
	return error_set(err, EBUSY, "signals come faster than they can be read; try again");
}
