/* See tracee.h. */
#include "trace/tracee.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/status.h"
#include "trace/restart.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

/* A new thread can appear while the list is read; the process would have to win this race as often.
 */
#define FREEZE_MAX_PASSES 1000

#define WAIT_YIELDS   200u
#define WAIT_PAUSE_NS 100000

#define FREEZE_PATIENCE_NS  10000000000ull /* for one thread to stop */
#define RELEASE_PATIENCE_NS 100000000ull   /* when one did not */
#define FOR_EVER	    UINT64_MAX

/*
 * A leader that died is not reported before the last of its threads has been waited for, and these
 * are the tracer's to wait for: who waits for the leader alone would wait for ever. proc(5) shows
 * it; its `stat` would add up the times of all threads.
 */
static bool is_dead(pid_t tid)
{
	struct proc_status status = {0};

	return proc_status_read(tid, 0, &status, NULL) == -ESRCH || status.state == 'Z' ||
	       status.state == 'X';
}

static int look_for_news(pid_t tid, int flags, siginfo_t *ret_info)
{
	*ret_info = (siginfo_t){0};
	return waitid(P_PID, (id_t)tid, ret_info, flags | WNOHANG | __WALL) < 0 ? -errno : 0;
}

/* Takes a stop; the news of an end is left where it is. A stop comes within microseconds as a
 * rule. */
static int wait_news(pid_t tid, uint64_t deadline_ns, siginfo_t *ret_info)
{
	for (unsigned round = 0;; round++) {
		int r = look_for_news(tid, WSTOPPED, ret_info);

		if (r == 0 && ret_info->si_pid)
			return 0;
		if (r == 0 && round < WAIT_YIELDS) {
			sched_yield();
			continue;
		}
		r = look_for_news(tid, WEXITED | WNOWAIT, ret_info);
		if (r < 0 || ret_info->si_pid)
			return r;
		if (is_dead(tid))
			return -ESRCH;
		if (deadline_ns != FOR_EVER && monotonic_ns() > deadline_ns)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = WAIT_PAUSE_NS}, NULL);
	}
}

/* Whether the end of this task is its parent's to learn, and the parent is this process. */
static bool own_child(pid_t tid)
{
	struct proc_status status;

	return proc_status_read(tid, 0, &status, NULL) == 0 && status.tgid == tid &&
	       status.ppid == getpid();
}

static int wait_until(pid_t tid, uint64_t deadline_ns, int *ret_status, struct jsnap_error *err)
{
	siginfo_t info;
	int r = wait_news(tid, deadline_ns, &info);

	if (r == -ETIMEDOUT)
		return error_set(
			err, ETIMEDOUT,
			"thread %d can't be stopped: it is in an uninterruptible system call; "
			"try again when that is over",
			tid);
	if (r < 0 && r != -ESRCH)
		return error_set(err, -r, "wait for thread %d: %s", tid, strerror(-r));
	if (r == 0 && info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) {
		if (!own_child(tid) && waitpid(tid, NULL, __WALL | WNOHANG) != tid)
			return error_errno(err, "wait for thread %d", tid);
		r = -ESRCH;
	}
	if (r < 0)
		return error_set(err, ESRCH, "thread %d ended while it was being stopped", tid);
	*ret_status = info.si_status << 8 | 0x7f; /* kernel/exit.c, wait_task_stopped */
	return 0;
}

int tracee_wait(pid_t tid, int *ret_status, struct jsnap_error *err)
{
	return wait_until(tid, FOR_EVER, ret_status, err);
}

int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs, struct jsnap_error *err)
{
	struct iovec iov = {.iov_base = (void *)regs, .iov_len = sizeof(*regs)};

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		return error_errno(err, "set the registers of thread %d", tid);
	return 0;
}

int tracee_get_regs(pid_t tid, struct user_regs_struct *ret_regs, struct jsnap_error *err)
{
	struct user_regs_struct regs;
	struct iovec iov = {.iov_base = &regs, .iov_len = sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) < 0)
		return error_errno(err, "read the registers of thread %d", tid);
	if (iov.iov_len != sizeof(regs))
		return error_set(err, ENOTSUP, "thread %d is not a 64-bit thread", tid);
	*ret_regs = regs;
	return 0;
}

