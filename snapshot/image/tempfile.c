/* See tempfile.h. */
#include "image/tempfile.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define NAME_KEPT 200 /* bytes of NAME: the temporary name must stay below NAME_MAX */

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int tempfile_create(const char *path, int *ret_fd, char **ret_temporary, struct jsnap_error *err)
{
	const char *name = last_component(path);
	int folder = (int)(name - path);

	if (!*name)
		return error_set(err, EISDIR, "create \"%s\": a file name is needed", path);
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
		fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
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
	if (fsync(fd) < 0)
		return error_errno(err, "fsync %s", temporary);
	if (rename(temporary, path) < 0)
		return error_errno(err, "rename %s to %s", temporary, path);
	sync_folder(path);
	return 0;
}
