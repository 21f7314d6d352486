/* The per-process end of the plan: memory layout fields, and what comes back when all threads
 * exist. */
#include "restore/plan.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67 /* Linux 6.4 */
#endif
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS	77 /* Linux 6.15 */
#define PR_TIMER_CREATE_RESTORE_IDS_ON	1
#define PR_TIMER_CREATE_RESTORE_IDS_GET 2
#endif

/* While there is one thread: the others inherit it, and registering waits for nobody
 * (kernel/sched/membarrier.c, sync_runqueues_membarrier_state). */
static int fill_inherited(struct plan *plan, struct jsnap_error *err)
{
	static const uint32_t COMMANDS[] = {MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
					    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
					    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
					    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ};
	/* What costs others nothing. */
	const uint32_t harmless = COMMANDS[1] | COMMANDS[2] | COMMANDS[3];
	const struct m_process *p = plan->m->process;
	bool unknown = p->membarrier == M_MEMBARRIER_UNKNOWN;
	void *nodes = plan_put(plan, &p->mempolicy_nodes, sizeof(p->mempolicy_nodes));

	if (!nodes)
		return plan_out_of_region(err);
	for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++)
		if ((unknown ? harmless : p->membarrier) & COMMANDS[i])
			plan_op(plan, SYS_membarrier, unknown ? RST_IGNORE : RST_OK, PLAN_SETTING,
				0, PLAN_ARGS(COMMANDS[i]));
	if (p->mempolicy)
		plan_op(plan, SYS_set_mempolicy, RST_OK, PLAN_SETTING, 0,
			PLAN_ARGS(p->mempolicy, (uint64_t)nodes, 65));
	if (p->mce_kill != prctl(PR_MCE_KILL_GET, 0, 0, 0, 0))
		plan_op(plan, SYS_prctl, RST_OK, PLAN_SETTING, 0,
			PLAN_ARGS(PR_MCE_KILL, PR_MCE_KILL_SET, p->mce_kill));
	if (p->memory_merge)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_SETTING, 0,
			PLAN_ARGS(PR_SET_MEMORY_MERGE, 1));
	/* When all is mapped; what is too much for the user's limit stays unlocked, as ever. */
	if (p->future_locks & MCL_FUTURE)
		plan_op(plan, SYS_mlockall, RST_IGNORE, PLAN_SETTING, 0,
			PLAN_ARGS(p->future_locks & (MCL_FUTURE | MCL_ONFAULT)));
	return 0;
}

int plan_fill_layout(struct plan *plan, struct jsnap_error *err)
{
	const struct m_process *p = plan->m->process;
	struct prctl_mm_map layout = {.start_code = p->start_code,
				      .end_code = p->end_code,
				      .start_data = p->start_data,
				      .end_data = p->end_data,
				      .start_brk = p->start_brk,
				      .brk = p->brk,
				      .start_stack = p->start_stack,
				      .arg_start = p->arg_start,
				      .arg_end = p->arg_end,
				      .env_start = p->env_start,
				      .env_end = p->env_end,
				      .auxv_size = p->auxv.size,
				      .exe_fd = (uint32_t)-1};
	char *raised = plan_alloc(plan, PRIVILEGE_CAPSET_SIZE, 16);
	int capability = privilege_tid_capability();
	void *base, *with_exe;

	layout.auxv = plan_put(plan, manifest_bytes(plan->m, p->auxv), p->auxv.size);
	base = plan_put(plan, &layout, sizeof(layout));
	layout.exe_fd = (uint32_t)plan->exe_fd;
	with_exe = plan_put(plan, &layout, sizeof(layout));
	if (!layout.auxv || !base || !with_exe || !raised)
		return plan_out_of_region(err);
	plan_op(plan, SYS_prctl, RST_OK, PLAN_LAYOUT, 0,
		PLAN_ARGS(PR_SET_MM, PR_SET_MM_MAP, (uint64_t)base, sizeof(layout)));
	/* For all threads, which are cloned after it. */
	if (plan->drop_capabilities)
		plan_op(plan, SYS_prctl, RST_IGNORE, PLAN_PRIVILEGE, 0,
			PLAN_ARGS(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL));
	if (!plan->userns && capability >= 0) {
		privilege_capset_raise(raised, capability);
		plan_op(plan, SYS_capset, RST_OK, PLAN_PRIVILEGE, 0,
			PLAN_ARGS((uint64_t)raised, (uint64_t)(raised + PRIVILEGE_HEADER_SIZE)));
	}
	/* After the mappings, to which READ_IMPLIES_EXEC would add; threads inherit it. */
	if (p->personality != (uint32_t)personality(0xffffffff))
		plan_op(plan, SYS_personality, RST_OK, PLAN_SETTING, 0, PLAN_ARGS(p->personality));
	if (fill_inherited(plan, err) < 0)
		return -err->code;
	/* The link /proc/PID/exe may change only with a privilege; nothing depends on it. */
	if (plan->exe_fd >= 0)
		plan_op(plan, SYS_prctl, RST_IGNORE, PLAN_LAYOUT, 0,
			PLAN_ARGS(PR_SET_MM, PR_SET_MM_MAP, (uint64_t)with_exe, sizeof(layout)));
	return 0;
}

