/*
 * Whether the program has put itself into a Landlock domain (landlock(7)): nobody can read that,
 * and no restore could do it again.
 *
 * But a domain lets its processes look only at what is in it (security/landlock/ptrace.c). So
 * somebody is made to be looked at: a process of the program's user, without privileges and in
 * jsnap's own domain, if it has one. get_robust_list(2) asks for no more than the right to look
 * (PTRACE_MODE_READ), and filters for containers let it pass, unlike kcmp(2).
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"

#include <linux/capability.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Raw calls only: it is the child of one thread among several. */
static void sit(const struct proc_status *like, pid_t parent, int ready)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {{0}};
	uid_t uid = like->uid[0];
	gid_t gid = like->gid[0];

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (syscall(SYS_getppid) != parent || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
	    syscall(SYS_setresuid, uid, uid, uid) < 0 || syscall(SYS_capset, &header, none) < 0)
		syscall(SYS_exit_group, 1);
	/* After a change of ids, which clear both. */
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	syscall(SYS_write, ready, "", 1);
	for (;;)
		syscall(SYS_pause);
}

void landlock_begin(struct capture *c)
{
	const uint64_t no_signal = 0;
	struct proc_status like, own;
	pid_t parent = getpid();
	int ends[2];
	char byte;

	/* Of another PID namespace none could be named to it: one that a restore made. */
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1 ||
	    proc_status_read(c->options->pid, 0, &like, NULL) < 0 ||
	    proc_status_read(parent, 0, &own, NULL) < 0 || like.ns_depth != own.ns_depth ||
	    pipe2(ends, O_CLOEXEC) < 0)
		return;
	c->outsider = (pid_t)syscall(SYS_clone, no_signal, 0, 0, 0, 0);
	if (c->outsider == 0)
		sit(&like, parent, ends[1]);
	close(ends[1]);
	if (c->outsider > 0 && read(ends[0], &byte, 1) != 1)
		landlock_end(c);
	close(ends[0]);
}

static int look_at(struct capture *c, pid_t pid, long *ret_result, struct jsnap_error *err)
{
	return remote_call(
		&c->leader, ret_result, err, SYS_get_robust_list,
		REMOTE_ARGS((uint64_t)pid, c->leader.data.value, c->leader.data.value + 8));
}

int capture_refuse_landlock(struct capture *c, struct jsnap_error *err)
{
	long outsider = 0, itself = 0;
	int r = c->outsider > 0 ? look_at(c, c->outsider, &outsider, err) : 0;

	if (r < 0 || outsider != -EPERM)
		return r;
	r = look_at(c, 0, &itself, err);
	if (r < 0 || itself < 0)
		return r; /* a filter: it may not ask at all */
	return error_set(err, ENOTSUP,
			 "it is in a Landlock domain of its own (landlock_restrict_self(2)), which "
			 "is not carried");
}

void landlock_end(struct capture *c)
{
	if (c->outsider <= 0)
		return;
	kill(c->outsider, SIGKILL);
	while (waitpid(c->outsider, NULL, __WALL) < 0 && errno == EINTR)
		;
	c->outsider = 0;
}
