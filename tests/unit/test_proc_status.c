/* status, stat, threads and children: recorded texts, and a child of the test's own. */
#include "check.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/status.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static char *load(const char *name)
{
	char path[512];
	char *text;

	snprintf(path, sizeof(path), "%s/proc/%s", FIXTURES, name);
	CHECK_EQ(read_file(path, 1 << 20, &text, NULL), 0);
	return text;
}

static void test_recorded_status(void)
{
	CLEANUP_FREE char *text = load("jvm17.status");
	struct proc_status status;

	CHECK_EQ(proc_status_parse(text, &status, NULL), 0);
	CHECK_STR(status.comm, "java");
	CHECK_EQ(status.state, 'S');
	CHECK_EQ(status.pid, 10219);
	CHECK_EQ(status.tgid, 10219);
	CHECK_EQ(status.ppid, 10217);
	CHECK_EQ(status.tracer, 0);
	CHECK_EQ(status.ns_pid, 10219);
	CHECK_EQ(status.ns_depth, 1);
	CHECK_EQ(status.umask, 022);
	CHECK_EQ(status.threads, 21);
	CHECK(status.sig_caught == UINT64_C(0x2000000101005ccd));
	CHECK_EQ(status.sig_ignored, 2);
	CHECK(status.cap_permitted == UINT64_C(0x1fffeffffff));
	CHECK_EQ(status.cap_inheritable, 0);
	CHECK_EQ(status.seccomp, 0);
	CHECK(status.thp_enabled);
	CHECK_EQ(status.vm_rss, 73816 * 1024);
}

/* The recorded text with `from` replaced by `to` (no longer than it). */
static char *edited(const char *from, const char *to)
{
	char *text = load("jvm17.status"), *at = strstr(text, from);
	size_t tail;

	CHECK(at && strlen(to) <= strlen(from));
	tail = strlen(at + strlen(from)) + 1;
	memmove(at + strlen(to), at + strlen(from), tail);
	memcpy(at, to, strlen(to));
	return text;
}

static void expect_status(const char *from, const char *to, int code, const char *part)
{
	CLEANUP_FREE char *text = edited(from, to);
	struct proc_status status;
	struct jsnap_error err = {0};

	CHECK_EQ(proc_status_parse(text, &status, &err), -code);
	if (part)
		CHECK(strstr(err.text, part));
}

static void test_edited_status(void)
{
	CLEANUP_FREE char *nested =
		edited("NSpid:\t10219\nNSpgid:\t10163\n", "NSpid:\t10219\t17\t1\n");
	CLEANUP_FREE char *no_thp = edited("THP_enabled:\t1", "THP_enabled:\t0");
	struct proc_status status;

	CHECK_EQ(proc_status_parse(nested, &status, NULL), 0);
	CHECK_EQ(status.ns_depth, 3);
	CHECK_EQ(status.ns_pid, 1);
	CHECK_EQ(proc_status_parse(no_thp, &status, NULL), 0);
	CHECK(!status.thp_enabled);
	expect_status("Seccomp:\t0\n", "", 0, NULL);
	expect_status("Umask:\t0022\n", "", 0, NULL);
	expect_status("SigBlk:", "SigXxx:", EBADMSG, "SigBlk");
	expect_status("Uid:\t0\t0\t0\t0", "Uid:\t0\t0\t0", EBADMSG, "line 9");
	expect_status("Threads:\t21", "Threads:\t-1", EBADMSG, "Threads");
	expect_status("Pid:\t10219", "Pid:\t1021x", EBADMSG, "malformed");
	expect_status("0000000000000002", "00000000000000g2", EBADMSG, "SigIgn");
	CHECK_EQ(proc_status_parse("", &status, NULL), -EBADMSG);
}

