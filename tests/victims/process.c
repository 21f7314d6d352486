/*
 * What belongs to the process as a whole: umask, limits, name, no_new_privs, out-of-memory score,
 * timer slack, THP setting, child subreaper, and its command line and executable in /proc.
 */
#include "victim.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static ssize_t slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	SETUP(fd >= 0);
	n = read(fd, text, size - 1);
	SETUP(n >= 0);
	text[n] = 0;
	close(fd);
	return n;
}

/* Those that are lowered by one, or from none to this. */
#define SOME 1000000000
static const int lowered[] = {RLIMIT_CPU,      RLIMIT_FSIZE,  RLIMIT_RSS,   RLIMIT_NPROC,
			      RLIMIT_MEMLOCK,  RLIMIT_LOCKS,  RLIMIT_NICE,  RLIMIT_SIGPENDING,
			      RLIMIT_MSGQUEUE, RLIMIT_RTPRIO, RLIMIT_RTTIME};
#define LOWERED (sizeof(lowered) / sizeof(lowered[0]))

static void expect_limit(int resource, rlim_t soft)
{
	struct rlimit limit;

	EXPECT_EQ(getrlimit(resource, &limit), 0);
	EXPECT_EQ(limit.rlim_cur, soft);
}

int main(int argc, char **argv)
{
	char cmdline[2][4096], exe[2][PATH_MAX] = {0}, environ_text[2][65536], score[2][16],
			       name[16];
	ssize_t n[2], e[2];
	struct rlimit limit, low[LOWERED];
	int fd, thp;

	victim_init(argc, argv);
	SETUP(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 321;
	SETUP(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	SETUP(getrlimit(RLIMIT_CORE, &limit) == 0);
	limit.rlim_cur = 0;
	SETUP(setrlimit(RLIMIT_CORE, &limit) == 0);
	SETUP(getrlimit(RLIMIT_STACK, &limit) == 0);
	limit.rlim_cur = 6 << 20;
	SETUP(setrlimit(RLIMIT_STACK, &limit) == 0);
	for (size_t i = 0; i < LOWERED; i++) {
		SETUP(getrlimit(lowered[i], &low[i]) == 0);
		if (low[i].rlim_max == RLIM_INFINITY)
			low[i].rlim_cur = SOME;
		else if (low[i].rlim_max > 0)
			low[i].rlim_cur = --low[i].rlim_max;
		SETUP(setrlimit(lowered[i], &low[i]) == 0);
	}
	umask(0137);
	SETUP(prctl(PR_SET_NAME, "a new name") == 0);
	SETUP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	SETUP(prctl(PR_SET_TIMERSLACK, 123456, 0, 0, 0) == 0);
	SETUP(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	thp = prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	SETUP(fd >= 0 && write(fd, "345", 3) == 3);
	close(fd);
	n[0] = slurp("/proc/self/cmdline", cmdline[0], sizeof(cmdline[0]));
	e[0] = slurp("/proc/self/environ", environ_text[0], sizeof(environ_text[0]));
	slurp("/proc/self/oom_score_adj", score[0], sizeof(score[0]));
	SETUP(readlink("/proc/self/exe", exe[0], PATH_MAX - 1) > 0);
	victim_ready();

	expect_limit(RLIMIT_NOFILE, 321);
	expect_limit(RLIMIT_CORE, 0);
	expect_limit(RLIMIT_STACK, 6 << 20);
	for (size_t i = 0; i < LOWERED; i++) {
		expect_limit(lowered[i], low[i].rlim_cur);
		EXPECT_EQ(getrlimit(lowered[i], &limit), 0);
		EXPECT_EQ(limit.rlim_max, low[i].rlim_max);
	}
	EXPECT_EQ(umask(022), 0137);
	EXPECT_EQ(prctl(PR_GET_NAME, name), 0);
	EXPECT_STR(name, "a new name");
	EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	EXPECT_EQ(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 123456);
	EXPECT_EQ(prctl(PR_GET_CHILD_SUBREAPER, &fd, 0, 0, 0), 0);
	EXPECT_EQ(fd, 1);
	if (thp == 0)
		EXPECT_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
	n[1] = slurp("/proc/self/cmdline", cmdline[1], sizeof(cmdline[1]));
	EXPECT(n[0] == n[1] && memcmp(cmdline[0], cmdline[1], n[0]) == 0);
	e[1] = slurp("/proc/self/environ", environ_text[1], sizeof(environ_text[1]));
	EXPECT(e[0] == e[1] && memcmp(environ_text[0], environ_text[1], e[0]) == 0);
	slurp("/proc/self/oom_score_adj", score[1], sizeof(score[1]));
	EXPECT_STR(score[1], score[0]);
	EXPECT(readlink("/proc/self/exe", exe[1], PATH_MAX - 1) > 0);
	EXPECT_STR(exe[1], exe[0]);
	return victim_result();
}