static int fill_sigactions(struct plan *plan, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < plan->m->n_sigactions; i++) {
		const struct m_sigaction *from = &plan->m->sigactions[i];
		const uint64_t action[4] = {from->handler, from->flags, from->restorer, from->mask};
		void *copy = plan_put(plan, action, sizeof(action));

		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_rt_sigaction, RST_OK, PLAN_SIGNAL, from->signo,
			PLAN_ARGS(from->signo, (uint64_t)copy, 0, sizeof(uint64_t)));
	}
	return 0;
}

static int fill_shared_pending(struct plan *plan, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < plan->m->n_siginfos; i++) {
		const struct m_siginfo *info = &plan->m->siginfos[i];
		int signo;
		void *copy;

		if (info->tid)
			continue;
		memcpy(&signo, info->info, sizeof(signo));
		copy = plan_put(plan, info->info, sizeof(info->info));
		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_rt_sigqueueinfo, RST_OK, PLAN_SIGNAL, (uint64_t)signo,
			PLAN_ARGS(plan->m->process->pid, (uint64_t)signo, (uint64_t)copy));
	}
	return 0;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
				 .tv_nsec = (long)(ns % 1000000000u)};
}

static struct timeval to_timeval(uint64_t ns)
{
	return (struct timeval){.tv_sec = (time_t)(ns / 1000000000u),
				.tv_usec = (suseconds_t)(ns % 1000000000u / 1000u)};
}

/* One whose signal is pending has no time left: the kernel sets it anew when the signal is taken,
 * and only if it is set (kernel/time/itimer.c, posixtimer_rearm_itimer). */
static int fill_itimers(struct plan *plan, struct jsnap_error *err)
{
	for (unsigned which = 0; which < 3; which++) {
		const uint64_t *from = plan->m->process->itimers[which];
		struct itimerval value = {.it_interval = to_timeval(from[0]),
					  .it_value = to_timeval(from[1] ? from[1] : from[0])};
		void *copy;

		if (!from[0] && !from[1])
			continue;
		copy = plan_put(plan, &value, sizeof(value));
		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_setitimer, RST_OK, PLAN_TIMER, which,
			PLAN_ARGS(which, (uint64_t)copy));
	}
	return 0;
}

/* Without the kernel's help ids are handed out in order: make and drop what lies between. */
static int skip_timer_ids(struct plan *plan, uint32_t from, uint32_t to, void *event,
			  struct jsnap_error *err)
{
	int32_t *id = plan_alloc(plan, sizeof(*id), 8);

	if (!id)
		return plan_out_of_region(err);
	if (to > PLAN_TIMER_IDS_MAX)
		return error_set(err, ENOTSUP,
				 "POSIX timer ids up to %u can't be restored on this kernel", to);
	for (uint32_t i = from; i < to; i++) {
		plan_op(plan, SYS_timer_create, RST_TIMER_ID, PLAN_TIMER, i,
			PLAN_ARGS(CLOCK_MONOTONIC, (uint64_t)event, (uint64_t)id));
		plan_op(plan, SYS_timer_delete, RST_OK, PLAN_TIMER, i, PLAN_ARGS(i));
	}
	return 0;
}