static void test_recorded_stat(void)
{
	CLEANUP_FREE char *text = load("jvm17.stat");
	struct proc_stat stat;

	CHECK_EQ(proc_stat_parse(text, &stat, NULL), 0);
	CHECK_STR(stat.comm, "java");
	CHECK_EQ(stat.state, 'S');
	CHECK_EQ(stat.ppid, 10217);
	CHECK_EQ(stat.pgrp, 10163);
	CHECK_EQ(stat.session, 3297);
	CHECK_EQ(stat.flags, 4194304);
	CHECK(!(stat.flags & PROC_EXITING));
	CHECK_EQ(stat.utime, 85);
	CHECK_EQ(stat.stime, 14);
	CHECK_EQ(stat.start_time, 244737);
	CHECK_EQ(stat.start_code, 94570373554176);
	CHECK_EQ(stat.start_stack, 140731833352560);
	CHECK_EQ(stat.start_brk, 94570455732224);
	CHECK_EQ(stat.env_end, 140731833360332);
	CHECK_EQ(stat.exit_code, 0);
	*strrchr(text, ' ') = '\0'; /* 51 fields */
	CHECK_EQ(proc_stat_parse(text, &stat, NULL), -EBADMSG);
	CHECK_EQ(proc_stat_parse("1 java S", &stat, NULL), -EBADMSG);
	CHECK_EQ(proc_stat_parse("1 )java( S", &stat, NULL), -EBADMSG);
}

static void *wait_forever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* A child with a hostile name, two more threads, SIGUSR1 blocked, and a child of its own. */
static pid_t start_child(void)
{
	int ready[2];
	char byte;
	pid_t child;

	CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		pthread_t thread;
		sigset_t blocked;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			wait_forever(NULL);
		}
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGUSR1);
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		prctl(PR_SET_NAME, "a) S 1 (\nPid:\t7");
		pthread_create(&thread, NULL, wait_forever, NULL);
		pthread_create(&thread, NULL, wait_forever, NULL);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		wait_forever(NULL);
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void test_child(void)
{
	CLEANUP_FREE pid_t *tids = NULL, *children = NULL, *grandchildren = NULL;
	size_t n_tids, n_children, n_grandchildren;
	struct proc_status status;
	struct proc_stat stat;
	struct jsnap_error err = {0};
	pid_t child = start_child();

	CHECK_EQ(proc_status_read(child, 0, &status, &err), 0);
	CHECK_STR(status.comm, "a) S 1 (\nPid:\t7");
	CHECK_EQ(status.pid, child);
	CHECK_EQ(status.ppid, getpid());
	CHECK_EQ(status.threads, 3);
	CHECK_EQ(status.sig_blocked, 1 << (SIGUSR1 - 1));
	CHECK_EQ(status.uid[0], getuid());
	CHECK_EQ(proc_stat_read(child, &stat, &err), 0);
	CHECK_STR(stat.comm, "a) S 1 (\nPid:\t7");
	CHECK_EQ(stat.ppid, getpid());
	CHECK_EQ(proc_tasks_read(child, &tids, &n_tids, &err), 0);
	CHECK_EQ(n_tids, 3);
	CHECK(tids[0] < tids[1] && tids[1] < tids[2]);
	CHECK_EQ(proc_status_read(child, tids[2], &status, &err), 0);
	CHECK_EQ(status.pid, tids[2]);
	CHECK_EQ(status.tgid, child);
	CHECK_EQ(proc_children_read(getpid(), &children, &n_children, &err), 0);
	CHECK_EQ(n_children, 1);
	CHECK_EQ(children[0], child);
	CHECK_EQ(proc_children_read(child, &grandchildren, &n_grandchildren, &err), 0);
	CHECK_EQ(n_grandchildren, 1);
	kill(grandchildren[0], SIGKILL);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(proc_status_read(child, 0, &status, &err), -ESRCH);
	CHECK(strstr(err.text, "gone"));
	CHECK_EQ(proc_stat_read(child, &stat, &err), -ESRCH);
}

int main(void)
{
	test_recorded_status();
	test_edited_status();
	test_recorded_stat();
	test_child();
	return 0;
}