int tracee_xsave(const struct tracee_thread *thread, void *buf, size_t capacity, size_t *ret_size,
		 struct jsnap_error *err)
{
	struct iovec iov = {.iov_base = buf, .iov_len = capacity};

	if (ptrace(PTRACE_GETREGSET, thread->tid, (void *)NT_X86_XSTATE, &iov) < 0)
		return error_errno(err, "read the extended registers of thread %d", thread->tid);
	*ret_size = iov.iov_len;
	return 0;
}

static int by_tid(const void *a, const void *b)
{
	const struct tracee_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Among the first `n`, which are sorted. */
static bool tracee_knows(const struct tracee *tracee, size_t n, pid_t tid)
{
	const struct tracee_thread key = {.tid = tid};

	return n && bsearch(&key, tracee->threads, n, sizeof(key), by_tid);
}

static bool others_live(pid_t pid)
{
	CLEANUP_FREE pid_t *tids = NULL;
	size_t count = 0;

	return proc_tasks_read(pid, &tids, &count, NULL) == 0 && count > 1;
}

/* The files in /proc of a process that is not dumpable belong to root (proc(5)). */
static bool undumpable(pid_t pid, const struct proc_status *status)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return status->uid[1] != 0 && status->uid[1] == geteuid() && stat(path, &st) == 0 &&
	       st.st_uid == 0;
}

static int seize_failed(pid_t pid, pid_t tid, struct jsnap_error *err)
{
	int saved = errno;
	struct proc_status status;

	if (saved == EPERM && proc_status_read(pid, tid, &status, NULL) == 0) {
		if (status.tracer)
			return error_set(err, EPERM,
					 "process %d is already traced by process %d; detach that "
					 "debugger or profiler first",
					 pid, status.tracer);
		if (status.state == 'Z' && pid == tid && others_live(pid))
			return error_set(err, ENOTSUP,
					 "the main thread of process %d has ended and left others, "
					 "which is not carried",
					 pid);
		if (status.state == 'Z')
			return error_set(err, ESRCH, "process %d has ended (zombie)", pid);
		if (proc_status_one_user(&status, err) < 0)
			return -ENOTSUP;
		if (undumpable(pid, &status))
			return error_set(
				err, EPERM,
				"process %d is not dumpable (PR_SET_DUMPABLE, or a program "
				"file it may only execute): tracing it is not permitted",
				pid);
	}
	errno = saved;
	return error_errno(err, "trace thread %d of process %d", tid, pid);
}

/* A thread that has ended and is not gone yet is refused like one that may not be traced
 * (kernel/ptrace.c, ptrace_attach: exit_state). */
static bool has_ended(pid_t pid, pid_t tid)
{
	struct proc_status status;
	int saved = errno, r = proc_status_read(pid, tid, &status, NULL);

	errno = saved;
	if (r < 0)
		return r == -ENOENT || r == -ESRCH;
	return status.state == 'Z' || status.state == 'X';
}

/* Seizes the threads that are not attached yet and asks them to stop. */
static int seize_new(struct tracee *tracee, size_t *ret_new, struct jsnap_error *err)
{
	CLEANUP_FREE pid_t *tids = NULL;
	struct tracee_thread *grown;
	size_t count, known = tracee->n_threads;
	int r = proc_tasks_read(tracee->pid, &tids, &count, err);

	if (r < 0)
		return r;
	grown = realloc(tracee->threads, (tracee->n_threads + count) * sizeof(*grown));
	if (!grown)
		return error_set(err, ENOMEM, "out of memory for %zu threads", count);
	tracee->threads = grown;
	for (size_t i = 0; i < count; i++) {
		struct tracee_thread *thread;

		if (tracee_knows(tracee, known, tids[i]))
			continue;
		if (ptrace(PTRACE_SEIZE, tids[i], NULL, (void *)PTRACE_O_TRACESYSGOOD) < 0) {
			if (tids[i] != tracee->pid &&
			    (errno == ESRCH || (errno == EPERM && has_ended(tracee->pid, tids[i]))))
				continue;
			return seize_failed(tracee->pid, tids[i], err);
		}
		thread = &tracee->threads[tracee->n_threads++];
		*thread = (struct tracee_thread){.tid = tids[i], .attached = true};
		ptrace(PTRACE_INTERRUPT, tids[i], NULL, NULL);
	}
	*ret_new = tracee->n_threads - known;
	qsort(tracee->threads, tracee->n_threads, sizeof(tracee->threads[0]), by_tid);
	return 0;
}

