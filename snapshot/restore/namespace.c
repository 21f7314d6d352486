/*
 * A process with its original PID and no privilege at all: a user namespace of its own gives the
 * right to a PID namespace, where every number is free (user_namespaces(7), pid_namespaces(7)). A
 * time namespace lets its clocks go on from where the snapshot stopped them (time_namespaces(7)).
 *
 * A short-lived helper enters the namespaces and makes two children with CLONE_PARENT, so that both
 * are the caller's: the namespace's init, which reaps, and the process itself.
 */
#include "restore/tids.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* <sched.h> defines the same names as the kernel's header, which has the newer ones. */
int unshare(int flags);
int clone(int (*function)(void *), void *stack, int flags, void *arg, ...);

struct seek_report {
	struct restore_walk walk;
	struct jsnap_error error; /* code 0: the wanted number is next */
};

#define HELPER_STACK (256u << 10) /* the process it makes begins on a copy of it */

struct helper {
	const struct tids_request *request;
	pid_t init_pid, pid;
	struct restore_walk walk;
	bool ended;		  /* by itself */
	struct jsnap_error error; /* code 0: both exist */
};

static int write_text(const char *path, const char *text, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_errno(err, "open %s", path);
	r = write_full(fd, text, strlen(text));
	return r < 0 ? error_set(err, -r, "write %s: %s", path, strerror(-r)) : 0;
}

static int map_ids(uid_t uid, gid_t gid, struct jsnap_error *err)
{
	char text[64];
	int r = write_text("/proc/self/setgroups", "deny", err);

	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	if (r == 0)
		r = write_text("/proc/self/uid_map", text, err);
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	if (r == 0)
		r = write_text("/proc/self/gid_map", text, err);
	return r;
}

/* That of the namespace this process is in already. */
static int64_t own_offset(const char *text, const char *clock)
{
	const char *line = strstr(text, clock);
	long long sec, nsec;

	if (!line || sscanf(line + strlen(clock), "%lld %lld", &sec, &nsec) != 2)
		return 0;
	return sec * 1000000000ll + nsec;
}

/* Offsets have to be written before the first process is in the namespace. They count from the
 * machine's clocks, also where this namespace has offsets of its own (time_namespaces(7)). */
static int shift_clocks(const struct tids_request *request, struct jsnap_error *err)
{
	const int64_t second = 1000000000;
	CLEANUP_FREE char *own = NULL;
	int64_t m = request->monotonic_offset_ns, b = request->boottime_offset_ns;
	int64_t m_sec, b_sec;
	char text[128];

	if (read_file("/proc/self/timens_offsets", 4096, &own, NULL) == 0) {
		m += own_offset(own, "monotonic");
		b += own_offset(own, "boottime");
	}
	m_sec = m / second - (m % second < 0);
	b_sec = b / second - (b % second < 0);
	snprintf(text, sizeof(text), "monotonic %lld %lld\nboottime %lld %lld\n", (long long)m_sec,
		 (long long)(m - m_sec * second), (long long)b_sec,
		 (long long)(b - b_sec * second));
	return write_text("/proc/self/timens_offsets", text, err);
}

static int enter(const struct tids_request *request, struct jsnap_error *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	if (unshare(TIDS_NAMESPACES) < 0) {
		if (errno == EINVAL) /* a kernel without one of them (unshare(2)) */
			return error_set(err, ENOSYS, "this kernel has no time namespaces");
		error_errno(err, "make user, PID and time namespaces");
		return error_hint(err, "jsnap doctor tells what would allow it");
	}
	r = map_ids(uid, gid, err);
	if (r == 0)
		r = shift_clocks(request, err);
	return r;
}

/* Where clone3 is filtered, the namespace's counter is brought to the number that is wanted: it can
 * be set where /proc/sys is writable (this process has every right in here), else it is walked. */
