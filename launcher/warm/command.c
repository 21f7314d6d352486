/* See command.h. */
#include "launcher/warm/command.h"

#include "base/cleanup.h"
#include "launcher/supervise/child.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The environment and one variable more, in an array of its own. */
static char **with_variable(char *const *env, char *variable)
{
	size_t count = 0;
	char **grown;

	while (env[count])
		count++;
	grown = calloc(count + 2, sizeof(*grown));
	if (!grown)
		return NULL;
	memcpy(grown, env, count * sizeof(*env));
	grown[count] = variable;
	return grown;
}

static int start(struct supervise *s, const char *command, char *const *env, pid_t *ret_pid,
		 struct jsnap_error *err)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)command, NULL};
	CLEANUP_CLOSE int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CLEANUP_FREE char **own_env = NULL;
	char variable[32];
	struct child_options options;

	if (null_fd < 0)
		return error_errno(err, "open /dev/null");
	snprintf(variable, sizeof(variable), "JSNAP_PID=%d", (int)s->pid);
	own_env = with_variable(env, variable);
	if (!own_env)
		return error_set(err, ENOMEM, "no memory for the environment of '%s'", command);
	options = (struct child_options){.executable = "/bin/sh",
					 .argv = argv,
					 .env = own_env,
					 .keep_fd = -1,
					 .stdin_fd = null_fd,
					 .stdout_fd = STDERR_FILENO,
					 .stderr_fd = -1,
					 .own_group = true};
	return child_start(s, &options, ret_pid, err);
}

static int await(struct supervise *s, struct supervise_helper *helper, uint64_t deadline_ns,
		 struct jsnap_error *err)
{
	CLEANUP_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, helper->pid, 0);
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return error_errno(err, "open a pidfd");
	while (!helper->ended) {
		int rc = supervise_wait(s, &fd, 1, deadline_ns);

		if (rc < 0)
			return supervise_explain(s, rc, err);
		if (rc == 0)
			return error_set(err, ETIMEDOUT, "it did not end in time");
	}
	return 0;
}

int command_run(struct supervise *s, const char *command, char *const *env, uint64_t deadline_ns,
		int *ret_status, struct jsnap_error *err)
{
	struct supervise_helper *helper;
	pid_t pid = 0;
	int rc = start(s, command, env, &pid, err);

	if (rc < 0)
		return rc;
	helper = supervise_helper(s, pid);
	rc = helper ? await(s, helper, deadline_ns, err)
		    : error_set(err, EAGAIN, "too many commands at once");
	if (rc == 0)
		*ret_status = supervise_exit_status(helper->wait_status);
	else
		kill(-pid, SIGKILL);
	if (rc < 0 && !(helper && helper->ended))
		waitpid(pid, NULL, 0);
	supervise_forget(helper);
	return rc;
}
