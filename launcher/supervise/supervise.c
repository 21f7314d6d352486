/* See supervise.h. */
#include "launcher/supervise/supervise.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/supervise/signal_rules.h"
#include "proc/status.h"

#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};

static void find_ignored(sigset_t *ret_ignored)
{
	sigemptyset(ret_ignored);
	for (int signo = 1; signo < NSIG; signo++) {
		struct sigaction action;

		if (sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			sigaddset(ret_ignored, signo);
	}
}

/* Those of `signals` that the caller does not ignore. */
static void add_heeded(const struct supervise *s, const int *signals, size_t n, sigset_t *set)
{
	for (size_t i = 0; i < n; i++)
		if (sigismember(&s->caller_ignored, signals[i]) == 0)
			sigaddset(set, signals[i]);
}

static void end_now(int signo)
{
	_exit(128 + signo);
}

/* Its default action is back (SA_RESETHAND). */
static void end_early(int signo)
{
	raise(signo);
	_exit(128 + signo);
}

void supervise_early(bool on)
{
	struct sigaction action = {.sa_handler = on ? end_early : SIG_DFL,
				   .sa_flags = on ? SA_RESETHAND | SA_NODEFER : 0};
	struct sigaction caller;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (sigaction(ends[i], NULL, &caller) == 0 && caller.sa_handler != SIG_IGN)
			sigaction(ends[i], &action, NULL);
}

int supervise_begin(struct supervise *s, struct jsnap_error *err)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t watched, asks;

	memset(s, 0, sizeof(*s));
	s->pidfd = s->signal_fd = s->end_fd = -1;
	find_ignored(&s->caller_ignored);
	sigfillset(&watched);
	for (size_t i = 0; i < ARRAY_SIZE(own_faults); i++)
		sigdelset(&watched, own_faults[i]);
	if (sigprocmask(SIG_BLOCK, &watched, &s->caller_mask) < 0)
		return error_errno(err, "block signals");
	supervise_early(false);
	/* Ignored, it would make the kernel throw children's statuses away (wait(2)). */
	sigaction(SIGCHLD, &action, NULL);
	s->signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	sigemptyset(&asks);
	add_heeded(s, ends, ARRAY_SIZE(ends), &asks);
	s->end_fd = signalfd(-1, &asks, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0 || s->end_fd < 0)
		return error_errno(err, "create a signalfd");
	return 0;
}

