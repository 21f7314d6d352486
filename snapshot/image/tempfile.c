/* See tempfile.h. */
#include "image/tempfile.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define SUFFIX	      ".tmp"
#define RANDOM_DIGITS 16u
#define NAME_KEPT     200 /* bytes of NAME: the temporary name must stay below NAME_MAX */

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "" would be the root: a name without a folder is in this one. */
static char *folder_of(const char *path)
{
	size_t length = (size_t)(last_component(path) - path);

	return length ? strndup(path, length) : strdup(".");
}

/* One that can be locked has no writer (tempfile.h); a file of somebody else's is none. */
static bool is_abandoned(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/*
 * A file without a name where the file system has them (O_TMPFILE, open(2)): whoever is killed
 * leaves nothing. It gets the temporary name only for the moment before the rename, for a link
 * cannot replace what stands under the final name. -1 and EEXIST: another name will do.
 */
static int open_temporary(const char *temporary)
{
	CLEANUP_FREE char *folder = folder_of(temporary);
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	if (!folder) {
		errno = ENOMEM;
		return -1;
	}
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		flock(fd, LOCK_EX | LOCK_NB);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return steal_fd(&fd);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	/* Whoever removes stale ones may have taken it for one before it was locked. */
	if ((flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) ||
	    (fstat(fd, &st) == 0 && !st.st_nlink)) {
		errno = EEXIST;
		return -1;
	}
	return steal_fd(&fd);
}

static int name_it(int fd, const char *temporary, struct jsnap_error *err)
{
	char self[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "stat %s", temporary);
	if (st.st_nlink)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) < 0)
		return error_errno(err, "link %s", temporary);
	return 0;
}

bool tempfile_is_of(const char *file, const char *path)
{
	char prefix[NAME_KEPT + 3];
	size_t length =
		(size_t)snprintf(prefix, sizeof(prefix), ".%.*s.", NAME_KEPT, last_component(path));

	return strncmp(file, prefix, length) == 0 &&
	       strspn(file + length, "0123456789abcdef") == RANDOM_DIGITS &&
	       strcmp(file + length + RANDOM_DIGITS, SUFFIX) == 0;
}

void tempfile_remove_stale(const char *path)
{
	CLEANUP_FREE char *folder = folder_of(path);
	CLEANUP_CLOSEDIR DIR *dir = folder ? opendir(folder) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		CLEANUP_CLOSE int fd = -1;

		if (!tempfile_is_of(entry->d_name, path))
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (is_abandoned(fd))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
}

int tempfile_create(const char *path, int *ret_fd, char **ret_temporary, struct jsnap_error *err)
{
	const char *name = last_component(path);

	if (!*name)
		return error_set(err, EISDIR, "create \"%s\": a file name is needed", path);
	tempfile_remove_stale(path);
	for (int tries = 0; tries < 16; tries++) {
		CLEANUP_FREE char *temporary = NULL;
		uint64_t random;
		int fd;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return error_errno(err, "getrandom");
		if (asprintf(&temporary, "%.*s.%.*s.%016llx" SUFFIX, (int)(name - path), path,
			     NAME_KEPT, name, (unsigned long long)random) < 0) {
			temporary = NULL;
			return error_set(err, ENOMEM, "no memory for a file name");
		}
		fd = open_temporary(temporary);
		if (fd >= 0) {
			*ret_fd = fd;
			*ret_temporary = STEAL_PTR(temporary);
			return 0;
		}
		if (errno != EEXIST)
			return error_errno(err, "create %s", temporary);
	}
	return error_set(err, EEXIST, "no free temporary name for %s", path);
}

static void sync_folder(const char *path)
{
	CLEANUP_FREE char *folder = folder_of(path);
	CLEANUP_CLOSE int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0)
		fsync(fd);
}

/*
 * Twice: what is large is written while the file has no name, so that a kill leaves nothing; but a
 * file system may keep no record of a file without one (btrfs: btrfs_log_inode_parent), and the
 * name would be of an empty file after a crash.
 */
static int sync_and_name(int fd, const char *temporary, struct jsnap_error *err)
{
	int r;

	if (fsync(fd) < 0)
		return error_errno(err, "fsync %s", temporary);
	r = name_it(fd, temporary, err);
	if (r == 0 && fsync(fd) < 0)
		return error_errno(err, "fsync %s", temporary);
	return r;
}

int tempfile_publish(int fd, const char *temporary, const char *path, enum place what,
		     struct jsnap_error *err)
{
	int r = fault_fail(FAULT_IMAGE_SYNC, EIO, err);

	if (r == 0)
		r = sync_and_name(fd, temporary, err);
	if (r == 0)
		r = fault_fail(FAULT_IMAGE_RENAME, EIO, err);
	fault_stop("rename");
	if (r == 0)
		r = place_check(path, what, err);
	if (r < 0)
		return r;
	if (rename(temporary, path) < 0)
		return error_errno(err, "rename %s to %s", temporary, path);
	sync_folder(path);
	flock(fd, LOCK_UN); /* the descriptor may be kept, and mappings keep its lock */
	return 0;
}

int tempfile_write(const char *path, const struct iovec *parts, int n, enum place what,
		   struct jsnap_error *err)
{
	CLEANUP_FREE char *temporary = NULL;
	CLEANUP_CLOSE int fd = -1;
	int r = tempfile_create(path, &fd, &temporary, err);

	if (r < 0)
		return r;
	for (int i = 0; r == 0 && i < n; i++)
		r = write_full(fd, parts[i].iov_base, parts[i].iov_len);
	if (r < 0)
		error_set(err, -r, "write %s: %s", temporary, strerror(-r));
	else
		r = tempfile_publish(fd, temporary, path, what, err);
	if (r < 0)
		unlink(temporary);
	return r;
}