static int fill_posix_timer(struct plan *plan, const struct m_posix_timer *t, uint32_t next,
			    bool by_id, struct jsnap_error *err)
{
	struct sigevent event = {.sigev_notify = t->notify, .sigev_signo = t->signo};
	struct itimerspec value = {.it_interval = to_timespec(t->interval_ns),
				   .it_value = to_timespec(t->value_ns)};
	void *event_copy, *value_copy;
	int32_t id = (int32_t)t->id, *id_copy;
	int r = 0;

	event.sigev_value.sival_ptr = (void *)t->sigval;
	event._sigev_un._tid = (pid_t)t->notify_tid;
	event_copy = plan_put(plan, &event, sizeof(event));
	value_copy = plan_put(plan, &value, sizeof(value));
	id_copy = plan_put(plan, &id, sizeof(id));
	if (!event_copy || !value_copy || !id_copy)
		return plan_out_of_region(err);
	if (!by_id)
		r = skip_timer_ids(plan, next, t->id, event_copy, err);
	if (r < 0)
		return r;
	plan_op(plan, SYS_timer_create, RST_TIMER_ID, PLAN_TIMER, t->id,
		PLAN_ARGS((uint64_t)t->clockid, (uint64_t)event_copy, (uint64_t)id_copy));
	if (t->value_ns)
		plan_op(plan, SYS_timer_settime, RST_OK, PLAN_TIMER, t->id,
			PLAN_ARGS(t->id, 0, (uint64_t)value_copy));
	return 0;
}

static int fill_posix_timers(struct plan *plan, struct jsnap_error *err)
{
	bool by_id =
		prctl(PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_GET, 0, 0, 0) >= 0;
	uint32_t next = 0;
	int r = 0;

	if (!plan->m->n_posix_timers)
		return 0;
	if (by_id)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_TIMER, 0,
			PLAN_ARGS(PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_ON));
	for (uint32_t i = 0; r == 0 && i < plan->m->n_posix_timers; i++) {
		r = fill_posix_timer(plan, &plan->m->posix_timers[i], next, by_id, err);
		next = plan->m->posix_timers[i].id + 1;
	}
	if (by_id)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_TIMER, 0,
			PLAN_ARGS(PR_TIMER_CREATE_RESTORE_IDS, 0));
	return r;
}

static int fill_rlimits(struct plan *plan, struct jsnap_error *err)
{
	for (unsigned i = 0; i < 16; i++) {
		const uint64_t *from = plan->m->process->rlimits[i];
		struct rlimit own, limit = {.rlim_cur = from[0], .rlim_max = from[1]};
		void *copy;

		if (getrlimit(i, &own) < 0)
			continue;
		/* A hard limit can't be raised without a privilege: the caller's bounds ours. */
		if (limit.rlim_max > own.rlim_max)
			limit.rlim_max = own.rlim_max;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		if (limit.rlim_cur == own.rlim_cur && limit.rlim_max == own.rlim_max &&
		    i != RLIMIT_NOFILE)
			continue;
		copy = plan_put(plan, &limit, sizeof(limit));
		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_prlimit64, RST_OK, PLAN_SETTING, i,
			PLAN_ARGS(0, i, (uint64_t)copy));
	}
	return 0;
}

/* Whether 16 bytes at an address are the program's to write. */
static bool writable(const struct manifest *m, uint64_t address)
{
	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const struct m_vma *vma = &m->vmas[i];

		if (address >= vma->start && address < vma->end)
			return (vma->prot & PROT_WRITE) && vma->end - address >= 16;
	}
	return false;
}

/* A deadline in constant memory cannot be moved: it has passed then, and the waiter looks again. */
static void fill_deadlines(struct plan *plan)
{
	for (uint32_t i = 0; plan->asleep_ns && i < plan->m->n_threads; i++) {
		const struct m_thread *t = &plan->m->threads[i];
		bool again = false;

		if (t->restart == M_RESTART_NONE || !writable(plan->m, t->deadline_addr))
			continue;
		for (uint32_t k = 0; k < i; k++)
			again |= plan->m->threads[k].restart != M_RESTART_NONE &&
				 plan->m->threads[k].deadline_addr == t->deadline_addr;
		if (!again)
			plan_op(plan, RST_NR_ADD_TIME, RST_OK, PLAN_THREAD, t->tid,
				PLAN_ARGS(t->deadline_addr, plan->asleep_ns));
	}
}

static void fill_dumpable(struct plan *plan)
{
	if (plan->m->process->dumpable <= 1)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_SETTING, 0,
			PLAN_ARGS(PR_SET_DUMPABLE, plan->m->process->dumpable));
}

