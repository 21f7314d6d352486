/* See tids.h. */
#include "restore/tids.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "proc/status.h"
#include "base/privilege.h"
#include "restore/restorer/plan.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ENDING_WAIT_NS 300000000ull /* how long a PID may still belong to a dying process */

const char *tids_way_name(enum tids_way way)
{
	static const char *const NAMES[] = {[TIDS_AUTO] = "auto",
					    [TIDS_CLONE3] = "clone3",
					    [TIDS_USERNS] = "userns",
					    [TIDS_NS_LAST_PID] = "ns-last-pid",
					    [TIDS_WALK] = "walk"};

	return NAMES[way];
}

pid_t tids_clone3(pid_t wanted, uint64_t flags)
{
	struct rst_clone_args args = {.flags = flags,
				      .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
				      .set_tid = (uint64_t)&wanted,
				      .set_tid_size = 1};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* An empty call is refused by the kernel with EINVAL, by a filter as filters do. */
bool tids_has_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0) == -1 && errno == EINVAL;
}

void tids_die_with_parent(int parent_pidfd)
{
	struct pollfd p = {.fd = parent_pidfd, .events = POLLIN};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&p, 1, 0) > 0)
		_exit(125);
}

/* Dead and not reaped yet, exiting, or sent a SIGKILL that it has not seen yet: this thread. */
static bool is_thread_ending(pid_t tid, pid_t *ret_parent, pid_t *ret_leader)
{
	const uint64_t killed = 1ull << (SIGKILL - 1);
	struct proc_status status;
	struct proc_stat stat;

	if (proc_stat_read(tid, &stat, NULL) < 0 || proc_status_read(tid, 0, &status, NULL) < 0)
		return true;
	*ret_parent = stat.ppid;
	*ret_leader = status.tgid;
	return stat.state == 'Z' || stat.state == 'X' || (stat.flags & PROC_EXITING) ||
	       ((status.sig_pending | status.shared_pending) & killed);
}

/* A process ends with its last thread, and has its leader's number until then. */
static bool is_ending(pid_t tid, pid_t *ret_parent)
{
	CLEANUP_FREE pid_t *threads = NULL;
	pid_t parent, leader = 0;
	size_t n = 0;

	if (!is_thread_ending(tid, ret_parent, &leader))
		return false;
	if (tid != leader || proc_tasks_read(tid, &threads, &n, NULL) < 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (!is_thread_ending(threads[i], &parent, &leader))
			return false;
	return true;
}

/* A restored process dies with its jsnap, which may be the one that is dying just now. */
static bool will_end(pid_t tid)
{
	pid_t parent = 0, grandparent;

	return is_ending(tid, &parent) || (parent > 0 && is_ending(parent, &grandparent));
}

/* A process in the group or session of this number, whose leader may be gone: one that goes on,
 * where there is one. */
static bool find_member(pid_t id, pid_t *ret_pid, struct proc_stat *ret_stat)
{
	CLEANUP_CLOSEDIR DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct proc_stat stat;
	bool found = false;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid <= 0 || proc_stat_read(pid, &stat, NULL) < 0 ||
		    (stat.pgrp != id && stat.session != id))
			continue;
		found = true;
		*ret_pid = pid;
		*ret_stat = stat;
		if (!will_end(pid))
			break;
	}
	return found;
}

/* Nobody has the number, or whoever has it will be gone in a moment. */
static bool will_be_free(pid_t id)
{
	struct proc_stat stat;
	pid_t member;

	if (proc_stat_read(id, &stat, NULL) == 0)
		return will_end(id);
	return !find_member(id, &member, &stat) || will_end(member);
}

int tids_taken(pid_t tid, struct jsnap_error *err)
{
	struct proc_status status;
	struct proc_stat stat;
	pid_t member;

	if (proc_status_read(tid, 0, &status, NULL) < 0 ||
	    proc_stat_read(status.tgid, &stat, NULL) < 0) {
		if (find_member(tid, &member, &stat))
			return error_set(err, EBUSY, "PID %d is taken as the %s of process %d (%s)",
					 tid, stat.pgrp == tid ? "process group" : "session",
					 member, stat.comm);
		return error_set(err, EBUSY, "PID %d was taken by another process", tid);
	}
	if (stat.state == 'Z' && is_ending(status.tgid, &member))
		return error_set(err, EBUSY,
				 "PID %d is taken by process %d (%s), which has ended, but its "
				 "parent, process %d, has not waited for it",
				 tid, status.tgid, stat.comm, stat.ppid);
	return error_set(err, EBUSY, "PID %d is taken by process %d (%s)", tid, status.tgid,
			 stat.comm);
}

/* Its leader has ended, or a task would have the number. */
static bool is_group(pid_t id)
{
	return kill(-id, 0) == 0 || errno != ESRCH;
}

int tids_check_free(const struct manifest *m, uint64_t *deadline, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_threads; i++) {
		pid_t tid = (pid_t)m->threads[i].tid;
		char path[48];

		snprintf(path, sizeof(path), "/proc/%d", tid);
		while (access(path, F_OK) == 0 || is_group(tid)) {
			if (!*deadline)
				*deadline = monotonic_ns() + ENDING_WAIT_NS;
			if (!will_be_free(tid) || monotonic_ns() > *deadline)
				return tids_taken(tid, err);
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		}
	}
	return 0;
}

static int clone3_leader(const struct tids_request *request, struct tids_result *ret_result,
			 struct jsnap_error *err)
{
	pid_t wanted = (pid_t)request->manifest->process->pid, pid;
	int capability = privilege_tid_capability();
	uint64_t deadline = monotonic_ns() + ENDING_WAIT_NS;
	bool raised = geteuid() != 0;
	int saved;

	if (capability < 0)
		return error_set(err, EPERM, "choosing a PID takes CAP_CHECKPOINT_RESTORE");
	for (;;) {
		if (raised && privilege_raise(capability, true) < 0)
			return error_errno(err, "raise CAP_CHECKPOINT_RESTORE");
		pid = tids_clone3(wanted, 0);
		saved = errno;
		if (raised)
			privilege_raise(capability, false);
		if (pid != -1 || saved != EEXIST || !will_be_free(wanted) ||
		    monotonic_ns() > deadline)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (pid == 0) {
		request->child(request->arg, &(struct tids_threads){.seek = false});
		_exit(125);
	}
	if (pid > 0) {
		*ret_result = (struct tids_result){.pid = pid};
		return 0;
	}
	if (saved == EEXIST)
		return tids_taken(wanted, err);
	errno = saved;
	return error_errno(err, "clone3 with PID %d", wanted);
}

int tids_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
		      struct jsnap_error *err)
{
	int r = fault_fail(FAULT_CLONE, EAGAIN, err);

	if (r < 0)
		return r;
	switch (request->way) {
	case TIDS_CLONE3:
		return clone3_leader(request, ret_result, err);
	case TIDS_USERNS:
		return namespace_clone_leader(request, ret_result, err);
	case TIDS_NS_LAST_PID:
	case TIDS_WALK:
		return seek_clone_leader(request, ret_result, err);
	default:
		return error_set(err, EINVAL, "no way to original TIDs was chosen");
	}
}
