/* The lists that threads run by themselves before the barrier, and the frames they return from. */
#include "restore/plan.h"

#include "base/privilege.h"
#include "trace/sigframe.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define AFFINITY_MAX   1024u
#define SEEK_TRIES_MAX 262144u /* numbers that a walk, whose price was found right, may take */

struct own_scheduling { /* of the launcher, which threads inherit and need not be told again */
	int nice;
	unsigned char affinity[AFFINITY_MAX];
	long affinity_size;
	uint64_t timer_slack;
};

static int build_frame(struct plan *plan, const struct m_thread *t, uint64_t *ret_frame,
		       struct jsnap_error *err)
{
	char frame[SIGFRAME_MAX];
	struct user_regs_struct regs;
	size_t size;
	char *at;
	int r;

	memcpy(&regs, t->regs, sizeof(regs));
	/* Frames are 64-aligned, so where one ends up does not change its layout. */
	at = plan->region + ((plan->data_used + 63) & ~63ull);
	r = sigframe_build(&(struct sigframe_input){.regs = &regs,
						    .xsave = manifest_bytes(plan->m, t->xsave),
						    .xsave_size = t->xsave.size,
						    .from = &plan->from,
						    .to = &plan->to,
						    .sigmask = t->sigmask,
						    .altstack_sp = t->altstack_sp,
						    .altstack_size = t->altstack_size,
						    .altstack_flags = t->altstack_flags},
			   (uint64_t)at, frame, sizeof(frame), &size, err);
	if (r < 0)
		return error_context(err, "thread %u (%.16s)", t->tid, t->comm);
	at = plan_alloc(plan, size, 64);
	if (!at)
		return plan_out_of_region(err);
	memcpy(at, frame, size);
	*ret_frame = (uint64_t)at;
	return 0;
}

static int fill_scheduling(struct plan *plan, const struct m_thread *t,
			   const struct own_scheduling *own, struct jsnap_error *err)
{
	const void *affinity = manifest_bytes(plan->m, t->affinity);
	uint32_t size = t->affinity.size;

	if (t->sched_policy != SCHED_NORMAL || t->sched_nice != own->nice || t->sched_flags ||
	    t->slice_ns) {
		struct sched_attr attr = {.size = SCHED_ATTR_SIZE_VER0,
					  .sched_policy = t->sched_policy,
					  .sched_flags = t->sched_flags,
					  .sched_nice = t->sched_nice,
					  .sched_priority = t->sched_priority,
					  .sched_runtime = t->slice_ns};
		void *copy = plan_put(plan, &attr, sizeof(attr));

		if (!copy)
			return plan_out_of_region(err);
		/* A nice value that the caller may not give stays the caller's. */
		plan_op(plan, SYS_sched_setattr,
			t->sched_policy == SCHED_FIFO || t->sched_policy == SCHED_RR ? RST_OK
										     : RST_IGNORE,
			PLAN_THREAD, t->tid, PLAN_ARGS(0, (uint64_t)copy));
	}
	if (t->ioprio) /* as nice */
		plan_op(plan, SYS_ioprio_set, RST_IGNORE, PLAN_THREAD, t->tid,
			PLAN_ARGS(IOPRIO_WHO_PROCESS, 0, t->ioprio));
	if (size &&
	    (size != (uint32_t)own->affinity_size || memcmp(affinity, own->affinity, size) != 0)) {
		void *copy = plan_put(plan, affinity, size);

		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_sched_setaffinity, RST_IGNORE, PLAN_THREAD, t->tid,
			PLAN_ARGS(0, size, (uint64_t)copy));
	}
	if (t->timer_slack_ns && t->timer_slack_ns != own->timer_slack)
		plan_op(plan, SYS_prctl, RST_IGNORE, PLAN_THREAD, t->tid,
			PLAN_ARGS(PR_SET_TIMERSLACK, t->timer_slack_ns));
	return 0;
}

