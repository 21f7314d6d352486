/*
 * A process with its original PID and no privilege at all: a user namespace of its own gives the
 * right to a PID namespace, where every number is free (user_namespaces(7), pid_namespaces(7)). A
 * time namespace lets its clocks go on from where the snapshot stopped them (time_namespaces(7)).
 *
 * A short-lived helper enters the namespaces and makes two children with CLONE_PARENT, so that both
 * are the caller's: the namespace's init, which reaps, and, when it is told to, the process itself.
 * Until then the caller goes on with its own work: helper and init share its memory (two copies
 * less), have their own stacks in it, and make raw calls alone.
 */
#include "restore/tids.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/privilege.h"
#include "restore/raw_x86_64.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* <sched.h> defines the same names as the kernel's header, which has the newer ones. */
int clone(int (*function)(void *), void *stack, int flags, void *arg, ...);

struct seek_report {
	struct restore_walk walk;
	struct jsnap_error error; /* code 0: the wanted number is next */
};

#define HELPER_STACK (256u << 10) /* the process it makes begins on a copy of it */
#define INIT_STACK   (16u << 10)
#define PAGE	     4096

#define MORE_PROCESSES "raise the limit: ulimit -u, or pids.max of the control group"

/* What the caller tells the helper. */
#define GO	1u
#define GIVE_UP 2u

enum { SET_GROUPS, UID_MAP, GID_MAP, WRITES };

struct namespaces {
	uint32_t told;	/* a futex: 0, GO or GIVE_UP */
	int self_pidfd; /* the caller's */
	sigset_t mask;	/* the caller's; nothing arrives in here before GO */
	struct {
		const char *path;
		char text[128];
	} writes[WRITES];
	bool seek;			    /* there is no clone3 */
	const struct tids_request *request; /* with GO */

	pid_t helper; /* 0: it was reaped */
	pid_t init_pid, pid;
	long failure; /* -errno of entering the namespaces */
	int failed;   /* the write that failed; WRITES: unshare */
	struct restore_walk walk;
	bool ended;		  /* by itself */
	struct jsnap_error error; /* code 0: both exist */
	_Alignas(16) char stack[HELPER_STACK];

	/* In pages of its own, which stay as long as the init: it may begin late. */
	_Alignas(PAGE) struct {
		int parent_pidfd;
		_Alignas(16) char stack[INIT_STACK];
	} init;
};

/* That of the namespace this process is in already. */
static int64_t own_offset(const char *text, const char *clock)
{
	const char *line = strstr(text, clock);
	long long sec, nsec;

	if (!line || sscanf(line + strlen(clock), "%lld %lld", &sec, &nsec) != 2)
		return 0;
	return sec * 1000000000ll + nsec;
}

static void prepare_writes(struct namespaces *n)
{
	static const char *const paths[WRITES] = {
		[SET_GROUPS] = "/proc/self/setgroups",
		[UID_MAP] = "/proc/self/uid_map",
		[GID_MAP] = "/proc/self/gid_map",
	};

	for (size_t i = 0; i < WRITES; i++)
		n->writes[i].path = paths[i];
	snprintf(n->writes[SET_GROUPS].text, sizeof(n->writes[0].text), "deny");
	snprintf(n->writes[UID_MAP].text, sizeof(n->writes[0].text), "%u %u 1", geteuid(),
		 geteuid());
	snprintf(n->writes[GID_MAP].text, sizeof(n->writes[0].text), "%u %u 1", getegid(),
		 getegid());
}