bool supervise_end_at_once(struct supervise *s, bool on)
{
	struct sigaction action = {.sa_handler = on ? end_now : SIG_DFL};
	bool before = s->at_once;
	sigset_t set;

	sigemptyset(&set);
	add_heeded(s, ends, ARRAY_SIZE(ends), &set);
	add_heeded(s, stops, ARRAY_SIZE(stops), &set);
	/* Blocked first: none may find its default action meanwhile. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (sigismember(&set, ends[i]) == 1)
			sigaction(ends[i], &action, NULL);
	if (on)
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	s->at_once = on;
	return before;
}

void supervise_end(struct supervise *s)
{
	if (s->pidfd >= 0)
		close(s->pidfd);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->end_fd >= 0)
		close(s->end_fd);
	s->pidfd = s->signal_fd = s->end_fd = -1;
}

void supervise_reset_signals(const struct supervise *s)
{
	struct sigaction action = {.sa_handler = SIG_IGN};

	if (sigismember(&s->caller_ignored, SIGCHLD) == 1)
		sigaction(SIGCHLD, &action, NULL);
	sigprocmask(SIG_SETMASK, &s->caller_mask, NULL);
}

static void read_signals(struct supervise *s, bool older);
static void reap(struct supervise *s);

int supervise_adopt(struct supervise *s, pid_t pid, struct jsnap_error *err)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return error_errno(err, "open a pidfd of process %d", (int)pid);
	if (s->pidfd >= 0)
		close(s->pidfd);
	s->pidfd = fd;
	s->pid = pid;
	s->ended = s->stopped = false;
	s->wait_status = 0;
	read_signals(s, true);
	reap(s);
	return 0;
}

struct supervise_helper *supervise_helper(struct supervise *s, pid_t pid)
{
	for (size_t i = 0; i < SUPERVISE_MAX_HELPERS; i++) {
		if (s->helpers[i].pid)
			continue;
		s->helpers[i] = (struct supervise_helper){.pid = pid};
		return &s->helpers[i];
	}
	return NULL;
}

void supervise_forget(struct supervise_helper *helper)
{
	if (helper)
		memset(helper, 0, sizeof(*helper));
}

int supervise_exit_status(int wait_status)
{
	if (WIFEXITED(wait_status))
		return WEXITSTATUS(wait_status);
	return 128 + WTERMSIG(wait_status);
}

/*
 * Whether a shell with job control waits for this process: then its group is not orphaned and a
 * stop will be noticed and undone by somebody. Not so in a service, nor as PID 1.
 */
static bool job_control_parent(void)
{
	pid_t parent = getppid();

	return parent > 0 && getsid(parent) == getsid(0) && getpgid(parent) != getpgrp();
}

static void note_application(struct supervise *s, int status);

/* Stops this process as the application was stopped; returns when somebody continued it. */
static void mirror_stop(struct supervise *s, int signo)
{
	const struct timespec none = {0};
	sigset_t stop, cont, blocked;
	int status = 0;

	if (!job_control_parent())
		return;
	sigemptyset(&stop);
	sigaddset(&stop, signo);
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	/* Raised while blocked it merges with one from the terminal that is still unread. */
	raise(signo);
	if (sigprocmask(SIG_UNBLOCK, &stop, &blocked) < 0)
		return;
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	/* A shell continues the whole group, anybody else this process alone: the SIGCONT that woke
	 * us is passed on here when the application has not got it already. */
	while (sigtimedwait(&cont, NULL, &none) == SIGCONT)
		;
	if (wait4(s->pid, &status, WNOHANG | WCONTINUED | __WALL, &s->usage) == 0)
		kill(s->pid, SIGCONT);
	else if (WIFCONTINUED(status))
		s->stopped = false;
	else
		note_application(s, status);
}

static void note_application(struct supervise *s, int status)
{
	if (WIFSTOPPED(status)) {
		s->stopped = true;
		if (signal_stops(WSTOPSIG(status)))
			mirror_stop(s, WSTOPSIG(status));
	} else if (WIFCONTINUED(status)) {
		s->stopped = false;
	} else {
		s->ended = true;
		s->wait_status = status;
	}
}

static void note_other(struct supervise *s, pid_t pid, int status)
{
	if (WIFSTOPPED(status) || WIFCONTINUED(status))
		return;
	if (pid == s->namespace_init)
		s->namespace_init = 0;
	for (size_t i = 0; i < SUPERVISE_MAX_HELPERS; i++) {
		if (s->helpers[i].pid != pid)
			continue;
		s->helpers[i].ended = true;
		s->helpers[i].wait_status = status;
	}
}

/* Every child there is, also the orphans that fall to PID 1 and those without SIGCHLD (__WALL). */
static void reap(struct supervise *s)
{
	for (;;) {
		int status;
		struct rusage usage;
		pid_t pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED | __WALL, &usage);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid <= 0)
			break;
		if (pid == s->pid) {
			s->usage = usage;
			note_application(s, status);
		} else {
			note_other(s, pid, status);
		}
	}
}

/* The pidfd says it is over, and yet its status was never seen: a tracer in this process had it. */
static void note_vanished(struct supervise *s)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0)
		return;
	if (errno != ECHILD)
		return;
	s->ended = true;
	s->wait_status = SIGKILL; /* as a wait status: ended by signal 9 */
}

static void forward(struct supervise *s, const struct signalfd_siginfo *info)
{
	int signo = (int)info->ssi_signo;

	if (!s->pid || s->ended)
		return;
	if (info->ssi_code == SI_QUEUE) {
		union sigval value = {.sival_ptr = (void *)(uintptr_t)info->ssi_ptr};

		if (sigqueue(s->pid, signo, value) == 0)
			return;
	}
	kill(s->pid, signo);
}

static bool catches(pid_t pid, int signo)
{
	struct proc_status status;

	return pid && proc_status_read(pid, 0, &status, NULL) == 0 &&
	       (status.sig_caught & (1ull << (signo - 1)));
}

