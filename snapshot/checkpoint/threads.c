/* One record for each thread. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "trace/restart.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifndef SCHED_FLAG_RESET_ON_FORK
#define SCHED_FLAG_RESET_ON_FORK 1
#endif

#define AFFINITY_MAX 1024u /* bytes: 8,192 processors, NR_CPUS_RANGE_END of x86 */

/* Real-time priorities need a right that the restored process may lack (sched(7)). */
static int refuse_policy(struct capture *c, pid_t tid, const struct sched_attr *attr,
			 struct jsnap_error *err)
{
	static const char *const NAMES[] = {"SCHED_OTHER",   "SCHED_FIFO", "SCHED_RR",
					    "SCHED_BATCH",   "SCHED_ISO",  "SCHED_IDLE",
					    "SCHED_DEADLINE"};
	uint32_t policy = attr->sched_policy;
	struct rlimit limit = {0};

	if (policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE)
		return 0;
	prlimit(c->options->pid, RLIMIT_RTPRIO, NULL, &limit);
	if ((policy == SCHED_FIFO || policy == SCHED_RR) &&
	    (geteuid() == 0 || limit.rlim_max >= attr->sched_priority))
		return 0;
	return error_set(err, ENOTSUP, "thread %d has the scheduling policy %s, which %s", tid,
			 policy < ARRAY_SIZE(NAMES) ? NAMES[policy] : "of an extension",
			 policy == SCHED_FIFO || policy == SCHED_RR
				 ? "its limit (ulimit -Hr) would not let a restored one have"
				 : "is not carried");
}

/* What jsnap itself has of processor and disks: a thread that has the same has it because nobody
 * has chosen, and a restored one then gets what whoever restores it has. */
struct shares {
	unsigned char affinity[AFFINITY_MAX];
	long affinity_size; /* below 0: it can't be told */
	long ioprio;
	struct sched_attr attr; /* size 0: it can't be told */
};

static void read_own_shares(struct shares *ret_own)
{
	struct sched_attr attr = {.size = sizeof(attr)};

	*ret_own = (struct shares){0};
	ret_own->affinity_size =
		syscall(SYS_sched_getaffinity, 0, sizeof(ret_own->affinity), ret_own->affinity);
	ret_own->ioprio = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) == 0)
		ret_own->attr = attr;
}

static int capture_affinity(struct capture *c, pid_t tid, const struct shares *own,
			    struct m_thread *thread, struct jsnap_error *err)
{
	unsigned char affinity[AFFINITY_MAX];
	long size = syscall(SYS_sched_getaffinity, tid, sizeof(affinity), affinity);

	if (size < 0)
		return error_errno(err, "read the processors of thread %d", tid);
	if (size == own->affinity_size && memcmp(affinity, own->affinity, (size_t)size) == 0)
		return 0;
	return manifest_blob(c->m, affinity, (size_t)size, &thread->affinity);
}

static void capture_shares(pid_t tid, const struct sched_attr *attr, const struct shares *own,
			   struct m_thread *thread)
{
	long theirs = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);

	if (theirs > 0 && theirs != own->ioprio)
		thread->ioprio = (uint32_t)theirs;
	if (attr->sched_policy != SCHED_NORMAL && attr->sched_policy != SCHED_BATCH)
		return;
	if (own->attr.size && own->attr.sched_runtime != attr->sched_runtime)
		thread->slice_ns = attr->sched_runtime;
}

static int capture_scheduling(struct capture *c, pid_t tid, const struct shares *own,
			      struct m_thread *thread, struct jsnap_error *err)
{
	struct sched_attr attr = {.size = sizeof(attr)};
	int r;

	if (syscall(SYS_sched_getattr, tid, &attr, sizeof(attr), 0) < 0)
		return error_errno(err, "read the scheduling of thread %d", tid);
	r = refuse_policy(c, tid, &attr, err);
	if (r < 0)
		return r;
	thread->sched_policy = attr.sched_policy;
	thread->sched_nice = attr.sched_nice;
	thread->sched_priority = attr.sched_priority;
	thread->sched_flags = attr.sched_flags & SCHED_FLAG_RESET_ON_FORK;
	capture_shares(tid, &attr, own, thread);
	return capture_affinity(c, tid, own, thread, err);
}

