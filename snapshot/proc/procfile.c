/* See procfile.h. */
#include "proc/procfile.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PROCFILE_PATH_SIZE 96

static int procfile_path(char path[PROCFILE_PATH_SIZE], pid_t pid, const char *leaf,
			 struct jsnap_error *err)
{
	int n;

	if (pid == 0)
		n = snprintf(path, PROCFILE_PATH_SIZE, "/proc%s", leaf);
	else
		n = snprintf(path, PROCFILE_PATH_SIZE, "/proc/%d/%s", (int)pid, leaf);
	if (n >= PROCFILE_PATH_SIZE)
		return error_set(err, ENAMETOOLONG, "/proc/%d/%s: name too long", (int)pid, leaf);
	return 0;
}

int procfile_error(struct jsnap_error *err, int code, pid_t pid, const char *leaf,
		   const char *action)
{
	if (code == ENOENT || code == ESRCH)
		return error_set(err, ESRCH, "%s /proc/%d/%s: the process or thread is gone",
				 action, (int)pid, leaf);
	error_set(err, code, "%s /proc/%d/%s: %s", action, (int)pid, leaf, strerror(code));
	if (code == EACCES || code == EPERM)
		error_hint(err, "run as the user who owns process %d, or with CAP_SYS_PTRACE",
			   (int)pid);
	return -code;
}

int procfile_open(pid_t pid, const char *leaf, int flags, struct jsnap_error *err)
{
	char path[PROCFILE_PATH_SIZE];
	int fd, ret = procfile_path(path, pid, leaf, err);

	if (ret < 0)
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return procfile_error(err, errno, pid, leaf, "open");
	return fd;
}

int procfile_read(pid_t pid, const char *leaf, size_t expect, size_t max, char **ret_data,
		  size_t *ret_size, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = procfile_open(pid, leaf, 0, err);
	int ret;

	if (fd < 0)
		return fd;
	ret = read_file_fd(fd, expect, max, ret_data, ret_size);
	if (ret == -ENOMEM)
		return error_set(err, ENOMEM, "read /proc/%d/%s: out of memory", (int)pid, leaf);
	if (ret == -EFBIG)
		return error_set(err, EFBIG, "read /proc/%d/%s: longer than the %zu bytes allowed",
				 (int)pid, leaf, max);
	if (ret < 0)
		return procfile_error(err, -ret, pid, leaf, "read");
	return 0;
}

struct numbers {
	int *values;
	size_t count, capacity;
};

static int numbers_append(struct numbers *numbers, int value)
{
	if (numbers->count == PROCFILE_MAX_NUMBERS)
		return -E2BIG;
	if (numbers->count == numbers->capacity) {
		size_t capacity = numbers->capacity ? numbers->capacity * 2 : 64;
		int *grown = realloc(numbers->values, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		numbers->values = grown;
		numbers->capacity = capacity;
	}
	numbers->values[numbers->count++] = value;
	return 0;
}

static int numbers_compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Reads every entry; returns -errno of readdir as well. `skip` is left out. */
static int numbers_collect(DIR *dir, int skip, struct numbers *numbers)
{
	const struct dirent *entry;

	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		struct text name = {entry->d_name, entry->d_name + strlen(entry->d_name)};
		uint32_t value;
		int ret;

		if (!text_u32(&name, 10, &value) || name.p != name.end || value > INT32_MAX)
			continue;
		if ((int)value == skip)
			continue;
		ret = numbers_append(numbers, (int)value);
		if (ret < 0)
			return ret;
	}
	return -errno;
}

int procfile_numbers(pid_t pid, const char *leaf, int **ret_numbers, size_t *ret_count,
		     struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = procfile_open(pid, leaf, O_DIRECTORY, err);
	CLEANUP_CLOSEDIR DIR *dir = NULL;
	CLEANUP_FREE int *values = NULL;
	struct numbers numbers = {0};
	int ret, skip;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return procfile_error(err, errno, pid, leaf, "list");
	skip = steal_fd(&fd);
	if (pid != getpid() || strcmp(leaf, "fd") != 0)
		skip = -1;
	ret = numbers_collect(dir, skip, &numbers);
	values = numbers.values;
	if (ret < 0)
		return procfile_error(err, -ret, pid, leaf, "list");
	if (numbers.count)
		qsort(values, numbers.count, sizeof(*values), numbers_compare);
	*ret_numbers = STEAL_PTR(values);
	*ret_count = numbers.count;
	return 0;
}