/* Lets signals that came first be delivered until the thread reports the stop that was asked for.
 */
static int wait_interrupted(struct tracee_thread *thread, uint64_t patience_ns,
			    struct jsnap_error *err)
{
	uint64_t deadline_ns = patience_ns == FOR_EVER ? FOR_EVER : monotonic_ns() + patience_ns;

	for (;;) {
		int status, r = wait_until(thread->tid, deadline_ns, &status, err);

		if (r < 0)
			return r;
		if (status >> 16 == PTRACE_EVENT_STOP) {
			thread->stopped = true;
			thread->group_stopped = WSTOPSIG(status) != SIGTRAP;
			return 0;
		}
		if (ptrace(PTRACE_CONT, thread->tid, NULL, (void *)(long)WSTOPSIG(status)) < 0 &&
		    errno != ESRCH)
			return error_errno(err, "continue thread %d", thread->tid);
	}
}

static void drop_thread(struct tracee *tracee, size_t i)
{
	memmove(&tracee->threads[i], &tracee->threads[i + 1],
		(tracee->n_threads - i - 1) * sizeof(tracee->threads[0]));
	tracee->n_threads--;
}

static int stop_all(struct tracee *tracee, struct jsnap_error *err)
{
	for (size_t i = 0; i < tracee->n_threads;) {
		struct tracee_thread *thread = &tracee->threads[i];
		int r;

		if (thread->stopped) {
			i++;
			continue;
		}
		r = wait_interrupted(thread, FREEZE_PATIENCE_NS, err);
		if (r == -ETIMEDOUT)
			tracee->gave_up = true;
		if (r == -ESRCH || r == -ECHILD) {
			if (thread->tid == tracee->pid)
				return error_set(err, ESRCH, "process %d ended", tracee->pid);
			drop_thread(tracee, i);
			continue;
		}
		if (r < 0)
			return r;
		i++;
	}
	return 0;
}

static int read_thread(struct tracee_thread *thread, struct jsnap_error *err)
{
	int r = tracee_get_regs(thread->tid, &thread->regs, err);

	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)sizeof(thread->sigmask),
		   &thread->sigmask) < 0)
		return error_errno(err, "read the signal mask of thread %d", thread->tid);
	thread->known = true;
	return 0;
}

static int read_threads(struct tracee *tracee, struct jsnap_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < tracee->n_threads; i++)
		r = read_thread(&tracee->threads[i], err);
	return r;
}

int tracee_freeze(pid_t pid, struct tracee *ret_tracee, struct jsnap_error *err)
{
	CLEANUP_TRACEE struct tracee tracee = {.pid = pid, .mem_fd = -1};
	char path[64];
	size_t added = 1;
	int r;

	for (int pass = 0; added; pass++) {
		if (pass == FREEZE_MAX_PASSES)
			return error_set(err, EBUSY,
					 "process %d starts threads faster than they can be "
					 "stopped; try again when it is quieter",
					 pid);
		r = seize_new(&tracee, &added, err);
		if (r == 0)
			r = stop_all(&tracee, err);
		if (r < 0)
			return r;
	}
	r = read_threads(&tracee, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	tracee.mem_fd = open(path, O_RDWR | O_CLOEXEC);
	if (tracee.mem_fd < 0)
		return error_errno(err, "open %s", path);
	*ret_tracee = tracee;
	tracee = (struct tracee){.mem_fd = -1};
	return 0;
}

/* Whether the thread has a signal to handle as soon as it runs. */
static bool signal_waits(const struct tracee *tracee, const struct tracee_thread *thread)
{
	struct proc_status status;

	return proc_status_read(tracee->pid, thread->tid, &status, NULL) == 0 &&
	       ((status.sig_pending | status.shared_pending) & ~thread->sigmask);
}

/*
 * A thread that ran injected calls stops once more on the kernel's signal path, where the registers
 * it had, system call number included, make the kernel restart the call it was in.
 */
static bool put_back_begin(const struct tracee_thread *thread)
{
	ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
	return ptrace(PTRACE_CONT, thread->tid, NULL, NULL) == 0;
}

static void put_back_end(struct tracee *tracee, struct tracee_thread *thread)
{
	if (thread->redirected) {
		if (!thread->on_signal_path && wait_interrupted(thread, FOR_EVER, NULL) < 0)
			return;
		tracee_set_regs(thread->tid, &thread->regs, NULL);
		ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(thread->sigmask),
		       &thread->sigmask);
	}
	/* Only now: until here the way home led through this memory. */
	if (thread->saved)
		tracee_write(tracee, remote_at(thread->saved_at), thread->saved, thread->saved_size,
			     NULL);
	free(STEAL_PTR(thread->saved));
	thread->redirected = thread->on_signal_path = false;
}

