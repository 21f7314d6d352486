/*
 * Files in unusual places: a folder read half, one that was removed under the working folder, a
 * file renamed and one of its two names removed, O_DIRECT, O_PATH of a link, files of /proc/self,
 * pidfds of the process itself and of its main thread; of deleted files the flags of descriptions,
 * and modes.
 */
#include "victim.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ENTRIES 300

static int named(const char *name)
{
	int number = -1;

	sscanf(name, "e%d", &number);
	return number;
}

/* Counts what is left of the folder, each entry once. */
static int rest(DIR *dir, bool *seen)
{
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(dir))) {
		int number = named(entry->d_name);

		if (number < 0)
			continue;
		EXPECT(!seen[number]);
		seen[number] = true;
		n++;
	}
	return n;
}

/* A DIR reads ahead, so the place of its descriptor is what the kernel keeps. */
static long raw_entries(int fd, bool *seen, size_t size)
{
	char buffer[4096] __attribute__((aligned(8)));
	long n = syscall(SYS_getdents64, fd, buffer, size);

	for (long at = 0; at < n;) {
		const struct dirent64 *entry = (void *)(buffer + at);
		int number = named(entry->d_name);

		if (number >= 0) {
			EXPECT(!seen[number]);
			seen[number] = true;
		}
		at += entry->d_reclen;
	}
	return n;
}

int main(int argc, char **argv)
{
	static bool seen[ENTRIES], seen_raw[ENTRIES];
	int synced, synced_flags, unread, raw, renamed, linked, direct, symbolic, status, maps,
		pidfd, thread, count = 0;
	char name[32], text[4096], target[64] = {0};
	void *aligned;
	DIR *dir;
	struct stat st;

	victim_init(argc, argv);
	SETUP(mkdir(victim_path("many"), 0700) == 0);
	for (int i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof(name), "many/e%d", i);
		close(victim_file(name, 0));
	}
	dir = opendir(victim_path("many"));
	raw = open(victim_path("many"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SETUP(dir && raw >= 0);
	for (int i = 0; i < 20; i++) {
		int number = named(readdir(dir)->d_name);

		if (number >= 0) {
			seen[number] = true;
			count++;
		}
	}
	SETUP(raw_entries(raw, seen_raw, 512) > 0);
	renamed = victim_file("before", 100);
	SETUP(rename(victim_path("before"), victim_path("after")) == 0);
	close(victim_file("first", 100));
	SETUP(link(victim_path("first"), victim_path("second")) == 0);
	linked = open(victim_path("first"), O_RDONLY | O_CLOEXEC);
	SETUP(linked >= 0 && unlink(victim_path("first")) == 0);
	close(victim_file("aligned", 8192));
	direct = open(victim_path("aligned"), O_RDONLY | O_DIRECT | O_CLOEXEC);
	SETUP(posix_memalign(&aligned, 4096, 4096) == 0);
	SETUP(symlink("aligned", victim_path("link")) == 0);
	symbolic = open(victim_path("link"), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	synced = open(victim_path("synced"), O_RDWR | O_CREAT | O_CLOEXEC | O_SYNC | O_NOATIME,
		      0600);
	unread = open(victim_path("synced"), O_PATH | O_CLOEXEC);
	SETUP(synced >= 0 && unread >= 0 && fchmod(synced, 01640) == 0);
	SETUP(unlink(victim_path("synced")) == 0);
	synced_flags = fcntl(synced, F_GETFL);
	status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	thread = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL); /* PIDFD_THREAD, Linux 6.9 */
	SETUP(symbolic >= 0 && status >= 0 && maps >= 0 && pidfd >= 0);
	SETUP(mkdir(victim_path("removed"), 0700) == 0 && chdir(victim_path("removed")) == 0);
	SETUP(rmdir(victim_path("removed")) == 0);
	victim_ready();

	EXPECT_EQ(count + rest(dir, seen), ENTRIES);
	while (raw_entries(raw, seen_raw, 4096) > 0)
		;
	for (int i = 0; i < ENTRIES; i++)
		EXPECT(seen_raw[i]);
	EXPECT_EQ(pwrite(renamed, "new", 3, 0), 3);
	EXPECT(pread(open(victim_path("after"), O_RDONLY), text, 3, 0) == 3 &&
	       memcmp(text, "new", 3) == 0);
	EXPECT(pread(linked, text, 1, 50) == 1 && (unsigned char)text[0] == victim_byte(50));
	if (direct >= 0) { /* not every file system has it */
		EXPECT_EQ(fcntl(direct, F_GETFL) & O_DIRECT, O_DIRECT);
		EXPECT_EQ(pread(direct, aligned, 4096, 4096), 4096);
		EXPECT_EQ(*(unsigned char *)aligned, victim_byte(4096));
	}
	EXPECT(fstat(symbolic, &st) == 0 && S_ISLNK(st.st_mode));
	EXPECT_EQ(readlinkat(symbolic, "", target, sizeof(target) - 1), 7);
	EXPECT_STR(target, "aligned");
	EXPECT_EQ(fcntl(synced, F_GETFL), synced_flags);
	EXPECT(fstat(synced, &st) == 0 && (st.st_mode & 07777) == 01640);
	EXPECT(fcntl(unread, F_GETFL) & O_PATH);
	EXPECT(read(unread, text, 1) < 0 && errno == EBADF);
	EXPECT(read(status, text, sizeof(text) - 1) > 0);
	snprintf(name, sizeof(name), "\nTgid:\t%d\n", getpid());
	EXPECT(strstr(text, name));
	EXPECT(read(maps, text, sizeof(text)) > 0);
	EXPECT_EQ(poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0), 0);
	EXPECT_EQ(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), 0);
	EXPECT_EQ(fcntl(pidfd, F_GETFL) & O_EXCL, 0);
	if (thread >= 0)
		EXPECT_EQ(fcntl(thread, F_GETFL) & O_EXCL, O_EXCL);
	EXPECT(!getcwd(text, sizeof(text)) && errno == ENOENT);
	EXPECT(open("new", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
	return victim_result();
}
