/*
 * Regular files and folders: offsets, flags, descriptors that share an offset and ones that don't,
 * numbers with gaps, append, O_PATH, read-only, deleted with content, device nodes.
 */
#include "victim.h"

#include <fcntl.h>
#include <dirent.h>
#include <sys/stat.h>

#define SIZE 10000

static void expect_read(int fd, size_t offset)
{
	unsigned char got[16] = {0};

	EXPECT_EQ(read(fd, got, sizeof(got)), sizeof(got));
	for (size_t i = 0; i < sizeof(got); i++)
		EXPECT_EQ(got[i], victim_byte(offset + i));
}

static const char *number_path(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static int count_entries(int fd)
{
	DIR *dir = fdopendir(dup(fd));
	int n = 0;

	EXPECT(dir);
	rewinddir(dir);
	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	int data, same, other, high, append, ahead, deleted, path, folder, null, zero, urandom, ro,
		n;
	int full, random;
	struct stat st, before;
	unsigned char byte;
	char link[256] = {0};

	victim_init(argc, argv);
	data = victim_file("data", SIZE);
	same = dup(data);
	high = fcntl(data, F_DUPFD_CLOEXEC, 400);
	other = open(victim_path("data"), O_RDWR);
	SETUP(fcntl(data, F_SETFD, 0) == 0);
	SETUP(lseek(data, 1234, SEEK_SET) == 1234 && lseek(other, 77, SEEK_SET) == 77);
	ro = open(victim_path("data"), O_RDONLY | O_NOATIME | O_CLOEXEC);
	append = open(victim_path("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	SETUP(write(append, "first\n", 6) == 6);
	/* What is written next leaves a hole: no log, though it is at or behind its end. */
	ahead = open(victim_path("ahead"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	SETUP(write(ahead, "0123456789", 10) == 10 && lseek(ahead, 4096, SEEK_SET) == 4096);
	deleted = victim_file("gone", SIZE);
	SETUP(lseek(deleted, 500, SEEK_SET) == 500 && unlink(victim_path("gone")) == 0);
	SETUP(mkdir(victim_path("folder"), 0700) == 0);
	close(victim_file("folder/a", 1));
	folder = open(victim_path("folder"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path = open(victim_path("data"), O_PATH | O_CLOEXEC);
	null = open("/dev/null", O_RDWR);
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	full = open("/dev/full", O_RDWR | O_CLOEXEC);
	random = open("/dev/random", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	SETUP(full >= 0 && random >= 0);
	urandom = open("/dev/urandom", O_RDONLY | O_NONBLOCK);
	SETUP(high >= 400 && other >= 0 && ro >= 0 && append >= 0 && folder >= 0 && path >= 0);
	SETUP(null >= 0 && zero >= 0 && urandom >= 0);
	SETUP(fstat(data, &before) == 0);
	n = open("/dev/null", O_RDONLY); /* a gap in the numbers */
	SETUP(close(n) == 0);
	victim_ready();

	expect_read(data, 1234);
	expect_read(same, 1250); /* one offset for all three */
	expect_read(high, 1266);
	expect_read(other, 77);
	EXPECT_EQ(fcntl(data, F_GETFD), 0);
	EXPECT_EQ(fcntl(high, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(ro, F_GETFL) & (O_ACCMODE | O_NOATIME), O_RDONLY | O_NOATIME);
	EXPECT(write(ro, "x", 1) < 0 && errno == EBADF);
	EXPECT_EQ(fstat(data, &st), 0);
	EXPECT(st.st_ino == before.st_ino && st.st_dev == before.st_dev);
	EXPECT_EQ(fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
	EXPECT_EQ(write(append, "second\n", 7), 7);
	EXPECT(stat(victim_path("log"), &st) == 0 && st.st_size == 13);
	EXPECT_EQ(lseek(ahead, 0, SEEK_CUR), 4096);
	expect_read(deleted, 500);
	EXPECT(fstat(deleted, &st) == 0 && st.st_size == SIZE && st.st_nlink == 0);
	EXPECT_EQ(pread(deleted, &byte, 1, SIZE - 1), 1);
	EXPECT_EQ(byte, victim_byte(SIZE - 1));
	EXPECT_EQ(access(victim_path("gone"), F_OK), -1);
	EXPECT_EQ(count_entries(folder), 3);
	EXPECT(read(path, &byte, 1) < 0 && errno == EBADF);
	EXPECT(fstat(path, &st) == 0 && st.st_ino == before.st_ino);
	EXPECT_EQ(write(null, "x", 1), 1);
	byte = 1;
	EXPECT_EQ(read(zero, &byte, 1), 1);
	EXPECT_EQ(byte, 0);
	EXPECT(write(full, "x", 1) < 0 && errno == ENOSPC);
	EXPECT_EQ(read(random, &byte, 1), 1);
	EXPECT_EQ(read(urandom, &byte, 1), 1);
	EXPECT_EQ(fcntl(urandom, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	/* The lowest free number is the same: jsnap left no descriptor of its own. */
	if (readlink(number_path(n), link, sizeof(link) - 1) >= 0)
		victim_fault(__FILE__, __LINE__, "fd %d was closed and is now %s", n, link);
	EXPECT_EQ(open("/dev/null", O_RDONLY), n);
	return victim_result();
}