void tracee_put_back(struct tracee *tracee, struct tracee_thread *thread)
{
	if (!thread->redirected || thread->on_signal_path || put_back_begin(thread))
		put_back_end(tracee, thread);
}

void tracee_put_back_all(struct tracee *tracee, const struct tracee_thread *but)
{
	for (size_t i = 0; i < tracee->n_threads; i++)
		if (&tracee->threads[i] != but && tracee->threads[i].redirected &&
		    !tracee->threads[i].on_signal_path)
			tracee->threads[i].gone = !put_back_begin(&tracee->threads[i]);
	for (size_t i = 0; i < tracee->n_threads; i++)
		if (&tracee->threads[i] != but && !tracee->threads[i].gone)
			put_back_end(tracee, &tracee->threads[i]);
}

static void release_thread(struct tracee *tracee, struct tracee_thread *thread)
{
	struct user_regs_struct regs;

	tracee_put_back(tracee, thread);
	if (thread->known || read_thread(thread, NULL) == 0) {
		regs = thread->regs;
		if (restart_needed(&regs) && !signal_waits(tracee, thread)) {
			restart_in_place(&regs);
			tracee_set_regs(thread->tid, &regs, NULL);
		}
	}
	ptrace(PTRACE_DETACH, thread->tid, NULL, NULL);
}

void tracee_release(struct tracee *tracee)
{
	uint64_t patience = tracee->gave_up ? RELEASE_PATIENCE_NS : FOR_EVER;

	for (size_t i = 0; i < tracee->n_threads; i++) {
		struct tracee_thread *thread = &tracee->threads[i];

		if (thread->attached &&
		    (thread->stopped || wait_interrupted(thread, patience, NULL) == 0))
			release_thread(tracee, thread);
		free(thread->saved);
	}
	free(tracee->threads);
	if (tracee->mem_fd >= 0)
		close(tracee->mem_fd);
	*tracee = (struct tracee){.mem_fd = -1};
}

void tracee_kill(struct tracee *tracee)
{
	bool own = own_child(tracee->pid);
	siginfo_t info;

	kill(tracee->pid, SIGKILL);
	for (size_t i = 0; i < tracee->n_threads; i++) {
		pid_t tid = tracee->threads[i].tid;

		if (tid != tracee->pid)
			waitpid(tid, NULL, __WALL);
	}
	/* The leader's end is reported last. A child is left for its own wait; the end of somebody
	 * else's child has to be taken before its parent can see it. */
	waitid(P_PID, (id_t)tracee->pid, &info, WEXITED | __WALL | (own ? WNOWAIT : 0));
	for (size_t i = 0; i < tracee->n_threads; i++)
		free(tracee->threads[i].saved);
	free(tracee->threads);
	if (tracee->mem_fd >= 0)
		close(tracee->mem_fd);
	*tracee = (struct tracee){.mem_fd = -1};
}

int tracee_read(const struct tracee *tracee, remote_addr from, void *to, size_t size,
		struct jsnap_error *err)
{
	int r = pread_full(tracee->mem_fd, to, size, (off_t)from.value);

	if (r < 0)
		return error_set(err, -r, "read %zu bytes at %#lx of process %d: %s", size,
				 (unsigned long)from.value, tracee->pid, strerror(-r));
	return 0;
}

int tracee_write(const struct tracee *tracee, remote_addr to, const void *from, size_t size,
		 struct jsnap_error *err)
{
	int r = pwrite_full(tracee->mem_fd, from, size, (off_t)to.value);

	if (r < 0)
		return error_set(err, -r, "write %zu bytes at %#lx of process %d: %s", size,
				 (unsigned long)to.value, tracee->pid, strerror(-r));
	return 0;
}
