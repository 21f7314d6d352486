/*
 * /proc/PID/status and /proc/PID/stat as data (proc(5), fs/proc/array.c). Parsers take text.
 */
#ifndef JSNAP_PROC_STATUS_H
#define JSNAP_PROC_STATUS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_status {
	char comm[16]; /* its name; of a longer one (kernel threads) the beginning */
	char state;    /* R S D T t Z X I */
	pid_t tgid, pid, ppid, tracer;
	pid_t ns_pid; /* last number of NSpid: the id in the innermost PID namespace */
	int ns_depth; /* how many numbers NSpid has; 1 in the reader's own namespace */
	uid_t uid[4]; /* real, effective, saved, file system */
	gid_t gid[4];
	uint32_t umask;
	uint32_t threads;
	uint64_t sig_pending, shared_pending, sig_blocked, sig_ignored, sig_caught;
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	int no_new_privs;
	int seccomp;	     /* 0 none, 1 strict, 2 filter; -1 when the kernel does not say */
	int seccomp_filters; /* how many, inherited ones too; -1 when the kernel does not say */
	bool thp_enabled;    /* THP_enabled; true when absent */
	uint64_t vm_rss;     /* bytes */
	uint64_t vm_locked;  /* bytes */
};

/* How many, as far as the kernel says (since Linux 5.9): else 1 for some. */
static inline unsigned proc_seccomp_filters(const struct proc_status *status)
{
	return status->seccomp_filters >= 0 ? (unsigned)status->seccomp_filters
					    : status->seccomp > 0;
}

/* -EBADMSG when a required field (Pid, Tgid, Uid, SigBlk, ...) is missing or malformed. */
int proc_status_parse(const char *text, struct proc_status *ret_status, struct jsnap_error *err);
/* Of a process (tid == 0 or tid == pid) or of one of its threads. -ESRCH when it is gone. */
int proc_status_read(pid_t pid, pid_t tid, struct proc_status *ret_status, struct jsnap_error *err);

/* A restored process is its restorer's user in every respect: -ENOTSUP, with the numbers, where
 * real, effective, saved and file system ids of user or group differ. */
int proc_status_one_user(const struct proc_status *status, struct jsnap_error *err);

#define PROC_EXITING 0x4u /* PF_EXITING: it is past do_exit, whatever its state says */

struct proc_stat {
	char comm[64]; /* may hold blanks and parentheses */
	char state;
	pid_t ppid, pgrp, session;
	uint32_t flags;				    /* PF_* of <linux/sched.h>, PROC_EXITING */
	uint64_t utime, stime;			    /* clock ticks */
	uint64_t start_time;			    /* clock ticks since boot */
	uint64_t start_code, end_code, start_stack; /* 0 where the reader may not see them */
	uint64_t start_data, end_data, start_brk, arg_start, arg_end, env_start, env_end;
	int exit_code;
};

int proc_stat_parse(const char *text, struct proc_stat *ret_stat, struct jsnap_error *err);
int proc_stat_read(pid_t pid, struct proc_stat *ret_stat, struct jsnap_error *err);

/* The TIDs of a process, ascending, as the reader's namespace numbers them. Owned: free(). */
int proc_tasks_read(pid_t pid, pid_t **ret_tids, size_t *ret_count, struct jsnap_error *err);

/* The direct children of every thread of a process (/proc/PID/task/TID/children, falling back to a
 * scan of /proc where the kernel lacks it). Owned: free(). */
int proc_children_read(pid_t pid, pid_t **ret_pids, size_t *ret_count, struct jsnap_error *err);

#endif
