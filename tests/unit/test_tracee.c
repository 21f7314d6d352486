/* A tracee that dies while it is being stopped: said at once, and its status is still to be had. */
#include "trace/tracee.h"

#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sleeper(void *arg)
{
	(void)arg;
	while (pause() < 0)
		;
	return NULL;
}

/* A child that writes one byte when its threads run, then reads one and exits with status 3. */
static pid_t start(int threads, int *ret_go)
{
	int ready[2], go[2];
	char byte;
	pid_t pid;

	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < threads; i++)
			if (pthread_create(&thread, NULL, sleeper, NULL))
				_exit(99);
		if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(98);
		_exit(3);
	}
	CHECK(pid > 0);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(go[0]);
	*ret_go = go[1];
	return pid;
}

static int end_of(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_exits_by_itself(void)
{
	struct jsnap_error err = {0};
	int go, status;
	pid_t pid = start(0, &go);

	CHECK_EQ(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	CHECK_EQ(write(go, "g", 1), 1);
	CHECK_EQ(tracee_wait(pid, &status, &err), -ESRCH);
	status = end_of(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 3);
	close(go);
}

/* The other threads' ends have not been waited for yet, and the kernel reports the leader's last.
 */
static void test_killed_with_threads(void)
{
	struct jsnap_error err = {0};
	struct tracee tracee;
	int go, status;
	pid_t pid = start(4, &go);

	CHECK_EQ(tracee_freeze(pid, &tracee, &err), 0);
	CHECK_EQ(tracee.n_threads, 5);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(tracee_wait(pid, &status, &err), -ESRCH);
	CHECK_EQ(tracee_wait(tracee.threads[2].tid, &status, &err), -ESRCH);
	tracee_release(&tracee);
	while (waitpid(-1, &status, __WALL) != pid)
		;
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	close(go);
}

static void test_stop(void)
{
	struct jsnap_error err = {0};
	struct tracee tracee;
	int go, status;
	pid_t pid = start(2, &go);

	CHECK_EQ(tracee_freeze(pid, &tracee, &err), 0);
	tracee_release(&tracee);
	CHECK_EQ(write(go, "g", 1), 1);
	status = end_of(pid);
	CHECK_EQ(WEXITSTATUS(status), 3);
	close(go);
}

int main(void)
{
	alarm(30);
	test_exits_by_itself();
	test_killed_with_threads();
	test_stop();
	return 0;
}
