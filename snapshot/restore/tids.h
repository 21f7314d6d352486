/*
 * How a process with a wanted PID, and threads with wanted TIDs, are obtained: the one place that
 * knows the ways, tries them in order and reports which one worked.
 */
#ifndef JSNAP_RESTORE_TIDS_H
#define JSNAP_RESTORE_TIDS_H

#include "restore/restore.h"

struct tids_request {
	const struct manifest *manifest;
	enum tids_way way;				 /* not TIDS_AUTO */
	int64_t monotonic_offset_ns, boottime_offset_ns; /* for a time namespace */
	/* Runs in the new process and never returns. Capabilities are not effective. */
	void (*child)(void *arg);
	void *arg;
	int self_pidfd; /* of the caller, for tids_die_with_parent */
};

struct tids_result {
	pid_t pid;	/* child of the caller, in the caller's namespace */
	pid_t init_pid; /* of its PID namespace, 0: the caller's own namespace */
};

/* -EBUSY: the PID is taken (named). -EPERM, -ENOSYS: this way does not work here. */
int tids_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
		      struct jsnap_error *err);

/* Whether some TID of the image is in use in this PID namespace; -EBUSY names the process. One that
 * is ending anyway is given 0.3 s. */
int tids_check_free(const struct manifest *m, struct jsnap_error *err);

/* namespace.c: the same in new user, PID, mount and time namespaces. */
int namespace_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
			   struct jsnap_error *err);

/* Ties this process's life to its parent's, of which parent_pidfd is a pidfd: PR_SET_PDEATHSIG
 * comes too late when the parent is gone already, and inside a PID namespace getppid cannot tell.
 */
void tids_die_with_parent(int parent_pidfd);

/* clone3 as fork with a chosen PID; like fork(2). `flags` of <linux/sched.h>. */
pid_t tids_clone3(pid_t wanted, uint64_t flags);

#endif
