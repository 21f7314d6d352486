/*
 * /proc/PID/fdinfo/N as data (proc(5), fs/proc/fd.c and each file type's show_fdinfo).
 */
#ifndef JSNAP_PROC_FDINFO_H
#define JSNAP_PROC_FDINFO_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FDINFO_MAX_TARGETS 65536u

struct fdinfo_epoll_target { /* "tfd: 5 events: 19 data: 5  pos:0 ino:1 sdev:2" */
	int fd;
	uint32_t events;
	uint64_t data;
	uint64_t inode;
	uint64_t dev; /* as st_dev of stat(2), here and below */
};

struct fdinfo_inotify_watch { /* "inotify wd:1 ino:9e7e sdev:800013 mask:800afce ..." */
	int wd;
	uint64_t inode;
	uint64_t dev;
	uint32_t mask;
};

enum fdinfo_lock_kind { FDINFO_LOCK_POSIX, FDINFO_LOCK_FLOCK, FDINFO_LOCK_OFD, FDINFO_LOCK_LEASE };

struct fdinfo_lock { /* "lock:\t1: POSIX  ADVISORY  WRITE 1234 fe:00:131 0 EOF" (fs/locks.c) */
	enum fdinfo_lock_kind kind;
	bool write;
	pid_t pid;	/* of a POSIX lock's owner, as the reader sees it; -1 for OFD */
	uint64_t start; /* bytes */
	uint64_t end;	/* last byte; UINT64_MAX for EOF */
};

struct fdinfo {
	uint64_t pos;
	uint32_t flags; /* O_* as open(2); O_CLOEXEC is the descriptor's */
	int mnt_id;
	uint64_t inode; /* "ino:", 0 when absent */
	bool has_eventfd, has_timerfd, has_signalfd;
	uint64_t eventfd_count;
	bool eventfd_semaphore;
	int timerfd_clockid;
	uint64_t timerfd_ticks;
	int timerfd_settime_flags;
	uint64_t timerfd_value_ns, timerfd_interval_ns;
	uint64_t signalfd_mask;
	pid_t pidfd_pid;   /* "Pid:" of a pidfd, 0 when absent */
	pid_t pidfd_nspid; /* last number of its NSpid */
	struct fdinfo_epoll_target *epoll;
	size_t n_epoll;
	struct fdinfo_inotify_watch *inotify;
	size_t n_inotify;
	struct fdinfo_lock *locks; /* at most FDINFO_MAX_TARGETS */
	size_t n_locks;
};

/* *ret_info owns its arrays: fdinfo_free. -EBADMSG names the line. */
int fdinfo_parse(const char *text, struct fdinfo *ret_info, struct jsnap_error *err);
int fdinfo_read(pid_t pid, int fd, struct fdinfo *ret_info, struct jsnap_error *err);
void fdinfo_free(struct fdinfo *info);
#define CLEANUP_FDINFO __attribute__((cleanup(fdinfo_free)))

/* The open descriptors of a process, ascending. Owned: free(). */
int proc_fds_read(pid_t pid, int **ret_fds, size_t *ret_count, struct jsnap_error *err);

#endif