/* Restored from inside the thread itself, which the kernel lets send any siginfo to itself. */
static int fill_pending(struct plan *plan, const struct m_thread *t, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < plan->m->n_siginfos; i++) {
		const struct m_siginfo *info = &plan->m->siginfos[i];
		int signo;
		void *copy;

		if (info->tid != t->tid)
			continue;
		memcpy(&signo, info->info, sizeof(signo));
		copy = plan_put(plan, info->info, sizeof(info->info));
		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_rt_tgsigqueueinfo, RST_OK, PLAN_SIGNAL, (uint64_t)signo,
			PLAN_ARGS(plan->m->process->pid, t->tid, (uint64_t)signo, (uint64_t)copy));
	}
	return 0;
}

static int fill_own_state(struct plan *plan, const struct m_thread *t,
			  const struct own_scheduling *own, struct jsnap_error *err)
{
	const uint64_t gs = ((const struct user_regs_struct *)t->regs)->gs_base;
	void *name = plan_put(plan, t->comm, sizeof(t->comm));
	int r;

	if (!name)
		return plan_out_of_region(err);
	if (t->robust_list)
		plan_op(plan, SYS_set_robust_list, RST_OK, PLAN_THREAD, t->tid,
			PLAN_ARGS(t->robust_list, t->robust_list_size));
	if (t->rseq_addr)
		plan_op(plan, SYS_rseq, RST_OK, PLAN_THREAD, t->tid,
			PLAN_ARGS(t->rseq_addr, t->rseq_size, t->rseq_flags, t->rseq_signature));
	plan_op(plan, SYS_prctl, RST_OK, PLAN_THREAD, t->tid,
		PLAN_ARGS(PR_SET_NAME, (uint64_t)name));
	if (gs)
		plan_op(plan, SYS_arch_prctl, RST_OK, PLAN_THREAD, t->tid,
			PLAN_ARGS(ARCH_SET_GS, gs));
	if (!(t->altstack_flags & SS_DISABLE)) {
		stack_t stack = {.ss_sp = (void *)t->altstack_sp,
				 .ss_flags = (int)t->altstack_flags,
				 .ss_size = t->altstack_size};
		void *copy = plan_put(plan, &stack, sizeof(stack));

		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_sigaltstack, RST_OK, PLAN_THREAD, t->tid,
			PLAN_ARGS((uint64_t)copy));
	}
	if (t->pdeath_signal && t->tid != plan->m->process->pid)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_THREAD, t->tid,
			PLAN_ARGS(PR_SET_PDEATHSIG, t->pdeath_signal));
	r = fill_scheduling(plan, t, own, err);
	if (r == 0)
		r = fill_pending(plan, t, err);
	return r;
}

/* Before anything else of a thread: what follows uses addresses that the image gives. */
static void fill_drop(struct plan *plan, const void *empty, const struct m_thread *t)
{
	const char *header = empty; /* of a capset(2) call with what may be kept */

	if (!plan->drop_capabilities)
		return;
	plan_op(plan, SYS_capset, RST_OK, PLAN_PRIVILEGE, t->tid,
		PLAN_ARGS((uint64_t)header, (uint64_t)(header + PRIVILEGE_HEADER_SIZE)));
}

