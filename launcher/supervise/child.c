/* See child.h. */
#include "launcher/supervise/child.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

enum child_step { STEP_DESCRIPTORS, STEP_EXEC };

struct child_report { /* over the error pipe; nothing when exec succeeded */
	int step, error;
};

static int place(int fd, int number)
{
	if (fd < 0)
		return 0;
	if (fd == number)
		return fcntl(fd, F_SETFD, 0);
	return dup2(fd, number);
}

static int place_descriptors(const struct child_options *o)
{
	if (place(o->stdin_fd, 0) < 0 || place(o->stdout_fd, 1) < 0 || place(o->stderr_fd, 2) < 0)
		return -1;
	return o->keep_fd >= 0 ? fcntl(o->keep_fd, F_SETFD, 0) : 0;
}

/* Only async-signal-safe calls from here on. */
static _Noreturn void become(const struct supervise *s, const struct child_options *o, int pipe_fd)
{
	struct child_report report = {.step = STEP_DESCRIPTORS};

	if (o->own_group)
		setpgid(0, 0);
	if (place_descriptors(o) == 0) {
		report.step = STEP_EXEC;
		supervise_reset_signals(s);
		execve(o->executable, o->argv, o->env);
	}
	report.error = errno;
	(void)write_full(pipe_fd, &report, sizeof(report));
	_exit(127);
}

int child_start(const struct supervise *s, const struct child_options *options, pid_t *ret_pid,
		struct jsnap_error *err)
{
	CLEANUP_CLOSE int report_in = -1, report_out = -1;
	struct child_report report;
	int fds[2], rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "create a pipe");
	report_in = fds[0];
	report_out = fds[1];
	pid = fork();
	if (pid < 0)
		return error_errno(err, "fork to start %s", options->executable);
	if (pid == 0)
		become(s, options, report_out);
	close(steal_fd(&report_out));
	rc = read_full(report_in, &report, sizeof(report));
	if (rc == -ENODATA) {
		*ret_pid = pid;
		return 0;
	}
	if (rc < 0)
		kill(pid, SIGKILL); /* it may be the program by now, of which nobody would know */
	waitpid(pid, NULL, 0);
	if (rc < 0)
		return error_set(err, -rc, "start %s: %s", options->executable, strerror(-rc));
	errno = report.error;
	if (report.step == STEP_EXEC)
		return error_errno(err, "execute %s", options->executable);
	return error_errno(err, "hand descriptors to %s", options->executable);
}
