/*
 * Supervision with real children: exit status, signals passed on, stop and continue under a parent
 * with job control, orphans reaped as PID 1, helpers, what a started program inherits.
 */
#include "check.h"
#include "base/io.h"
#include "launcher/supervise/child.h"
#include "launcher/warm/command.h"
#include "launcher/supervise/fds.h"
#include "launcher/supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 1000000000ull

static pid_t start_program(struct supervise *s, char **argv, int stdout_fd)
{
	char *env[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
	const struct child_options options = {.executable = argv[0],
					      .argv = argv,
					      .env = env,
					      .keep_fd = -1,
					      .stdin_fd = -1,
					      .stdout_fd = stdout_fd,
					      .stderr_fd = -1};
	struct jsnap_error err = {0};
	pid_t pid = 0;

	if (child_start(s, &options, &pid, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	CHECK_EQ(supervise_adopt(s, pid, &err), 0);
	return pid;
}

static pid_t start_shell(struct supervise *s, const char *script, int stdout_fd)
{
	char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char *)(uintptr_t)script, NULL};

	return start_program(s, argv, stdout_fd);
}

/* Passes signals on until the end; the exit status. */
static int supervise_to_end(struct supervise *s)
{
	uint64_t deadline = monotonic_ns() + 20 * SECOND;

	CHECK_EQ(supervise_wait_ending(s, NULL, 0, deadline), -ECHILD);
	return supervise_exit_status(s->wait_status);
}

static int run_script(const char *script)
{
	struct supervise s;
	struct jsnap_error err = {0};
	int status;

	CHECK_EQ(supervise_begin(&s, &err), 0);
	start_shell(&s, script, -1);
	status = supervise_to_end(&s);
	supervise_reset_signals(&s);
	supervise_end(&s);
	return status;
}

static void test_status(void)
{
	CHECK_EQ(run_script("exit 0"), 0);
	CHECK_EQ(run_script("exit 7"), 7);
	CHECK_EQ(run_script("kill -KILL $$"), 128 + SIGKILL);
	CHECK_EQ(run_script("kill -SEGV $$"), 128 + SIGSEGV);
}

static void test_exec_failure(void)
{
	static const struct {
		const char *path;
		int rc;
	} cases[] = {{"/nonexistent/java", -ENOENT}, {"/etc/passwd", -EACCES}, {"/", -EACCES}};
	struct supervise s;
	struct jsnap_error err = {0};

	CHECK_EQ(supervise_begin(&s, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[] = {(char *)(uintptr_t)cases[i].path, NULL}, *env[] = {NULL};
		const struct child_options options = {.executable = cases[i].path,
						      .argv = argv,
						      .env = env,
						      .keep_fd = -1,
						      .stdin_fd = -1,
						      .stdout_fd = -1,
						      .stderr_fd = -1};
		pid_t pid = 0;

		CHECK_EQ(child_start(&s, &options, &pid, &err), cases[i].rc);
		CHECK(strstr(err.text, cases[i].path));
	}
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	supervise_reset_signals(&s);
	supervise_end(&s);
}

/* A supervisor in a process of its own that exits as its application does; its output is ours. */
static pid_t fork_supervisor(const char *script, int *ret_out)
{
	int fds[2];
	pid_t pid;

	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct supervise s;
		struct jsnap_error err = {0};

		setpgid(0, 0);
		if (supervise_begin(&s, &err) < 0)
			_exit(99);
		start_shell(&s, script, fds[1]);
		close(fds[1]);
		_exit(supervise_to_end(&s));
	}
	setpgid(pid, pid);
	close(fds[1]);
	*ret_out = fds[0];
	return pid;
}

static void expect_line(int fd, const char *line)
{
	char got[256] = {0};
	size_t n = strlen(line);

	CHECK_EQ(read_full(fd, got, n), 0);
	CHECK_STR(got, line);
}

static int wait_for(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_forwarding(void)
{
	static const struct {
		int signo;
		const char *line;
	} signals[] = {{SIGHUP, "HUP\n"},   {SIGINT, "INT\n"},	 {SIGQUIT, "QUIT\n"},
		       {SIGUSR1, "USR1\n"}, {SIGUSR2, "USR2\n"}, {SIGWINCH, "WINCH\n"},
		       {SIGCONT, "CONT\n"}, {SIGTERM, "TERM\n"}};
	int out;
	pid_t pid = fork_supervisor(
		"for s in HUP INT QUIT USR1 USR2 WINCH CONT; do trap \"echo $s\" $s; done; "
		"trap 'echo TERM; exit 3' TERM; echo up; while :; do sleep 0.02; done",
		&out);

	expect_line(out, "up\n");
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		kill(pid, signals[i].signo);
		expect_line(out, signals[i].line);
	}
	CHECK_EQ(wait_for(pid), 3);
	close(out);
}

static void test_default_action(void)
{
	int out;
	pid_t pid = fork_supervisor("echo up; exec sleep 100", &out);

	expect_line(out, "up\n");
	kill(pid, SIGTERM);
	CHECK_EQ(wait_for(pid), 128 + SIGTERM);
	close(out);
}

/* A signal before there is an application waits, and reaches it. */
static void test_early_signal(void)
{
	struct supervise s;
	struct jsnap_error err = {0};
	pid_t pid;

	CHECK_EQ(supervise_begin(&s, &err), 0);
	raise(SIGWINCH); /* one's own: dropped, and harmless by default */
	pid = fork();
	if (pid == 0) {
		kill(getppid(), SIGTERM);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	start_shell(&s, "exec sleep 100", -1);
	CHECK_EQ(supervise_wait(&s, NULL, 0, monotonic_ns() + 5 * SECOND), -ECANCELED);
	CHECK_EQ(s.ending_signal, SIGTERM);
	CHECK_EQ(supervise_to_end(&s), 128 + SIGTERM);
	CHECK_EQ(supervise_explain(&s, -ECHILD, &err), -ECHILD);
	CHECK(strstr(err.text, "SIGTERM"));
	supervise_reset_signals(&s);
	supervise_end(&s);
}

/* The terminal gave it to the group before the program was in it: it reaches the program too. */
static void test_older_than_the_program(void)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	const char *name;
	pid_t pid;

	CHECK(terminal >= 0);
	CHECK_EQ(grantpt(terminal), 0);
	CHECK_EQ(unlockpt(terminal), 0);
	name = ptsname(terminal);
	pid = fork();
	if (pid == 0) {
		struct supervise s;
		struct jsnap_error err = {0};
		sigset_t pending;

		setsid();
		if (open(name, O_RDWR | O_CLOEXEC) < 0 || supervise_begin(&s, &err) < 0 ||
		    write(terminal, "\003", 1) != 1)
			_exit(99);
		do
			sigpending(&pending);
		while (sigismember(&pending, SIGINT) != 1);
		start_shell(&s, "exec sleep 100", -1);
		_exit(supervise_to_end(&s));
	}
	CHECK_EQ(wait_for(pid), 128 + SIGINT);
	close(terminal);
}

/* In a process of its own: `signo` is sent to it before and after it is to end at once. */
static int end_at_once(int signo, bool before)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct supervise s;
		struct jsnap_error err = {0};

		signal(SIGINT, SIG_IGN);
		if (supervise_begin(&s, &err) < 0)
			_exit(99);
		if (before)
			raise(signo);
		if (supervise_end_at_once(&s, true))
			_exit(98);
		if (!before)
			raise(signo);
		if (!supervise_end_at_once(&s, false))
			_exit(97);
		raise(SIGTERM); /* waits again */
		_exit(0);
	}
	return wait_for(pid);
}