static int capture_rseq(pid_t tid, struct m_thread *thread, struct jsnap_error *err)
{
	struct __ptrace_rseq_configuration rseq = {0};

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof(rseq), &rseq) < 0) {
		if (errno == EIO || errno == EINVAL)
			return 0; /* a kernel without it: nothing to restore */
		return error_errno(err, "read the rseq registration of thread %d", tid);
	}
	thread->rseq_addr = rseq.rseq_abi_pointer;
	thread->rseq_size = rseq.rseq_abi_size;
	thread->rseq_signature = rseq.signature;
	thread->rseq_flags = rseq.flags;
	return 0;
}

#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211 /* Linux 6.4 */
#endif

static int refuse_dispatch(pid_t tid, struct jsnap_error *err)
{
	struct {
		uint64_t mode, selector, offset, len;
	} config = {0};

	if (ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, tid, (void *)sizeof(config), &config) <
		    0 ||
	    !config.mode)
		return 0;
	return error_set(
		err, ENOTSUP,
		"thread %d takes its own system calls (PR_SET_SYSCALL_USER_DISPATCH), which "
		"is not carried",
		tid);
}

/* What only the thread itself is told, as it lies in its data for calls. */
struct told {
	uint64_t tid_address;
	stack_t altstack;
	int pdeath_signal;
};

#define TOLD(member) REMOTE_DATA(offsetof(struct told, member))

static const struct remote_chained QUESTIONS[] = {
	{SYS_prctl, {PR_GET_TID_ADDRESS, TOLD(tid_address)}},
	{SYS_sigaltstack, {0, TOLD(altstack)}},
	{SYS_prctl, {PR_GET_PDEATHSIG, TOLD(pdeath_signal)}},
};

/* What is told by the result of the call alone. */
static int ask_slack(struct remote *remotes, size_t n, long *slack, struct jsnap_error *err)
{
	return remote_call_all(remotes, n, slack, err, SYS_prctl, REMOTE_ARGS(PR_GET_TIMERSLACK));
}

static int ask_singly(struct remote *remotes, size_t n, long *slack, struct jsnap_error *err)
{
	int r = 0;

	for (size_t q = 0; r == 0 && q < ARRAY_SIZE(QUESTIONS); q++) {
		const struct remote_chained *question = &QUESTIONS[q];

		r = remote_call_all(remotes, n, slack, err, question->nr,
				    REMOTE_ARGS(question->args[0], question->args[1]));
		for (size_t i = 0; r == 0 && i < n; i++)
			if (slack[i] < 0)
				r = error_set(err, ENOTSUP,
					      "the kernel does not tell clear_child_tid or the "
					      "like (PR_GET_TID_ADDRESS needs "
					      "CONFIG_CHECKPOINT_RESTORE)");
	}
	return r < 0 ? r : ask_slack(remotes, n, slack, err);
}

/* A signal that means nothing to the program; 0: there is none. */
static int idle_signal(const struct capture *c)
{
	static const int IGNORED[] = {SIGURG, SIGWINCH, SIGCHLD}; /* signal(7) */
	uint64_t meant = c->status.sig_caught;

	for (size_t i = 0; i < c->tracee.n_threads; i++)
		meant |= c->tracee.threads[i].sigmask;
	for (size_t k = 0; k < ARRAY_SIZE(IGNORED); k++)
		if (!(meant & 1ull << (IGNORED[k] - 1)))
			return IGNORED[k];
	return 0;
}

static size_t index_of(const struct capture *c, const struct remote *remote)
{
	return (size_t)(remote->thread - c->tracee.threads);
}

/* Whether threads may send themselves signals: a filter may forbid it. */
static int ask_leave(struct capture *c, bool *ret_may, struct jsnap_error *err)
{
	uint64_t self = (uint64_t)c->ns_pid;
	long result;
	int r = remote_call(&c->leader, &result, err, SYS_tgkill, REMOTE_ARGS(self, self, 0));

	*ret_may = result == 0;
	return r;
}

