/* See fds.h. */
#include "launcher/supervise/fds.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_KEPT 8

int fds_fill_standard(struct jsnap_error *err)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is `fd`: those below are open by now. */
		if (open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			return error_errno(err, "open /dev/null");
	}
	return 0;
}

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

int fds_inherited(int **ret_fds, size_t *ret_count, struct jsnap_error *err)
{
	CLEANUP_FREE int *fds = calloc(FDS_MAX_INHERITED, sizeof(*fds));
	CLEANUP_CLOSEDIR DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t count = 0;

	if (!fds)
		return error_set(err, ENOMEM, "no memory for the list of descriptors");
	if (!dir)
		return error_errno(err, "open /proc/self/fd");
	while ((entry = readdir(dir)) && count < FDS_MAX_INHERITED) {
		int fd = atoi(entry->d_name); /* "." and ".." give 0 */
		int flags = fd > 2 ? fcntl(fd, F_GETFD) : -1;

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			fds[count++] = fd;
	}
	qsort(fds, count, sizeof(*fds), compare_ints);
	*ret_fds = STEAL_PTR(fds);
	*ret_count = count;
	return 0;
}

bool fds_same_file(int fd, pid_t pid)
{
	struct stat own, other;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	return fstat(fd, &own) == 0 && stat(path, &other) == 0 && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

void fds_keep_only(const int *fds, size_t n)
{
	int sorted[MAX_KEPT];
	unsigned next = 3;

	if (n > MAX_KEPT)
		return;
	memcpy(sorted, fds, n * sizeof(*fds));
	qsort(sorted, n, sizeof(*sorted), compare_ints);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] < 3)
			continue;
		if ((unsigned)sorted[i] > next)
			(void)close_range(next, (unsigned)sorted[i] - 1, 0);
		next = (unsigned)sorted[i] + 1;
	}
	(void)close_range(next, ~0u, 0);
}
