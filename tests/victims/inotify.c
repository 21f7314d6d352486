/*
 * inotify: several watches of one inotify with numbers that others left behind, on folders, a file
 * and a symbolic link, their masks and flags, two inotifies on one folder, and what happens after.
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static void create(const char *name)
{
	int fd = open(victim_path(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	SETUP(fd >= 0 && close(fd) == 0);
}

static void expect_event(int fd, int watch, uint32_t mask, const char *name)
{
	char buffer[sizeof(struct inotify_event) + 16] __attribute__((aligned(8)));
	const struct inotify_event *event = (void *)buffer;
	/* Never two at once: a name is padded to 16 bytes. */
	ssize_t n = read(fd, buffer, name ? sizeof(buffer) : sizeof(*event));

	EXPECT(n >= (ssize_t)sizeof(*event));
	if (n < (ssize_t)sizeof(*event))
		return;
	EXPECT_EQ(event->wd, watch);
	EXPECT_EQ(event->mask, mask);
	EXPECT_EQ(event->len != 0, name != NULL);
	if (event->len && name)
		EXPECT_STR(event->name, name);
}

static void expect_nothing(int fd)
{
	int unread = -1;

	EXPECT_EQ(ioctl(fd, FIONREAD, &unread), 0);
	EXPECT_EQ(unread, 0);
}

static int watch(int fd, const char *name, uint32_t mask)
{
	int wd = inotify_add_watch(fd, victim_path(name), mask);

	SETUP(wd >= 0);
	return wd;
}

static void use_up(int fd, int count)
{
	char buffer[4096];

	for (int i = 0; i < count; i++) {
		SETUP(inotify_rm_watch(fd, watch(fd, "scratch", IN_OPEN)) == 0);
		SETUP(read(fd, buffer, sizeof(buffer)) == sizeof(struct inotify_event));
	}
}

int main(int argc, char **argv)
{
	int fd, other, folder, deep, file, link, once, also, plain;

	victim_init(argc, argv);
	SETUP(mkdir(victim_path("watched"), 0700) == 0 && mkdir(victim_path("a"), 0700) == 0);
	SETUP(mkdir(victim_path("a/b"), 0700) == 0 && mkdir(victim_path("a/b/c d"), 0700) == 0);
	create("file");
	create("scratch");
	SETUP(symlink("file", victim_path("link")) == 0);
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	other = inotify_init1(IN_CLOEXEC);
	plain = inotify_init1(IN_NONBLOCK);
	SETUP(fd >= 0 && other >= 0 && plain >= 0);
	use_up(fd, 3);
	folder = watch(fd, "watched", IN_CREATE | IN_DELETE | IN_EXCL_UNLINK);
	deep = watch(fd, "a/b/c d", IN_MOVED_TO | IN_ONLYDIR);
	use_up(fd, 9000); /* more than half the events that an inotify holds unread */
	file = watch(fd, "file", IN_CLOSE_WRITE);
	link = watch(fd, "link", IN_DELETE_SELF | IN_ATTRIB | IN_DONT_FOLLOW);
	once = watch(fd, "a", IN_CREATE | IN_ONESHOT);
	also = watch(other, "watched", IN_CREATE);
	SETUP(folder == 4 && deep == 5 && file == 9006 && link == 9007 && also == 1);
	create("watched/before");
	expect_event(fd, folder, IN_CREATE, "before");
	expect_event(other, also, IN_CREATE, "before");

	victim_ready();

	expect_nothing(fd);
	expect_nothing(other);
	create("watched/after");
	expect_event(fd, folder, IN_CREATE, "after");
	expect_event(other, also, IN_CREATE, "after");
	EXPECT_EQ(rename(victim_path("watched/after"), victim_path("a/b/c d/moved")), 0);
	expect_event(fd, deep, IN_MOVED_TO, "moved");
	create("file");
	expect_event(fd, file, IN_CLOSE_WRITE, NULL);
	expect_nothing(fd);
	EXPECT_EQ(unlink(victim_path("link")), 0);
	expect_event(fd, link, IN_ATTRIB, NULL);
	expect_event(fd, link, IN_DELETE_SELF, NULL);
	expect_event(fd, link, IN_IGNORED, NULL);
	create("a/one");
	expect_event(fd, once, IN_CREATE, "one");
	expect_event(fd, once, IN_IGNORED, NULL);
	create("a/two");
	expect_nothing(fd);
	EXPECT_EQ(inotify_add_watch(fd, victim_path("watched"), IN_CREATE), folder);
	EXPECT(inotify_add_watch(fd, victim_path("scratch"), IN_OPEN) > once);
	EXPECT_EQ(inotify_rm_watch(fd, folder), 0);
	EXPECT_EQ(inotify_add_watch(plain, victim_path("watched"), IN_CREATE), 1);
	return victim_result();
}