static int ask_together(struct capture *c, struct remote *remotes, size_t n, int signo, long *slack,
			struct jsnap_error *err)
{
	CLEANUP_FREE pid_t *own_tids = calloc(n, sizeof(*own_tids));
	int r = own_tids ? ask_slack(remotes, n, slack, err)
			 : error_set(err, ENOMEM, "out of memory");

	for (size_t i = 0; r == 0 && i < n; i++)
		own_tids[i] = capture_own_tid(c, index_of(c, &remotes[i]));
	return r < 0 ? r
		     : remote_chain_all(remotes, n,
					&(struct remote_chain){.calls = QUESTIONS,
							       .n_calls = ARRAY_SIZE(QUESTIONS),
							       .own_pid = c->ns_pid,
							       .own_tids = own_tids,
							       .signo = signo},
					err);
}

static int ask_others(struct capture *c, struct remote *remotes, size_t n, long *slack,
		      struct jsnap_error *err)
{
	int signo = remote_can_chain(&c->gadgets) ? idle_signal(c) : 0;
	bool may = false;
	int r = signo ? ask_leave(c, &may, err) : 0;

	if (r < 0)
		return r;
	return may ? ask_together(c, remotes, n, signo, slack, err)
		   : ask_singly(remotes, n, slack, err);
}

static int keep_told(struct capture *c, const struct remote *remote, long slack,
		     struct jsnap_error *err)
{
	struct m_thread *thread = &c->m->threads[index_of(c, remote)];
	struct told told;
	int r = tracee_read(&c->tracee, remote->data, &told, sizeof(told), err);

	if (r < 0)
		return r;
	thread->clear_child_tid = told.tid_address;
	thread->altstack_sp = (uint64_t)told.altstack.ss_sp;
	thread->altstack_size = told.altstack.ss_size;
	thread->altstack_flags = (uint32_t)told.altstack.ss_flags & ~(uint32_t)SS_ONSTACK;
	thread->pdeath_signal = (uint32_t)told.pdeath_signal;
	thread->timer_slack_ns = slack > 0 ? (uint64_t)slack : 0;
	return 0;
}

/* All threads but the leader at once: what one costs is mostly the wait until it has had its turn.
 */