static void test_end_at_once(void)
{
	CHECK_EQ(end_at_once(SIGTERM, true), 128 + SIGTERM);
	CHECK_EQ(end_at_once(SIGTERM, false), 128 + SIGTERM);
	CHECK_EQ(end_at_once(SIGHUP, false), 128 + SIGHUP);
	CHECK_EQ(end_at_once(SIGINT, false), 0); /* which the caller ignores */
	CHECK_EQ(end_at_once(SIGUSR1, true), 0);
}

/* The program stops: so does the supervisor, which its parent (this test, as a shell) sees. */
static void test_job_control(void)
{
	int out, status;
	pid_t pid = fork_supervisor("echo up; kill -TSTP $$; echo again; exit 5", &out);

	expect_line(out, "up\n");
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTSTP);
	kill(pid, SIGCONT); /* to the supervisor alone: it continues the program */
	expect_line(out, "again\n");
	CHECK_EQ(wait_for(pid), 5);
	close(out);

	/* SIGTSTP sent to the supervisor alone, and the whole group continued as a shell does. */
	pid = fork_supervisor(
		"trap 'echo CONT; exit 6' CONT; echo up; while :; do sleep 0.02; done", &out);
	expect_line(out, "up\n");
	kill(pid, SIGTSTP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	kill(-pid, SIGCONT);
	expect_line(out, "CONT\n");
	CHECK_EQ(wait_for(pid), 6);
	close(out);
}