static int fill_thread(struct plan *plan, const struct m_thread *t, struct rst_thread *thread,
		       const struct own_scheduling *own, const void *empty, struct jsnap_error *err)
{
	const struct user_regs_struct *regs = (const void *)t->regs;
	char *stack = plan_alloc(plan, PLAN_THREAD_STACK, 16);
	int32_t *set_tid = plan_alloc(plan, sizeof(*set_tid), 8);
	uint32_t own_vma = plan->own_vma[t - plan->m->threads];
	size_t first = plan->n_ops;
	uint64_t top;
	int r;

	if (!stack || !set_tid)
		return plan_out_of_region(err);
	fill_drop(plan, empty, t);
	if (own_vma != MANIFEST_NONE)
		plan_read_pages(plan, own_vma);
	/* By itself: of a thread with a wrong number the kernel would clear the word. */
	plan_op(plan, SYS_set_tid_address, RST_OK, PLAN_THREAD, t->tid,
		PLAN_ARGS(t->clear_child_tid));
	r = build_frame(plan, t, &thread->frame, err);
	if (r == 0)
		r = fill_own_state(plan, t, own, err);
	if (r < 0)
		return r;
	thread->plan = plan->head;
	thread->tid = (int32_t)t->tid;
	thread->held = plan_accepts(plan, t) ? RST_HELD_DOORS
		       : plan_holds(plan, t) ? RST_HELD_TIME
					     : RST_NOT_HELD;
	thread->ops = plan_list(plan, first);
	*set_tid = (int32_t)t->tid;
	/* The record's address lies where the new thread pops it; the stack is then 16-aligned. */
	top = (uint64_t)(stack + PLAN_THREAD_STACK - 8);
	*(uint64_t *)top = (uint64_t)thread;
	thread->clone =
		(struct rst_clone_args){.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
						 CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS,
					.stack = (uint64_t)stack,
					.stack_size = PLAN_THREAD_STACK - 8,
					.tls = regs->fs_base,
					.set_tid = (uint64_t)set_tid,
					.set_tid_size = 1};
	return 0;
}

static int fill_leader(struct plan *plan, const struct m_thread *t,
		       const struct own_scheduling *own, const void *empty, struct jsnap_error *err)
{
	const struct user_regs_struct *regs = (const void *)t->regs;
	struct rst_thread *leader = &plan->head->leader;
	size_t first = plan->n_ops;
	int r;

	fill_drop(plan, empty, t);
	plan_op(plan, SYS_set_tid_address, RST_OK, PLAN_THREAD, t->tid,
		PLAN_ARGS(t->clear_child_tid));
	plan_op(plan, SYS_arch_prctl, RST_OK, PLAN_THREAD, t->tid,
		PLAN_ARGS(ARCH_SET_FS, regs->fs_base));
	r = build_frame(plan, t, &leader->frame, err);
	if (r == 0)
		r = fill_own_state(plan, t, own, err);
	leader->plan = plan->head;
	leader->tid = (int32_t)t->tid;
	leader->held = plan_accepts(plan, t) ? RST_HELD_DOORS : RST_NOT_HELD;
	leader->ops = plan_list(plan, first);
	return r;
}

int plan_fill_threads(struct plan *plan, struct jsnap_error *err)
{
	struct own_scheduling own = {.nice = getpriority(PRIO_PROCESS, 0)};
	struct rst_thread *threads = plan_alloc(plan, plan->m->n_threads * sizeof(*threads),
						_Alignof(struct rst_thread));
	void *empty = plan_alloc(plan, PRIVILEGE_CAPSET_SIZE, 16);
	uint32_t leader = 0;
	uint64_t n = 0;
	int r;

	if (!threads || !empty)
		return plan_out_of_region(err);
	privilege_capset_keep(empty, plan->keep_capabilities);
	own.affinity_size = syscall(SYS_sched_getaffinity, 0, sizeof(own.affinity), own.affinity);
	own.timer_slack = (uint64_t)prctl(PR_GET_TIMERSLACK);
	while (leader < plan->m->n_threads && plan->m->threads[leader].tid != plan->m->process->pid)
		leader++;
	if (leader == plan->m->n_threads)
		return error_set(err, EBADMSG, "the image has no main thread");
	r = fill_leader(plan, &plan->m->threads[leader], &own, empty, err);
	/* In the order in which plain clone gives the numbers, those after a wrap last. */
	for (uint32_t i = 1; r == 0 && i < plan->m->n_threads; i++)
		r = fill_thread(plan, &plan->m->threads[(leader + i) % plan->m->n_threads],
				&threads[n++], &own, empty, err);
	plan->head->threads = threads;
	plan->head->n_threads = n;
	plan->head->seek_tries = SEEK_TRIES_MAX;
	return r;
}