static long raw_write(const char *path, const char *text)
{
	long size = 0, fd, r;

	while (text[size])
		size++;
	fd = raw_call(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = raw_call(SYS_write, fd, (long)text, size, 0);
	raw_call(SYS_close, fd, 0, 0, 0);
	return r < 0 ? r : r == size ? 0 : -EIO;
}

/* Offsets have to be written before the first process is in the namespace, and late: what goes by
 * until then would be missed. They count from the machine's clocks, also where this namespace has
 * offsets of its own (time_namespaces(7)). */
static int shift_clocks(const struct m_process *p, struct jsnap_error *err)
{
	static const char path[] = "/proc/self/timens_offsets";
	const int64_t second = 1000000000;
	CLEANUP_FREE char *own = NULL;
	int64_t m = (int64_t)(p->monotonic_ns + RESTORE_CLOCK_STEP_NS - clock_ns(CLOCK_MONOTONIC));
	int64_t b = (int64_t)(p->boottime_ns + RESTORE_CLOCK_STEP_NS - clock_ns(CLOCK_BOOTTIME));
	int64_t m_sec, b_sec;
	char text[128];
	long r;

	if (read_file(path, 4096, &own, NULL) == 0) {
		m += own_offset(own, "monotonic");
		b += own_offset(own, "boottime");
	}
	m_sec = m / second - (m % second < 0);
	b_sec = b / second - (b % second < 0);
	snprintf(text, sizeof(text), "monotonic %lld %lld\nboottime %lld %lld\n", (long long)m_sec,
		 (long long)(m - m_sec * second), (long long)b_sec,
		 (long long)(b - b_sec * second));
	r = raw_write(path, text);
	return r < 0 ? error_set(err, (int)-r, "write %s: %s", path, strerror((int)-r)) : 0;
}

static long raw_enter(struct namespaces *n)
{
	long r = raw_call(SYS_unshare, TIDS_NAMESPACES & ~CLONE_NEWTIME, 0, 0, 0);

	n->failed = WRITES;
	for (int i = 0; r == 0 && i < WRITES; i++) {
		n->failed = i;
		r = raw_write(n->writes[i].path, n->writes[i].text);
	}
	return r;
}

/* As tids_die_with_parent. */
static void raw_die_with_parent(int parent_pidfd)
{
	struct pollfd p = {.fd = parent_pidfd, .events = POLLIN};

	raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	if (raw_call(SYS_poll, (long)&p, 1, 0, 0) > 0)
		raw_call(SYS_exit_group, 125, 0, 0, 0);
}

static int explain_entry(const struct namespaces *n, struct jsnap_error *err)
{
	errno = (int)-n->failure;
	if (n->failed < WRITES)
		return error_errno(err, "write %s", n->writes[n->failed].path);
	if (errno == EINVAL) /* a kernel without one of them (unshare(2)) */
		return error_set(err, ENOSYS, "this kernel has no time namespaces");
	error_errno(err, "make user, PID and time namespaces");
	return error_hint(err, "jsnap doctor tells what would allow it");
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
static _Noreturn void reap_for_ever(void)
{
	const uint64_t all = ~0ull;

	raw_call(SYS_prctl, PR_SET_NAME, (long)"jsnap-init", 0, 0);
	raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, 0, sizeof(all));
	raw_call(SYS_close_range, 0, ~0u, 0, 0);
	for (;;) {
		while (raw_call(SYS_wait4, -1, 0, WNOHANG, 0) > 0)
			;
		raw_call(SYS_rt_sigtimedwait, (long)&all, 0, 0, sizeof(all));
	}
}

static int init_main(void *arg)
{
	const int *parent_pidfd = arg;

	raw_die_with_parent(*parent_pidfd);
	reap_for_ever();
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

/* It seeks first, with memory of its own. */
static int start_seeking_init(struct namespaces *n)
{
	CLEANUP_CLOSE int in = -1, out = -1;
	struct seek_report sought;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(&n->error, "make a pipe");
	in = ends[0];
	out = ends[1];
	n->init_pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (n->init_pid == 0) {
		tids_die_with_parent(n->self_pidfd);
		seek_in_here(n->request, out);
		reap_for_ever();
	}
	if (n->init_pid < 0)
		return error_errno(&n->error, "start the namespace's init");
	close(steal_fd(&out));
	if (read_full(in, &sought, sizeof(sought)) < 0)
		return error_set(&n->error, EIO, "the namespace's init ended");
	n->walk = sought.walk;
	n->error = sought.error;
	return -n->error.code;
}

/* The caller waits: the C library is this task's. */
static void go(struct namespaces *n)
{
	const struct tids_request *request = n->request;
	pid_t wanted = (pid_t)request->manifest->process->pid;
	int r;

	sigprocmask(SIG_SETMASK, &n->mask, NULL);
	r = n->failure ? explain_entry(n, &n->error)
		       : shift_clocks(request->manifest->process, &n->error);
	if (r == 0 && n->seek)
		r = start_seeking_init(n);
	else if (r == 0 && n->init_pid < 0)
		r = error_set(&n->error, EAGAIN,
			      "no process can be made for the namespace's init; %s",
			      MORE_PROCESSES);
	if (r == 0) {
		n->pid = n->seek ? (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)
				 : tids_clone3(wanted, CLONE_PARENT);
		if (n->pid == 0)
			become(request, n->seek);
		if (n->pid < 0)
			error_errno(&n->error, "clone with PID %d in a new namespace", wanted);
	}
}

static int helper_main(void *arg)
{
	struct namespaces *n = arg;
	uint32_t told;

	raw_die_with_parent(n->self_pidfd);
	n->failure = raw_enter(n);
	if (!n->failure && !n->seek)
		n->init_pid = clone(init_main, n->init.stack + sizeof(n->init.stack),
				    CLONE_VM | CLONE_PARENT | SIGCHLD, &n->init.parent_pidfd);
	/* Now that the init is there: before Linux 6.2 none shares memory that would be in another
	 * time namespace (EINVAL, copy_process in kernel/fork.c). */
	if (!n->failure) {
		n->failed = WRITES;
		n->failure = raw_call(SYS_unshare, CLONE_NEWTIME, 0, 0, 0);
	}
	while (!(told = __atomic_load_n(&n->told, __ATOMIC_SEQ_CST)))
		raw_call(SYS_futex, (long)&n->told, FUTEX_WAIT, 0, 0);
	if (told == GO)
		go(n);
	n->ended = true;
	raw_call(SYS_exit_group, 0, 0, 0, 0);
	return 0;
}

static void tell(struct namespaces *n, uint32_t what, int *ret_status)
{
	__atomic_store_n(&n->told, what, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &n->told, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (waitpid(n->helper, ret_status, 0) < 0 && errno == EINTR)
		;
	n->helper = 0;
}

static int begin(struct namespaces **ret_namespaces, struct jsnap_error *err)
{
	struct namespaces *n = mmap(NULL, sizeof(*n), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	sigset_t all;
	int r;

	if (n == MAP_FAILED)
		return error_errno(err, "map a stack");
	n->seek = !tids_has_clone3();
	n->self_pidfd = n->init.parent_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	prepare_writes(n);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &n->mask);
	/* With its descriptors, those to come among them: the process it makes has a copy. */
	n->helper = clone(helper_main, n->stack + sizeof(n->stack),
			  CLONE_VM | CLONE_FILES | SIGCHLD, n);
	sigprocmask(SIG_SETMASK, &n->mask, NULL);
	if (n->helper < 0) {
		r = error_errno(err, "clone a helper");
		if (r == -EAGAIN)
			error_hint(err, MORE_PROCESSES);
		n->helper = 0;
		restore_abandon(n);
		return r;
	}
	*ret_namespaces = n;
	return 0;
}

static void end_init(struct namespaces *n)
{
	if (n->init_pid <= 0)
		return;
	kill(n->init_pid, SIGKILL);
	while (waitpid(n->init_pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	n->init_pid = 0;
}

struct namespaces *restore_begin(enum tids_way way)
{
	struct namespaces *n = NULL;

	/* Who has the right to choose numbers needs none. */
	if (way != TIDS_USERNS && (way != TIDS_AUTO || privilege_tid_capability() >= 0))
		return NULL;
	return begin(&n, NULL) < 0 ? NULL : n;
}

void restore_abandon(struct namespaces *n)
{
	int status;

	if (!n)
		return;
	if (n->helper) {
		tell(n, GIVE_UP, &status);
		end_init(n);
	}
	if (n->self_pidfd >= 0)
		close(n->self_pidfd);
	munmap(n, n->init_pid > 0 ? offsetof(struct namespaces, init) : sizeof(*n));
}

static int finish(struct namespaces *n, const struct tids_request *request,
		  struct tids_result *ret_result, struct jsnap_error *err)
{
	int status = 0;

	n->request = request;
	tell(n, GO, &status);
	if (!n->ended) {
		/* With it goes whoever is in there; nobody knows whom to wait for. */
		if (n->init_pid > 0)
			kill(n->init_pid, SIGKILL);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			return error_set(err, EPERM,
					 "a seccomp filter kills who asks for new namespaces");
		return error_set(err, EIO, "the namespace helper ended without a word");
	}
	if (n->error.code) {
		end_init(n);
		if (err)
			*err = n->error;
		return -n->error.code;
	}
	*ret_result = (struct tids_result){.pid = n->pid, .init_pid = n->init_pid, .walk = n->walk};
	return 0;
}

int namespace_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
			   struct jsnap_error *err)
{
	struct namespaces *n = request->begun;
	int r;

	if (!n || !n->helper) {
		r = begin(&n, err);
		if (r < 0)
			return r;
	}
	r = finish(n, request, ret_result, err);
	if (n != request->begun)
		restore_abandon(n);
	return r;
}
