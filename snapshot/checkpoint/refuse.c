/* What makes a whole process impossible to carry, said before anything is read from it. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int capture_refuse_children(pid_t pid, struct jsnap_error *err)
{
	CLEANUP_FREE pid_t *children = NULL;
	struct proc_stat stat;
	size_t count;
	int r = proc_children_read(pid, &children, &count, err);

	if (r < 0 || count == 0)
		return r;
	if (proc_stat_read(children[0], &stat, NULL) < 0)
		snprintf(stat.comm, sizeof(stat.comm), "?");
	return error_set(err, ENOTSUP,
			 "it has a child process, %d (%s)%s; a snapshot holds one process: let its "
			 "children end first",
			 children[0], stat.comm, stat.state == 'Z' ? ", a zombie" : "");
}

/* It is told at once by a process itself that it has none; a list has to be read for each thread.
 */
static int refuse_children_now(struct capture *c, struct jsnap_error *err)
{
	long result;
	int r = remote_call(&c->leader, &result, err, SYS_waitid,
			    REMOTE_ARGS(P_ALL, 0, 0, WEXITED | WNOHANG | WNOWAIT | __WALL));

	return r < 0 || result == -ECHILD ? r : capture_refuse_children(c->options->pid, err);
}

/* Its inode number, from "net:[4026531840]" (namespaces(7)); 0: there is no such namespace. */
static ino_t namespace_of(const char *process, const char *kind)
{
	char path[96], name[64];
	const char *number;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, kind);
	n = readlink(path, name, sizeof(name) - 1);
	name[n < 0 ? 0 : n] = '\0';
	number = strchr(name, '[');
	return number ? strtoul(number + 1, NULL, 10) : 0;
}

/* The restored process gets the restorer's namespaces, so the target's must be the same. PID, user,
 * time and mount namespaces may be those that a restore made for it. */
static int refuse_namespaces(struct capture *c, struct jsnap_error *err)
{
	static const char *const OURS[] = {"net", "ipc", "uts", "cgroup"};
	static const char *const MADE[REGION_NAMESPACES] = REGION_NAMESPACE_NAMES;
	char process[16];

	snprintf(process, sizeof(process), "%d", c->options->pid);
	for (size_t i = 0; i < ARRAY_SIZE(OURS) + REGION_NAMESPACES; i++) {
		bool made = i >= ARRAY_SIZE(OURS);
		const char *kind = made ? MADE[i - ARRAY_SIZE(OURS)] : OURS[i];
		ino_t theirs = namespace_of(process, kind), ours = namespace_of("self", kind);

		if (!theirs || !ours || theirs == ours ||
		    (made && c->region && theirs == c->namespaces[i - ARRAY_SIZE(OURS)]))
			continue;
		return error_set(
			err, ENOTSUP,
			"it runs in another %s namespace than jsnap; run jsnap in the same "
			"one",
			kind);
	}
	return 0;
}

/* Of another root folder no path of the process would be the restorer's. */
static int refuse_root(struct capture *c, struct jsnap_error *err)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", c->options->pid);
	if (stat(path, &theirs) < 0 || stat("/proc/self/root", &ours) < 0)
		return 0;
	if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)
		return error_set(err, ENOTSUP,
				 "it has another root folder than jsnap (chroot); run jsnap in it");
	return 0;
}

