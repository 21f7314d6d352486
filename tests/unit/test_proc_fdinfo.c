/* fdinfo: recorded texts, this process's own descriptors, and bad texts. */
#include "check.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static void load(const char *name, struct fdinfo *info)
{
	CLEANUP_FREE char *text = NULL;
	struct jsnap_error err = {0};
	char path[512];

	snprintf(path, sizeof(path), "%s/proc/fdinfo-%s", FIXTURES, name);
	CHECK_EQ(read_file(path, 1 << 20, &text, NULL), 0);
	if (fdinfo_parse(text, info, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK_EQ(err.code, 0);
}

static void test_recorded_targets(void)
{
	CLEANUP_FDINFO struct fdinfo epoll = {0}, inotify = {0};

	load("epoll", &epoll);
	CHECK_EQ(epoll.flags, O_RDWR | O_CLOEXEC);
	CHECK_EQ(epoll.n_epoll, 2);
	CHECK_EQ(epoll.epoll[0].fd, 6);
	CHECK_EQ(epoll.epoll[0].events, 0x2019);
	CHECK_EQ(epoll.epoll[0].inode, 0x3ef5);
	CHECK(epoll.epoll[0].dev == makedev(0, 9));
	CHECK_EQ(epoll.epoll[1].data, 4);
	CHECK(epoll.epoll[1].events & EPOLLET);
	load("inotify", &inotify);
	CHECK_EQ(inotify.n_inotify, 10);
	CHECK_EQ(inotify.inotify[0].wd, 10); /* "wd:a" */
	CHECK(inotify.inotify[0].dev == makedev(0xfe, 0));
	CHECK_EQ(inotify.inotify[0].inode, 0x4a9);
	CHECK_EQ(inotify.inotify[0].mask, IN_CREATE);
}

static void test_recorded_values(void)
{
	CLEANUP_FDINFO struct fdinfo event = {0}, timer = {0}, pidfd = {0}, locks = {0};

	load("eventfd", &event);
	CHECK(event.has_eventfd && event.eventfd_semaphore && !event.has_timerfd);
	CHECK_EQ(event.eventfd_count, 300);
	load("timerfd", &timer);
	CHECK(timer.has_timerfd && !timer.has_eventfd);
	CHECK_EQ(timer.timerfd_clockid, 1);
	CHECK_EQ(timer.timerfd_value_ns, INT64_C(1000249968844));
	CHECK_EQ(timer.timerfd_interval_ns, INT64_C(2500000000));
	load("pidfd", &pidfd);
	CHECK(pidfd.pidfd_pid > 0);
	CHECK_EQ(pidfd.pidfd_nspid, pidfd.pidfd_pid);
	load("locks", &locks);
	CHECK_EQ(locks.n_locks, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct fdinfo_lock *lock = &locks.locks[i];

		if (lock->kind == FDINFO_LOCK_POSIX)
			CHECK(lock->write && lock->start == 5 && lock->end == 14);
		else
			CHECK(lock->kind == FDINFO_LOCK_FLOCK && !lock->write && lock->start == 0 &&
			      lock->end == UINT64_MAX);
	}
}

static void test_own(void)
{
	CLEANUP_FDINFO struct fdinfo info = {0}, watched = {0};
	CLEANUP_CLOSE int epoll = epoll_create1(EPOLL_CLOEXEC);
	CLEANUP_CLOSE int event = eventfd(0x1234, EFD_CLOEXEC);
	CLEANUP_CLOSE int inotify = inotify_init1(IN_CLOEXEC);
	struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = UINT64_C(0xfedcba9876543210)};
	struct jsnap_error err = {0};
	struct stat st;

	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
	CHECK_EQ(fdinfo_read(getpid(), epoll, &info, &err), 0);
	CHECK_EQ(info.n_epoll, 1);
	CHECK_EQ(info.epoll[0].fd, event);
	CHECK(info.epoll[0].data == wanted.data.u64);
	CHECK_EQ(fstat(event, &st), 0);
	CHECK(!info.epoll[0].inode || info.epoll[0].dev == st.st_dev);
	CHECK(inotify_add_watch(inotify, "/", IN_DELETE) > 0);
	CHECK_EQ(stat("/", &st), 0);
	CHECK_EQ(fdinfo_read(getpid(), inotify, &watched, &err), 0);
	CHECK_EQ(watched.n_inotify, 1);
	CHECK_EQ(watched.inotify[0].mask, IN_DELETE);
	CHECK_EQ(fdinfo_read(getpid(), 99999999, &info, &err), -ESRCH);
}

static void test_signalfd(void)
{
	CLEANUP_FDINFO struct fdinfo info = {0};
	CLEANUP_CLOSE int fd = -1;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(fdinfo_read(getpid(), fd, &info, NULL), 0);
	CHECK(info.has_signalfd);
	CHECK_EQ(info.signalfd_mask, 1 << (SIGUSR1 - 1) | 1 << (SIGTERM - 1));
}

static void test_list(void)
{
	CLEANUP_FREE int *before = NULL, *after = NULL;
	size_t n_before, n_after;
	CLEANUP_CLOSE int fd = -1;

	CHECK_EQ(proc_fds_read(getpid(), &before, &n_before, NULL), 0);
	CHECK(n_before >= 3);
	fd = fcntl(0, F_DUPFD_CLOEXEC, before[n_before - 1] + 100);
	CHECK(fd > before[n_before - 1]);
	CHECK_EQ(proc_fds_read(getpid(), &after, &n_after, NULL), 0);
	CHECK_EQ(n_after, n_before + 1); /* not the one that the listing itself needs */
	CHECK_EQ(after[n_after - 1], fd);
	for (size_t i = 1; i < n_after; i++)
		CHECK(after[i - 1] < after[i]);
}

static void test_bad(void)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"", "pos:"},
		{"pos:\t0\n", "flags:"},
		{"pos:\tx\nflags:\t0\n", "line 1"},
		{"pos:\t0\nflags:\t9\n", "line 2"},
		{"pos:\t0\nflags:\t0\ntfd: 5 events: zz data: 0\n", "line 3"},
		{"pos:\t0\nflags:\t0\ninotify wd:ffffffff ino:1 sdev:1 mask:1\n", "line 3"},
		{"pos:\t0\nflags:\t0\nit_value: (99999999999999999, 0)\n", "line 3"},
		{"pos:\t0\nflags:\t0\nlock:\t1: WEIRD ADVISORY WRITE 1 0:0:0 0 EOF\n", "line 3"},
		{"pos:\t0\nflags:\t0\nPid:\t99999999999\n", "line 3"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct jsnap_error err = {0};
		struct fdinfo info = {.pos = 77};

		CHECK_EQ(fdinfo_parse(cases[i].text, &info, &err), -EBADMSG);
		CHECK(strstr(err.text, cases[i].part));
		CHECK_EQ(info.pos, 77);
	}
}

static void test_limit(void)
{
	static const char line[] = "tfd: 1 events: 1 data: 1\n";
	size_t step = strlen(line), head;
	CLEANUP_FREE char *text = malloc(64 + (FDINFO_MAX_TARGETS + 1) * step);
	CLEANUP_FDINFO struct fdinfo info = {0};

	CHECK(text);
	head = (size_t)sprintf(text, "pos:\t0\nflags:\t0\n");
	for (size_t i = 0; i <= FDINFO_MAX_TARGETS; i++)
		memcpy(text + head + i * step, line, step + 1);
	CHECK_EQ(fdinfo_parse(text, &info, NULL), -E2BIG);
	text[head + FDINFO_MAX_TARGETS * step] = '\0';
	CHECK_EQ(fdinfo_parse(text, &info, NULL), 0);
	CHECK_EQ(info.n_epoll, FDINFO_MAX_TARGETS);
}

int main(void)
{
	test_recorded_targets();
	test_recorded_values();
	test_own();
	test_signalfd();
	test_list();
	test_bad();
	test_limit();
	return 0;
}
