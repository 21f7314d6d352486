/* What makes a whole process impossible to carry, said before anything is read from it. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/stat.h>

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

/* The restored process gets the restorer's namespaces, so the target's must be the same. PID, user,
 * time and mount namespaces may be those that a restore made for it. */
static int refuse_namespaces(struct capture *c, struct jsnap_error *err)
{
	static const char *const KINDS[] = {"net", "ipc", "uts", "cgroup"};

	for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
		char path[64], own[64];
		struct stat theirs, ours;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", c->options->pid, KINDS[i]);
		snprintf(own, sizeof(own), "/proc/self/ns/%s", KINDS[i]);
		if (stat(path, &theirs) < 0 || stat(own, &ours) < 0)
			continue; /* a kernel without that namespace */
		if (theirs.st_ino != ours.st_ino)
			return error_set(err, ENOTSUP,
					 "it runs in another %s namespace than jsnap; run jsnap in "
					 "the same one",
					 KINDS[i]);
	}
	return 0;
}

static int refuse_seccomp(struct capture *c, struct jsnap_error *err)
{
	struct proc_status self;
	int r = proc_status_read(getpid(), 0, &self, err);

	if (r < 0)
		return r;
	if (c->status.seccomp > 0 && c->status.seccomp != self.seccomp)
		return error_set(err, ENOTSUP,
				 "it has a seccomp filter of its own, which can't be carried");
	return 0;
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
		r = capture_refuse_children(c->options->pid, err);
	if (r == 0)
		r = refuse_namespaces(c, err);
	if (r == 0)
		r = refuse_seccomp(c, err);
	return r;
}