/* One that may be older than the application was not given to it by the terminal. */
static void handle_signal(struct supervise *s, const struct signalfd_siginfo *info, bool older)
{
	int signo = (int)info->ssi_signo;
	struct signal_arrival arrival = {
		.signo = signo,
		.code = info->ssi_code,
		.sender = (pid_t)info->ssi_pid,
		.self = getpid(),
		.same_group = !older && s->pid && getpgid(s->pid) == getpgrp(),
		.session_leader = getsid(0) == getpid(),
		.ignored_by_caller = sigismember(&s->caller_ignored, signo) == 1,
		.caught = catches(s->pid, signo),
	};
	enum signal_verdict verdict = signal_rule(&arrival);

	if (verdict == SIGNAL_FORWARD)
		forward(s, info);
	/* From the terminal the application has it without us, and ends all the same. */
	if (signal_asks_to_end(signo) && !arrival.ignored_by_caller && !s->ending_signal)
		s->ending_signal = signo;
}

static void read_signals(struct supervise *s, bool older)
{
	struct signalfd_siginfo info[16];

	for (;;) {
		ssize_t n = read(s->signal_fd, info, sizeof(info));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (size_t i = 0; i < (size_t)n / sizeof(info[0]); i++)
			handle_signal(s, &info[i], older);
	}
}

static int poll_until(struct pollfd *fds, nfds_t n, uint64_t deadline_ns)
{
	uint64_t now = monotonic_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec ts = {.tv_sec = (time_t)(left / 1000000000u),
			      .tv_nsec = (long)(left % 1000000000u)};

	return ppoll(fds, n, deadline_ns ? &ts : NULL, NULL);
}

/* One round: as supervise_wait, and -EINTR when only signals were there. */
static int wait_round(struct supervise *s, struct pollfd *fds, size_t n, uint64_t deadline_ns)
{
	struct pollfd all[SUPERVISE_MAX_FDS + 2];
	int ready = 0;

	all[0] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
	all[1] = (struct pollfd){.fd = s->pidfd, .events = POLLIN};
	if (n)
		memcpy(all + 2, fds, n * sizeof(*fds));
	if (poll_until(all, n + 2, deadline_ns) < 0)
		return errno == EAGAIN ? -EINTR : -errno;
	if (all[0].revents)
		read_signals(s, false);
	reap(s);
	if (all[1].revents && !s->ended)
		note_vanished(s);
	for (size_t i = 0; i < n; i++) {
		fds[i].revents = fds[i].fd < 0 ? 0 : all[i + 2].revents;
		ready += fds[i].revents != 0;
	}
	if (ready || (deadline_ns && monotonic_ns() >= deadline_ns))
		return ready;
	return -EINTR;
}

static int wait_rounds(struct supervise *s, struct pollfd *fds, size_t n, uint64_t deadline_ns,
		       bool until_asked_to_end)
{
	int rc = -EINTR;

	if (n > SUPERVISE_MAX_FDS)
		return -EINVAL;
	while (rc == -EINTR) {
		if (s->pid && s->ended)
			return -ECHILD;
		if (until_asked_to_end && s->ending_signal)
			return -ECANCELED;
		rc = wait_round(s, fds, n, deadline_ns);
	}
	if (s->pid && s->ended)
		return -ECHILD;
	return until_asked_to_end && s->ending_signal ? -ECANCELED : rc;
}

int supervise_wait(struct supervise *s, struct pollfd *fds, size_t n, uint64_t deadline_ns)
{
	return wait_rounds(s, fds, n, deadline_ns, true);
}

int supervise_wait_ending(struct supervise *s, struct pollfd *fds, size_t n, uint64_t deadline_ns)
{
	return wait_rounds(s, fds, n, deadline_ns, false);
}

int supervise_pause(struct supervise *s, uint64_t duration_ns)
{
	return supervise_wait(s, NULL, 0, monotonic_ns() + duration_ns);
}

int supervise_explain(const struct supervise *s, int rc, struct jsnap_error *err)
{
	if (rc == -ECANCELED)
		return error_set(err, ECANCELED, "%s was asked to end (SIG%s)",
				 s->pid ? "the program" : "jsnap", sigabbrev_np(s->ending_signal));
	if (rc != -ECHILD)
		return error_set(err, -rc, "wait for the program: %s", strerror(-rc));
	if (WIFSIGNALED(s->wait_status))
		return error_set(err, ECHILD, "the program was ended by signal %d (SIG%s)",
				 WTERMSIG(s->wait_status), sigabbrev_np(WTERMSIG(s->wait_status)));
	return error_set(err, ECHILD, "the program ended by itself with status %d",
			 WEXITSTATUS(s->wait_status));
}
