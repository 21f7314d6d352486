/* See tempfile.h. */
#include "image/tempfile.h"

#include "base/cleanup.h"
#include "base/fault.h"

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

/*
 * A file without a name where the file system has them (O_TMPFILE, open(2)): whoever is killed
 * leaves nothing. It gets the temporary name only for the moment before the rename, for a link
 * cannot replace what stands under the final name.
 */
static int open_temporary(const char *temporary, int folder_length)
{
	CLEANUP_FREE char *folder = NULL;
	int fd;

	if (asprintf(&folder, "%.*s", folder_length ? folder_length : 1,
		     folder_length ? temporary : ".") < 0) {
		folder = NULL;
		errno = ENOMEM;
		return -1;
	}
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	return open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
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

/*
 * Removes what killed writers of the same file left. A writer holds a lock on its temporary file
 * (flock(2)) from the beginning, so one that can be locked is nobody's.
 */
static void remove_stale(const char *folder, const char *name)
{
	CLEANUP_CLOSEDIR DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		CLEANUP_CLOSE int fd = -1;

		if (!tempfile_is_of(entry->d_name, name))
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
}

int tempfile_create(const char *path, int *ret_fd, char **ret_temporary, struct jsnap_error *err)
{
	const char *name = last_component(path);
	int folder = (int)(name - path);
	CLEANUP_FREE char *place = NULL;

	if (!*name)
		return error_set(err, EISDIR, "create \"%s\": a file name is needed", path);
	if (asprintf(&place, "%.*s", folder ? folder : 1, folder ? path : ".") < 0)
		place = NULL;
	else
		remove_stale(place, name);
	for (int tries = 0; tries < 16; tries++) {
		CLEANUP_FREE char *temporary = NULL;
		uint64_t random;
		int fd;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return error_errno(err, "getrandom");
		if (asprintf(&temporary, "%.*s.%.*s.%016llx.tmp", folder, path, NAME_KEPT, name,
			     (unsigned long long)random) < 0) {
			temporary = NULL;
			return error_set(err, ENOMEM, "no memory for a file name");
		}
		fd = open_temporary(temporary, folder);
		if (fd >= 0) {
			flock(fd, LOCK_EX | LOCK_NB);
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
	int length = (int)(last_component(path) - path);
	CLEANUP_FREE char *folder = NULL;

	if (asprintf(&folder, "%.*s", length ? length : 1, length ? path : ".") < 0) {
		folder = NULL;
		return;
	}
	CLEANUP_CLOSE int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		fsync(fd);
}

int tempfile_publish(int fd, const char *temporary, const char *path, struct jsnap_error *err)
{
	int r = fault_fail(FAULT_IMAGE_SYNC, EIO, err);

	if (r < 0)
		return r;
	if (fsync(fd) < 0)
		return error_errno(err, "fsync %s", temporary);
	r = name_it(fd, temporary, err);
	if (r == 0)
		r = fault_fail(FAULT_IMAGE_RENAME, EIO, err);
	if (r < 0)
		return r;
	if (rename(temporary, path) < 0)
		return error_errno(err, "rename %s to %s", temporary, path);
	sync_folder(path);
	flock(fd, LOCK_UN); /* the descriptor may be kept, and mappings keep its lock */
	return 0;
}
