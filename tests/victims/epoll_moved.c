/*
 * An epoll set that watches a file by a number that is closed, while the file lives on under
 * another: the set goes on to report it (epoll(7), questions and answers).
 */
#include "victim.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

int main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 32};
	int set, before, after;

	victim_init(argc, argv);
	set = epoll_create1(EPOLL_CLOEXEC);
	before = eventfd(0, EFD_CLOEXEC);
	SETUP(epoll_ctl(set, EPOLL_CTL_ADD, before, &event) == 0);
	after = dup(before);
	SETUP(after >= 0 && close(before) == 0);
	victim_ready();
	EXPECT_EQ(eventfd_write(after, 1), 0);
	event.data.u64 = 0;
	EXPECT_EQ(epoll_wait(set, &event, 1, 0), 1);
	EXPECT_EQ(event.data.u64, 32);
	return victim_result();
}