static void seek_in_here(const struct tids_request *request, int report_fd)
{
	const struct seek_walk walk = {request->manifest, request->walk_budget_ns, request->say};
	pid_t wanted = (pid_t)request->manifest->process->pid;
	CLEANUP_CLOSE int last_pid = -1;
	struct seek_report report = {0};

	if ((seek_open_last_pid(&last_pid, NULL) < 0 || seek_to(wanted, last_pid, NULL) < 0) &&
	    seek_afford_walk(&walk, &report.walk, &report.error) == 0)
		(void)seek_to(wanted, -1, &report.error);
	if (write_full(report_fd, &report, sizeof(report)) < 0)
		_exit(1);
}

/* Reaps until it is killed: orphans of the restored process become its children. */
static void init_main(const struct tids_request *request, int seek_fd)
{
	sigset_t all;
	int signo;

	tids_die_with_parent(request->self_pidfd);
	if (seek_fd >= 0)
		seek_in_here(request, seek_fd);
	prctl(PR_SET_NAME, "jsnap-init");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	syscall(SYS_close_range, 0, ~0u, 0);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sigwait(&all, &signo);
	}
}

/* A /proc that shows the new namespace. Where it may not be mounted (masked, in containers) the old
 * one stays: /proc/self is right in both. */
static void mount_proc(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* In the new process: is it the one that was wanted? */
static void become(const struct tids_request *request, bool seek)
{
	struct tids_threads threads = {.seek = seek};
	CLEANUP_CLOSE int fd = -1;

	if (getpid() != (pid_t)request->manifest->process->pid)
		_exit(125);
	mount_proc();
	threads.last_pid = seek && seek_open_last_pid(&fd, NULL) == 0;
	request->child(request->arg, &threads);
	_exit(125);
}

static int start_init(struct helper *helper, bool seek)
{
	CLEANUP_CLOSE int in = -1, out = -1;
	struct seek_report sought;
	int ends[2];

	if (seek && pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(&helper->error, "make a pipe");
	if (seek) {
		in = ends[0];
		out = ends[1];
	}
	helper->init_pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (helper->init_pid == 0)
		init_main(helper->request, out);
	if (helper->init_pid < 0)
		return error_errno(&helper->error, "start the namespace's init");
	if (!seek)
		return 0;
	close(steal_fd(&out));
	if (read_full(in, &sought, sizeof(sought)) < 0)
		return error_set(&helper->error, EIO, "the namespace's init ended");
	helper->walk = sought.walk;
	helper->error = sought.error;
	return -helper->error.code;
}

static int helper_main(void *arg)
{
	struct helper *helper = arg;
	const struct tids_request *request = helper->request;
	pid_t wanted = (pid_t)request->manifest->process->pid;
	bool seek = !tids_has_clone3();
	int r;

	tids_die_with_parent(request->self_pidfd);
	r = enter(request, &helper->error);
	if (r == 0)
		r = start_init(helper, seek);
	if (r == 0) {
		helper->pid = seek ? (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)
				   : tids_clone3(wanted, CLONE_PARENT);
		if (helper->pid == 0)
			become(request, seek);
		if (helper->pid < 0)
			r = error_errno(&helper->error, "clone with PID %d in a new namespace",
					wanted);
	}
	if (r < 0 && helper->init_pid > 0)
		kill(helper->init_pid, SIGKILL);
	helper->ended = true;
	_exit(0);
}

/* The caller stands still while the helper works in the same memory (vfork(2)), which so is copied
 * for the two that stay, and not a third time. */
int namespace_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
			   struct jsnap_error *err)
{
	_Alignas(16) char stack[HELPER_STACK];
	struct helper helper = {.request = request};
	int status = 0;
	pid_t pid = clone(helper_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
			  &helper);

	if (pid < 0)
		return error_errno(err, "clone a helper");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!helper.ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return error_set(err, EPERM, "a seccomp filter kills who asks for new namespaces");
	if (!helper.ended)
		return error_set(err, EIO, "the namespace helper ended without a word");
	if (helper.error.code) {
		if (helper.init_pid > 0)
			waitpid(helper.init_pid, NULL, __WALL);
		if (err)
			*err = helper.error;
		return -helper.error.code;
	}
	*ret_result = (struct tids_result){
		.pid = helper.pid, .init_pid = helper.init_pid, .walk = helper.walk};
	return 0;
}
