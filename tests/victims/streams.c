/*
 * Standard streams that are one open file description, as a terminal's or those of `>out 2>&1`,
 * come back as the caller's three, each at its number; what else stands for one of them goes with
 * it. `terminal` or `outputs` says which. `closed`: what was opened where an output was closed is
 * none of them.
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/wait.h>

/* Passes on what comes through a terminal until it is closed. */
static void pass_on(int master)
{
	char data[512];
	ssize_t n;

	while ((n = read(master, data, sizeof(data))) > 0)
		if (write(STDERR_FILENO, data, (size_t)n) != n)
			break;
}

/* A terminal whose master is a process's that is no child of ours. */
static const char *make_terminal(void)
{
	static char name[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid_t pid;

	SETUP(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	SETUP(ptsname_r(master, name, sizeof(name)) == 0);
	pid = fork();
	SETUP(pid >= 0);
	if (pid == 0) {
		/* In a session of its own, or ours would keep our PID in use. */
		if (setsid() > 0 && fork() == 0)
			pass_on(master);
		_exit(0);
	}
	SETUP(waitpid(pid, NULL, 0) == pid);
	close(master);
	return name;
}

static void put(int fd, int from, int to)
{
	SETUP(fd >= 0);
	for (int number = from; number <= to; number++)
		SETUP(dup2(fd, number) == number);
	if (fd < from || fd > to)
		close(fd);
}

/* By the last part of its path. */
static void expect_file(int fd, const char *wanted)
{
	char path[64], file[512];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, file, sizeof(file) - 1);
	file[n < 0 ? 0 : n] = '\0';
	name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	if (strcmp(name, wanted) != 0)
		victim_fault(__FILE__, __LINE__, "fd %d is %s, not %s", fd, file, wanted);
}

/* As started with `<&- >&-`: the first file that it reads has the number 1. */
static int test_closed(void)
{
	SETUP(close(victim_file("read", 100)) == 0);
	put(open(victim_path("read"), O_RDONLY), 1, 1);
	SETUP(close(0) == 0);
	victim_ready();
	EXPECT_EQ(fcntl(0, F_GETFD), -1);
	expect_file(1, "read");
	return victim_result();
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	char before[64];

	victim_init(argc, argv);
	SETUP(argc == 3);
	if (strcmp(argv[2], "closed") == 0)
		return test_closed();
	if (strcmp(argv[2], "terminal") == 0) {
		const char *name = make_terminal();

		snprintf(before, sizeof(before), "%s", strrchr(name, '/') + 1);
		put(open(name, O_RDWR | O_NOCTTY), 0, 2);
		put(open(name, O_RDONLY | O_NOCTTY), 20, 20);
		put(open(name, O_WRONLY | O_NOCTTY), 21, 21);
	} else {
		snprintf(before, sizeof(before), "outputs");
		put(open(victim_path(before), O_WRONLY | O_CREAT | O_APPEND, 0600), 1, 2);
		SETUP(dup2(0, 20) == 20 && dup2(1, 21) == 21);
	}
	SETUP(dup2(2, 22) == 22);
	victim_ready();
	if (getppid() == parent) {
		expect_file(1, before);
		expect_file(2, before);
		expect_file(22, before);
	} else {
		expect_file(0, "null");
		expect_file(1, "restore.out");
		expect_file(2, "restore.err");
		expect_file(20, "null");
		expect_file(21, "restore.out");
		expect_file(22, "restore.out");
	}
	return victim_result();
}
