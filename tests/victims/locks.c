/*
 * File locks of every kind, on files with a name and without, by descriptors that share a
 * description and ones that don't: who asks for a lock finds who has it.
 */
#include "victim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

static struct flock range(int type, off_t start, off_t length)
{
	return (struct flock){
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static int set_lock(int fd, int how, int type, off_t start, off_t length)
{
	struct flock lock = range(type, start, length);

	return fcntl(fd, how, &lock);
}

/* The type of the lock that keeps this descriptor from writing to a byte; F_UNLCK: none. */
static int held(int fd, off_t at)
{
	struct flock lock = range(F_WRLCK, at, 1);

	EXPECT_EQ(fcntl(fd, F_OFD_GETLK, &lock), 0);
	return lock.l_type;
}

static int again(const char *name)
{
	int fd = open(victim_path(name), O_RDWR | O_CLOEXEC);

	EXPECT(fd >= 0);
	return fd;
}

/* POSIX locks are a process's own: another one has to ask. */
static int posix_held(int fd, off_t at)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct flock lock = range(F_WRLCK, at, 1);

		_exit(fcntl(fd, F_GETLK, &lock) < 0 ? 100 : lock.l_type);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	int whole, shared, posix, ofd, gone, gone_again, dupped;
	char path[64];

	victim_init(argc, argv);
	whole = victim_file("whole", 100);
	dupped = dup(whole);
	SETUP(dupped >= 0 && flock(whole, LOCK_EX) == 0);
	shared = victim_file("shared", 100);
	SETUP(flock(shared, LOCK_SH) == 0);
	posix = victim_file("posix", 100);
	SETUP(set_lock(posix, F_SETLK, F_WRLCK, 10, 20) == 0);
	SETUP(set_lock(posix, F_SETLK, F_RDLCK, 50, 0) == 0);
	ofd = victim_file("ofd", 100);
	SETUP(set_lock(ofd, F_OFD_SETLK, F_WRLCK, 5, 5) == 0);
	SETUP(set_lock(ofd, F_OFD_SETLK, F_RDLCK, 90, 1) == 0);
	gone = victim_file("gone", 100);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", gone);
	gone_again = open(path, O_RDWR | O_CLOEXEC);
	SETUP(gone_again >= 0 && unlink(victim_path("gone")) == 0);
	SETUP(flock(gone, LOCK_EX) == 0);
	SETUP(set_lock(gone_again, F_OFD_SETLK, F_WRLCK, 3, 4) == 0);
	victim_ready();

	EXPECT(flock(again("whole"), LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	EXPECT_EQ(flock(dupped, LOCK_EX | LOCK_NB), 0); /* its own */
	EXPECT_EQ(close(whole), 0);
	EXPECT(flock(again("whole"), LOCK_SH | LOCK_NB) < 0); /* as long as one has it open */
	EXPECT_EQ(flock(dupped, LOCK_UN), 0);
	EXPECT_EQ(flock(again("whole"), LOCK_EX | LOCK_NB), 0);
	EXPECT(flock(again("shared"), LOCK_EX | LOCK_NB) < 0);
	EXPECT_EQ(flock(again("shared"), LOCK_SH | LOCK_NB), 0);
	EXPECT_EQ(posix_held(posix, 9), F_UNLCK);
	EXPECT_EQ(posix_held(posix, 10), F_WRLCK);
	EXPECT_EQ(posix_held(posix, 29), F_WRLCK);
	EXPECT_EQ(posix_held(posix, 30), F_UNLCK);
	EXPECT_EQ(posix_held(posix, 1000000), F_RDLCK);
	EXPECT_EQ(held(again("ofd"), 4), F_UNLCK);
	EXPECT_EQ(held(again("ofd"), 5), F_WRLCK);
	EXPECT_EQ(held(again("ofd"), 10), F_UNLCK);
	EXPECT_EQ(held(again("ofd"), 90), F_RDLCK);
	EXPECT_EQ(held(ofd, 5), F_UNLCK); /* its own */
	EXPECT(flock(gone_again, LOCK_EX | LOCK_NB) < 0);
	EXPECT_EQ(held(gone, 3), F_WRLCK);
	EXPECT_EQ(held(gone, 7), F_UNLCK);
	EXPECT_EQ(close(gone_again), 0);
	EXPECT_EQ(held(gone, 3), F_UNLCK);
	return victim_result();
}