static int capture_others_told(struct capture *c, struct jsnap_error *err)
{
	CLEANUP_FREE struct remote *remotes = calloc(c->tracee.n_threads, sizeof(*remotes));
	CLEANUP_FREE long *slack = calloc(c->tracee.n_threads, sizeof(*slack));
	size_t n = 0;
	int r = remotes && slack ? 0 : error_set(err, ENOMEM, "out of memory");

	for (size_t i = 0; r == 0 && i < c->tracee.n_threads; i++) {
		struct tracee_thread *thread = &c->tracee.threads[i];

		if (thread != c->leader.thread)
			r = remote_begin(&remotes[n++], &c->tracee, thread, &c->gadgets, &c->maps,
					 err);
	}
	if (r == 0 && n)
		r = ask_others(c, remotes, n, slack, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = keep_told(c, &remotes[i], slack[i], err);
	tracee_put_back_all(&c->tracee, c->leader.thread);
	return r;
}

/* The leader comes first, and shows that the kernel answers such questions. */
static int capture_told(struct capture *c, struct jsnap_error *err)
{
	long slack;
	int r = ask_singly(&c->leader, 1, &slack, err);

	if (r == 0)
		r = keep_told(c, &c->leader, slack, err);
	return r < 0 ? r : capture_others_told(c, err);
}

/*
 * A thread stopped inside a restartable sequence must start it over (rseq(2), kernel/rseq.c): the
 * kernel forgets the sequence while the thread makes our calls, and a restored one was moved for
 * sure. Sets the registers that both kinds of going on use.
 */
static int abort_sequence(struct capture *c, struct tracee_thread *from,
			  const struct m_thread *thread, struct jsnap_error *err)
{
	struct rseq_cs sequence;
	uint64_t at;
	int r;

	if (!thread->rseq_addr)
		return 0;
	r = tracee_read(&c->tracee, remote_at(thread->rseq_addr + offsetof(struct rseq, rseq_cs)),
			&at, sizeof(at), err);
	if (r < 0 || !at)
		return r;
	/* A stale pointer to a sequence that is gone is legal: the kernel only looks inside one. */
	if (tracee_read(&c->tracee, remote_at(at), &sequence, sizeof(sequence), NULL) < 0)
		return 0;
	if (from->regs.rip - sequence.start_ip < sequence.post_commit_offset)
		from->regs.rip = sequence.abort_ip;
	return 0;
}

static bool restarts(const struct manifest *m, int signo)
{
	for (uint32_t i = 0; i < m->n_sigactions; i++)
		if (m->sigactions[i].signo == (uint32_t)signo)
			return m->sigactions[i].flags & SA_RESTART;
	return true; /* no handler: the call is restarted, or the process ends */
}

static enum restart_signal waiting_signal(const struct capture *c, const struct m_thread *thread)
{
	enum restart_signal found = RESTART_NO_SIGNAL;

	for (uint32_t i = 0; i < c->m->n_siginfos; i++) {
		const struct m_siginfo *info = &c->m->siginfos[i];
		int signo;

		memcpy(&signo, info->info, sizeof(signo));
		if ((info->tid && info->tid != thread->tid) || signo < 1 || signo > 64 ||
		    (thread->sigmask & (1ull << (signo - 1))))
			continue;
		if (!restarts(c->m, signo))
			return RESTART_SIGNAL_INTERRUPTS;
		found = RESTART_SIGNAL_RESTARTS;
	}
	return found;
}

static int capture_registers(struct capture *c, struct tracee_thread *from, struct m_thread *thread,
			     struct jsnap_error *err)
{
	struct user_regs_struct regs = from->regs;
	unsigned char xsave[TRACEE_XSAVE_MAX];
	enum restart_deadline restart;
	size_t size;
	int r;

	_Static_assert(sizeof(regs) == sizeof(thread->regs), "user_regs_struct is 27 words");
	thread->sigmask = from->sigmask;
	restart_rewind(&c->tracee, &regs, waiting_signal(c, thread), &restart,
		       &thread->deadline_addr);
	thread->restart = restart;
	memcpy(thread->regs, &regs, sizeof(regs));
	r = tracee_xsave(from, xsave, sizeof(xsave), &size, err);
	if (r < 0)
		return r;
	return manifest_blob(c->m, xsave, size, &thread->xsave);
}

static int capture_thread(struct capture *c, size_t i, const struct shares *own,
			  struct jsnap_error *err)
{
	struct tracee_thread *from = &c->tracee.threads[i];
	struct m_thread *thread = MANIFEST_ADD(c->m, threads);
	void *head = NULL;
	size_t length = 0;
	int r;

	if (!thread)
		return error_set(err, ENOMEM, "too many threads");
	thread->tid = (uint32_t)capture_own_tid(c, i);
	memcpy(thread->comm, c->statuses[i].comm, sizeof(thread->comm));
	if (syscall(SYS_get_robust_list, from->tid, &head, &length) < 0)
		return error_errno(err, "read the robust list of thread %d", from->tid);
	thread->robust_list = (uint64_t)head;
	thread->robust_list_size = length;
	r = capture_scheduling(c, from->tid, own, thread, err);
	if (r == 0)
		r = capture_rseq(from->tid, thread, err);
	if (r == 0)
		r = refuse_dispatch(from->tid, err);
	if (r == 0)
		r = abort_sequence(c, from, thread, err);
	return r;
}

static int by_tid(const void *a, const void *b)
{
	const struct m_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

int capture_threads(struct capture *c, struct jsnap_error *err)
{
	struct shares own;
	int r = 0;

	read_own_shares(&own);
	for (size_t i = 0; r == 0 && i < c->tracee.n_threads; i++)
		r = capture_thread(c, i, &own, err);
	if (r == 0)
		r = capture_told(c, err);
	for (size_t i = 0; r == 0 && i < c->tracee.n_threads; i++)
		r = capture_registers(c, &c->tracee.threads[i], &c->m->threads[i], err);
	if (r == 0)
		qsort(c->m->threads, c->m->n_threads, sizeof(c->m->threads[0]), by_tid);
	return r;
}
