/*
 * eventfd, signalfd and epoll: counts, flags, masks, edge and oneshot states, what is
 * ready and what isn't, the user's data, nested sets.
 */
#include "victim.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

static void add(int set, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	SETUP(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

/* The bits of the data of all that is ready, without waiting. */
static uint64_t ready(int set)
{
	struct epoll_event events[16];
	int n = epoll_wait(set, events, 16, 0);
	uint64_t data = 0;

	EXPECT(n >= 0);
	for (int i = 0; i < n; i++)
		data |= events[i].data.u64;
	return data;
}

static void check_eventfd(int count, int semaphore)
{
	uint64_t value;

	EXPECT_EQ(fcntl(count, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(read(count, &value, 8), 8);
	EXPECT_EQ(value, UINT64_C(0x123456789abc));
	EXPECT(read(count, &value, 8) < 0 && errno == EAGAIN);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(read(semaphore, &value, 8), 8);
		EXPECT_EQ(value, 1);
	}
}

static void check_signalfd(int fd)
{
	struct signalfd_siginfo info;

	EXPECT(read(fd, &info, sizeof(info)) < 0 && errno == EAGAIN);
	kill(getpid(), SIGUSR2);
	EXPECT_EQ(read(fd, &info, sizeof(info)), sizeof(info));
	EXPECT_EQ(info.ssi_signo, SIGUSR2);
}

int main(int argc, char **argv)
{
	int count = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), semaphore = eventfd(2, EFD_SEMAPHORE);
	int level = eventfd(1, 0), quiet = eventfd(0, 0), edge = eventfd(1, 0),
	    once = eventfd(1, 0);
	int set = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0), sfd;
	uint64_t value = UINT64_C(0x123456789abc);
	struct epoll_event rearm = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 8};
	sigset_t mask;

	victim_init(argc, argv);
	SETUP(write(count, &value, 8) == 8);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	SETUP(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
	sfd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	add(set, level, EPOLLIN, 1);
	add(set, quiet, EPOLLIN, 2);
	add(set, edge, EPOLLIN | EPOLLET, 4);
	add(set, once, EPOLLIN | EPOLLONESHOT, 8);
	add(outer, set, EPOLLIN, 16);
	SETUP(ready(set) == (1 | 4 | 8)); /* consumes the edge and the one shot */
	SETUP(ready(set) == 1);
	SETUP(sfd >= 0);
	victim_ready();

	check_eventfd(count, semaphore);
	check_signalfd(sfd);
	EXPECT_EQ(fcntl(set, F_GETFD), FD_CLOEXEC);
	/* An edge that was seen may be reported once more after a restore; it must not be lost. */
	EXPECT_EQ(ready(set) & ~4ull, 1);
	EXPECT_EQ(ready(set), 1);
	EXPECT_EQ(ready(outer), 16);
	value = 1;
	EXPECT_EQ(write(edge, &value, 8), 8);
	EXPECT_EQ(ready(set), 1 | 4);
	EXPECT_EQ(write(quiet, &value, 8), 8);
	EXPECT_EQ(ready(set), 1 | 2);
	EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_MOD, once, &rearm), 0);
	EXPECT_EQ(ready(set), 1 | 2 | 8);
	return victim_result();
}