static bool same_ids(const uid_t *a, const uid_t *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/* Of a mount namespace only a thread that shares folders with no other can change
 * (kernel/fork.c, ksys_unshare; fs/namespace.c, mntns_install). */
static const char *const THREADS_NAMESPACES[] = {"mnt", "net", "ipc", "uts", "cgroup"};

/* What all threads are compared with. */
struct compared {
	struct proc_status self; /* jsnap's own */
	char personality[16];	 /* the leader's, as are these: */
	ino_t namespaces[ARRAY_SIZE(THREADS_NAMESPACES)];
};

/* Only with this right a thread among several can have a namespace of its own (unshare(2)). */
static int refuse_thread_namespaces(const struct capture *c, pid_t tid, uint64_t capabilities,
				    bool same_folders, const struct compared *with,
				    struct jsnap_error *err)
{
	char thread[48];

	if (!(capabilities >> CAP_SYS_ADMIN & 1))
		return 0;
	snprintf(thread, sizeof(thread), "%d/task/%d", c->options->pid, tid);
	for (size_t i = same_folders; i < ARRAY_SIZE(THREADS_NAMESPACES); i++)
		if (namespace_of(thread, THREADS_NAMESPACES[i]) != with->namespaces[i])
			return error_set(err, ENOTSUP,
					 "thread %d is in a %s namespace of its own, which is not "
					 "carried",
					 tid, THREADS_NAMESPACES[i]);
	return 0;
}

/* What threads of one process nearly always share. Where a filter forbids to compare, the umask of
 * a thread of its own tells at least. *ret_same_folders: it was compared. */
static int refuse_unshared(const struct capture *c, pid_t tid, const struct proc_status *status,
			   bool *ret_same_folders, struct jsnap_error *err)
{
	pid_t pid = c->options->pid;
	long folders;

	if (syscall(SYS_kcmp, pid, tid, KCMP_FILES, 0, 0) > 0)
		return error_set(err, ENOTSUP,
				 "thread %d has descriptors of its own (unshare(CLONE_FILES)), "
				 "which is not carried",
				 tid);
	folders = syscall(SYS_kcmp, pid, tid, KCMP_FS, 0, 0);
	if (folders > 0 || status->umask != c->status.umask)
		return error_set(err, ENOTSUP,
				 "thread %d has a working folder and umask of its own "
				 "(unshare(CLONE_FS)), which is not carried",
				 tid);
	*ret_same_folders = folders == 0;
	return 0;
}

static bool read_personality(pid_t pid, pid_t tid, char text[16])
{
	char path[64];
	CLEANUP_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/personality", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	memset(text, 0, 16);
	return fd >= 0 && read(fd, text, 15) > 0;
}

static int refuse_personality(const struct capture *c, pid_t tid, const char *leader,
			      struct jsnap_error *err)
{
	char theirs[16];

	if (!read_personality(c->options->pid, tid, theirs) || strcmp(theirs, leader) == 0)
		return 0;
	return error_set(err, ENOTSUP,
			 "thread %d has a personality(2) of its own, which is not carried", tid);
}

static int refuse_thread(const struct capture *c, size_t i, void *ctx, struct jsnap_error *err)
{
	const struct proc_status *status = &c->statuses[i], *leader = &c->status;
	const struct compared *with = ctx;
	pid_t tid = c->tracee.threads[i].tid;
	bool same_folders = false;
	int r;

	/* The filters that jsnap has too are inherited by what it restores. */
	if (status->seccomp > 0 && (status->seccomp != with->self.seccomp ||
				    status->seccomp_filters != with->self.seccomp_filters))
		return error_set(
			err, ENOTSUP,
			"thread %d has a seccomp filter of its own, which can't be carried", tid);
	if (!same_ids(status->uid, leader->uid) || !same_ids(status->gid, leader->gid) ||
	    status->cap_permitted != leader->cap_permitted ||
	    status->no_new_privs != leader->no_new_privs)
		return error_set(err, ENOTSUP,
				 "thread %d has other ids, capabilities or no_new_privs than the "
				 "main thread, which is not carried",
				 tid);
	if (tid == c->options->pid)
		return 0;
	r = refuse_unshared(c, tid, status, &same_folders, err);
	if (r == 0)
		r = refuse_thread_namespaces(c, tid, status->cap_permitted, same_folders, with,
					     err);
	return r < 0 ? r : refuse_personality(c, tid, with->personality, err);
}

static int refuse_threads(struct capture *c, struct jsnap_error *err)
{
	struct compared with;
	char process[16];
	int r = proc_status_read(getpid(), 0, &with.self, err);

	snprintf(process, sizeof(process), "%d", c->options->pid);
	read_personality(c->options->pid, c->options->pid, with.personality);
	for (size_t i = 0; i < ARRAY_SIZE(THREADS_NAMESPACES); i++)
		with.namespaces[i] = namespace_of(process, THREADS_NAMESPACES[i]);
	return r < 0 ? r : capture_each_thread(c, refuse_thread, &with, err);
}

/* Numbers that a restore needs for a while, above those of the process. */
int capture_refuse_numbers(struct capture *c, struct jsnap_error *err)
{
	const struct manifest *m = c->m;
	uint64_t need =
		16ull + 2ull * m->n_backings + 3ull * m->n_objects + m->n_files + m->n_sockets;
	uint32_t highest = m->n_fds ? m->fds[m->n_fds - 1].fd : 0;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || highest + need < limit.rlim_max)
		return 0;
	return error_set(
		err, ENOTSUP,
		"its descriptor %u is too near the hard limit of %llu: a restore needs %llu "
		"numbers above it; raise the limit (ulimit -Hn)",
		highest, (unsigned long long)limit.rlim_max, (unsigned long long)need);
}

static int refuse_state(struct capture *c, struct jsnap_error *err)
{
	for (size_t i = 0; i < c->tracee.n_threads; i++)
		if (c->tracee.threads[i].group_stopped)
			return error_set(
				err, ENOTSUP,
				"it is stopped by job control; continue it (kill -CONT %d) "
				"first",
				c->options->pid);
	return 0;
}

int capture_refuse(struct capture *c, struct jsnap_error *err)
{
	int r = refuse_state(c, err);

	if (r == 0)
		r = refuse_children_now(c, err);
	if (r == 0)
		r = refuse_namespaces(c, err);
	if (r == 0)
		r = refuse_root(c, err);
	if (r == 0)
		r = proc_status_one_user(&c->status, err);
	if (r == 0)
		r = refuse_threads(c, err);
	if (r == 0)
		r = capture_refuse_landlock(c, err);
	return r;
}
