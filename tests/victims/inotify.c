/*
 * inotify: the watch, its number and mask, and an event that happened before the checkpoint and was
 * not read.
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static void create(const char *name)
{
	int fd = open(victim_path(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	SETUP(fd >= 0 && close(fd) == 0);
}

static void expect_created(int fd, int watch, const char *name)
{
	char buffer[sizeof(struct inotify_event) + 16] __attribute__((aligned(8)));
	const struct inotify_event *event = (void *)buffer;
	ssize_t n = read(fd, buffer, sizeof(buffer));

	EXPECT(n > (ssize_t)sizeof(*event));
	if (n <= (ssize_t)sizeof(*event))
		return;
	EXPECT_EQ(event->wd, watch);
	EXPECT_EQ(event->mask, IN_CREATE);
	EXPECT_STR(event->name, name);
}

int main(int argc, char **argv)
{
	int fd, watch;

	victim_init(argc, argv);
	SETUP(mkdir(victim_path("watched"), 0700) == 0);
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch = inotify_add_watch(fd, victim_path("watched"), IN_CREATE);
	SETUP(fd >= 0 && watch >= 0);
	create("watched/before");
	victim_ready();
	expect_created(fd, watch, "before");
	create("watched/after");
	expect_created(fd, watch, "after");
	EXPECT_EQ(inotify_rm_watch(fd, watch), 0);
	return victim_result();
}