static int fill_locks(struct plan *plan, struct jsnap_error *err)
{
	static const uint32_t OFD_SETLK = 37; /* F_OFD_SETLK */

	for (uint32_t i = 0; i < plan->m->n_locks; i++) {
		const struct m_lock *from = &plan->m->locks[i];
		struct flock lock = {.l_type = (short)from->type,
				     .l_whence = SEEK_SET,
				     .l_start = (off_t)from->start,
				     .l_len = (off_t)from->length};
		uint32_t fd = plan->m->fds[from->fd].fd;
		void *copy = plan_put(plan, &lock, sizeof(lock));

		if (!copy)
			return plan_out_of_region(err);
		if (from->kind == M_LOCK_FLOCK)
			plan_op(plan, SYS_flock, RST_OK, PLAN_LOCK, i,
				PLAN_ARGS(fd, from->type == F_WRLCK ? LOCK_EX | LOCK_NB
								    : LOCK_SH | LOCK_NB));
		else
			plan_op(plan, SYS_fcntl, RST_OK, PLAN_LOCK, i,
				PLAN_ARGS(fd, from->kind == M_LOCK_OFD ? OFD_SETLK : F_SETLK,
					  (uint64_t)copy));
	}
	return 0;
}

/* Signals of descriptors, last of all: what jsnap does to them must send none. */
static int fill_owners(struct plan *plan, struct jsnap_error *err)
{
	const uint32_t keep = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC;

	for (uint32_t i = 0; i < plan->m->n_fds; i++) {
		const struct m_file *file = &plan->m->files[plan->m->fds[i].file];
		const int32_t owner[2] = {(int32_t)file->owner_type, file->owner};
		uint32_t fd = plan->m->fds[i].fd;
		void *copy;

		if (file->kind == M_FILE_INHERIT || file->kind == M_FILE_CLOSED ||
		    (file->flags & O_PATH) ||
		    (!file->owner && !file->owner_signal && !(file->flags & O_ASYNC)))
			continue;
		copy = plan_put(plan, owner, sizeof(owner));
		if (!copy)
			return plan_out_of_region(err);
		plan_op(plan, SYS_fcntl, RST_OK, PLAN_OWNER, i,
			PLAN_ARGS(fd, F_SETSIG, (uint64_t)file->owner_signal));
		if (file->owner)
			plan_op(plan, SYS_fcntl, RST_OK, PLAN_OWNER, i,
				PLAN_ARGS(fd, F_SETOWN_EX, (uint64_t)copy));
		plan_op(plan, SYS_fcntl, RST_OK, PLAN_OWNER, i,
			PLAN_ARGS(fd, F_SETFL, file->flags & keep));
	}
	return 0;
}

static int fill_after_close(struct plan *plan, struct jsnap_error *err)
{
	size_t first = plan->n_ops;
	int r = fill_locks(plan, err);

	if (r == 0)
		r = fill_owners(plan, err);
	plan->head->after_close = plan_list(plan, first);
	return r;
}

static const struct m_thread *find_leader(const struct manifest *m)
{
	for (uint32_t i = 0; i < m->n_threads; i++)
		if (m->threads[i].tid == m->process->pid)
			return &m->threads[i];
	return NULL;
}

int plan_fill_process(struct plan *plan, struct jsnap_error *err)
{
	const struct m_process *p = plan->m->process;
	const struct m_thread *leader = find_leader(plan->m);
	size_t first = plan->n_ops;
	int r = fill_sigactions(plan, err);

	if (r == 0)
		r = fill_shared_pending(plan, err);
	if (r == 0)
		r = fill_itimers(plan, err);
	if (r == 0)
		r = fill_posix_timers(plan, err);
	if (r == 0)
		r = fill_rlimits(plan, err);
	fill_deadlines(plan);
	if (p->child_subreaper)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_SETTING, 0,
			PLAN_ARGS(PR_SET_CHILD_SUBREAPER, 1));
	if (p->thp_disable)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_SETTING, 0,
			PLAN_ARGS(PR_SET_THP_DISABLE, 1, p->thp_disable & ~1u));
	fill_dumpable(plan);
	if (fault_on(FAULT_RESTORER)) /* no system call has this number */
		plan_op(plan, 0xffff, RST_OK, PLAN_SETTING, 0, PLAN_ARGS(0));
	if (plan->options->keep_parent_death_signal)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_SETTING, 0, PLAN_ARGS(PR_SET_PDEATHSIG, 0));
	/* What the program asked for takes the place of dying with jsnap. */
	if (leader && leader->pdeath_signal)
		plan_op(plan, SYS_prctl, RST_OK, PLAN_SETTING, 0,
			PLAN_ARGS(PR_SET_PDEATHSIG, leader->pdeath_signal));
	plan->head->finish = plan_list(plan, first);
	if (r == 0)
		r = fill_after_close(plan, err);
	return r;
}
