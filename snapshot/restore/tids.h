/*
 * How a process with a wanted PID, and threads with wanted TIDs, are obtained: the one place that
 * knows the ways, tries them in order and reports which one worked. Every number got is verified by
 * the task that has it.
 *
 * A leader's way implies its threads' (struct tids_threads): with chosen TIDs where clone3 can,
 * else by plain clone in ascending order, so that only the holes cost anything; before each hole
 * the counter is set (ns_last_pid) or walked over.
 */
#ifndef JSNAP_RESTORE_TIDS_H
#define JSNAP_RESTORE_TIDS_H

#include "restore/restore.h"

struct tids_threads {  /* how the restorer gets its threads */
	bool seek;     /* plain clone until the number comes; else clone3 with set_tid */
	bool last_pid; /* set ns_last_pid before a hole; else walk over it */
};

struct tids_request {
	const struct manifest *manifest;
	enum tids_way way; /* not TIDS_AUTO */
	/* Runs in the new process and never returns. Capabilities are not effective. */
	void (*child)(void *arg, const struct tids_threads *threads);
	void *arg;
	uint64_t walk_budget_ns;	   /* as in restore_options */
	void (*say)(const char *fmt, ...); /* likewise */
	int self_pidfd;			   /* of the caller, for tids_die_with_parent */
	struct namespaces *begun;	   /* as in restore_options */
};

struct tids_result {
	pid_t pid;		  /* child of the caller, in the caller's namespace */
	pid_t init_pid;		  /* of its PID namespace, 0: the caller's own namespace */
	struct restore_walk walk; /* inside a user namespace, where clone3 is hidden; else zeros */
};

/* Tries `way`, or for TIDS_AUTO each in its order, with `attempt` (0, or why not). What is known to
 * fail is not attempted, and says so. On failure the error names every way and its reason. */
struct tids_ladder {
	const struct restore_options *options;
	int (*attempt)(void *arg, enum tids_way way, struct jsnap_error *err);
	void *arg;
	struct restore_walk *walk; /* filled before an attempt by TIDS_WALK */
};
int tids_climb(const struct tids_ladder *ladder, enum tids_way *ret_way, struct jsnap_error *err);

/* -EBUSY: the PID is taken (named). -EPERM, -ENOSYS: this way does not work here. */
int tids_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
		      struct jsnap_error *err);

/* Whether some TID of the image is in use in this PID namespace; -EBUSY names the process. One that
 * is ending anyway is waited for, 0.3 s in all: *deadline (CLOCK_MONOTONIC, ns) is 0 before the
 * first wait, and belongs to the caller for further calls. */
int tids_check_free(const struct manifest *m, uint64_t *deadline, struct jsnap_error *err);

/* -EBUSY: names who has this number, as his own or as that of his process group or session, whose
 * leader has ended (setpgid(2)). */
int tids_taken(pid_t tid, struct jsnap_error *err);

/* namespace.c: the same in new user, PID, mount and time namespaces. -ENOSYS: the kernel lacks
 * one of them. doctor asks for the same flags. */
#define TIDS_NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWTIME)
int namespace_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
			   struct jsnap_error *err);

/* Ties this process's life to its parent's, of which parent_pidfd is a pidfd: PR_SET_PDEATHSIG
 * comes too late when the parent is gone already, and inside a PID namespace getppid cannot tell.
 */
void tids_die_with_parent(int parent_pidfd);

/* clone3 as fork with a chosen PID; like fork(2). `flags` of <linux/sched.h>. */
pid_t tids_clone3(pid_t wanted, uint64_t flags);
/* Whether clone3 is to be had at all; seccomp filters of containers answer ENOSYS. */
bool tids_has_clone3(void);

/* seek.c: plain clone as fork, for a process that is `wanted` or nothing: a child with another
 * number ends at once. Before it the counter is set (last_pid_fd >= 0) or walked. */
int seek_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
		      struct jsnap_error *err);
/* Opens ns_last_pid for writing; -EPERM, -EROFS ... */
int seek_open_last_pid(int *ret_fd, struct jsnap_error *err);
/* Makes `wanted` the next number, by the file or by walking. */
int seek_to(pid_t wanted, int last_pid_fd, struct jsnap_error *err);
/* Whether a walk can reach the image's numbers from here, and for a price within the budget, which
 * is said before it begins. */
struct seek_walk {
	const struct manifest *manifest;
	uint64_t budget_ns;
	void (*say)(const char *fmt, ...); /* may be NULL */
};
int seek_afford_walk(const struct seek_walk *walk, struct restore_walk *ret_walk,
		     struct jsnap_error *err);

#endif
