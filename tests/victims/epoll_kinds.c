/*
 * Sets that tell an edge once, that tell once at all, that share a wake-up, and sets inside sets.
 */
#include "victim.h"

#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

static int set[5];

static struct polling { /* linux/eventpoll.h, Linux 6.9 */
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
} polling = {.usecs = 100, .budget = 8, .prefer = 1};
#define SET_POLLING _IOW(0x8a, 0x01, struct polling)
#define GET_POLLING _IOR(0x8a, 0x02, struct polling)

static void add(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	SETUP(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

/* What is ready in a set, as the sum of data; -1 when more than 8 are. */
static int64_t ready(int epoll)
{
	struct epoll_event events[8];
	int n = epoll_wait(epoll, events, 8, 0);
	int64_t sum = 0;

	EXPECT(n >= 0);
	for (int i = 0; i < n; i++)
		sum += events[i].data.u64;
	return sum;
}

static void count(int fd)
{
	uint64_t one = 1;

	EXPECT_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

int main(int argc, char **argv)
{
	struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 300};
	int quiet, loud, once, fresh;
	bool polls;

	victim_init(argc, argv);
	for (int i = 0; i < 5; i++) {
		set[i] = epoll_create1(EPOLL_CLOEXEC);
		SETUP(set[i] >= 0);
	}
	quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loud = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	once = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	fresh = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	add(set[0], loud, EPOLLIN | EPOLLET, 1);
	add(set[0], quiet, EPOLLIN | EPOLLET, 10);
	SETUP(ready(set[0]) == 1 && ready(set[0]) == 0); /* its edge was told */
	add(set[1], once, EPOLLIN | EPOLLONESHOT, 100);
	add(set[1], fresh, EPOLLIN | EPOLLONESHOT, 200);
	{
		struct epoll_event first;

		SETUP(epoll_wait(set[1], &first, 1, 0) == 1 && first.data.u64 == 100);
	}
	add(set[2], quiet, EPOLLIN | EPOLLEXCLUSIVE, 1000);
	add(set[3], set[2], EPOLLIN, 10000);
	add(set[4], set[3], EPOLLIN, 100000);
	polls = ioctl(set[0], SET_POLLING, &polling) == 0;
	victim_ready();

	/* An edge may be told once more, never less. */
	EXPECT((ready(set[0]) & ~1) == 0);
	EXPECT_EQ(ready(set[0]), 0);
	EXPECT_EQ(ready(set[4]), 0);
	count(quiet);
	EXPECT_EQ(ready(set[0]), 10);
	EXPECT_EQ(ready(set[0]), 0);
	EXPECT_EQ(ready(set[2]), 1000);
	EXPECT_EQ(ready(set[3]), 10000);
	EXPECT_EQ(ready(set[4]), 100000);
	EXPECT_EQ(ready(set[1]), 200); /* the other one is used up */
	EXPECT_EQ(ready(set[1]), 0);
	EXPECT_EQ(epoll_ctl(set[1], EPOLL_CTL_MOD, once, &again), 0);
	EXPECT_EQ(ready(set[1]), 300);
	EXPECT_EQ(ready(set[1]), 0);
	if (polls) {
		struct polling got = {0};

		EXPECT_EQ(ioctl(set[0], GET_POLLING, &got), 0);
		EXPECT_EQ(memcmp(&got, &polling, sizeof(got)), 0);
	}
	return victim_result();
}