static void test_inheritance(void)
{
	struct supervise s;
	struct jsnap_error err = {0};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	/* Not by a shell, which clears its mask. */
	char *blocked[] = {(char[]){"/bin/grep"}, (char[]){"-q"},
			   (char[]){"^SigBlk:.*0000000000000200$"}, (char[]){"/proc/self/status"},
			   NULL};
	sigset_t mask, old;
	int *fds;
	size_t count;

	sigaction(SIGUSR2, &ignore, &before);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, &old);
	CHECK_EQ(dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 40), 40);
	CHECK_EQ(fcntl(41, F_GETFD), -1);
	CHECK_EQ(supervise_begin(&s, &err), 0);
	CHECK_EQ(fds_inherited(&fds, &count, &err), 0);
	CHECK_EQ(fds[count - 1], 40);
	CHECK(fds_same_file(40, getpid()));
	CHECK(!fds_same_file(41, getpid()));
	free(fds);
	/* SIGUSR1 (bit 9) blocked and SIGUSR2 (bit 11) ignored as the caller had it, no more. */
	start_program(&s, blocked, -1);
	CHECK_EQ(supervise_to_end(&s), 0);
	start_shell(&s,
		    "grep -q '^SigIgn:.*0000000000000800$' /proc/self/status && "
		    "test \"$(ls /proc/$$/fd | sort -n | tail -n 1)\" = 40",
		    -1);
	CHECK_EQ(supervise_to_end(&s), 0);
	close(40);
	supervise_reset_signals(&s);
	supervise_end(&s);
	sigprocmask(SIG_SETMASK, &old, NULL);
	sigaction(SIGUSR2, &before, NULL);
}

static void test_commands(void)
{
	struct supervise s;
	struct jsnap_error err = {0};
	char *env[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
	int status = -1;

	CHECK_EQ(supervise_begin(&s, &err), 0);
	start_shell(&s, "exec sleep 100", -1);
	CHECK_EQ(command_run(&s, "kill -0 $JSNAP_PID && exit 4", env, 0, &status, &err), 0);
	CHECK_EQ(status, 4);
	CHECK_EQ(command_run(&s, "sleep 100", env, monotonic_ns() + SECOND / 10, &status, &err),
		 -ETIMEDOUT);
	/* The program's end ends the wait for a command. */
	kill(s.pid, SIGKILL);
	CHECK_EQ(command_run(&s, "sleep 100", env, 0, &status, &err), -ECHILD);
	CHECK_EQ(supervise_exit_status(s.wait_status), 128 + SIGKILL);
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	supervise_reset_signals(&s);
	supervise_end(&s);
}

/* In a PID namespace, as PID 1: orphans fall to it and go, the program's status stays. */
static int run_as_init(void)
{
	struct supervise s;
	struct jsnap_error err = {0};
	int status;

	if (getpid() != 1)
		return 98;
	if (supervise_begin(&s, &err) < 0)
		return 99;
	start_shell(
		&s,
		"orphans=$(for i in 1 2 3; do (sleep 0.05 & echo $!); done); "
		"for o in $orphans; do while kill -0 $o; do sleep 0.02; done 2>/dev/null; done; "
		"exit 9",
		-1);
	status = supervise_to_end(&s);
	/* Everything but the program itself was reaped. */
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? status : 97;
}

static void test_init(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pid_t init;

		if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
			_exit(77);
		init = fork();
		if (init < 0)
			_exit(77);
		if (init == 0)
			_exit(run_as_init());
		if (waitpid(init, &status, 0) != init || !WIFEXITED(status))
			_exit(96);
		_exit(WEXITSTATUS(status));
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		printf("skipped in part: no PID namespace may be created here\n");
		if (getenv("JSNAP_TEST_STRICT"))
			exit(1);
		exit(77);
	}
	CHECK_EQ(WEXITSTATUS(status), 9);
}

/* nohup, make, ctest: a known state whatever the test was started by. */
static void forget_caller(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)close_range(3, ~0u, 0);
}

int main(void)
{
	forget_caller();
	test_status();
	test_exec_failure();
	test_forwarding();
	test_default_action();
	test_early_signal();
	test_older_than_the_program();
	test_end_at_once();
	test_job_control();
	test_inheritance();
	test_commands();
	test_init(); /* last: it may skip */
	return 0;
}
