/* See io.h. */
#include "base/io.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <time.h>

#define FILE_EXPECTED 4094u /* bytes; more will do, too */

int read_full(int fd, void *buf, size_t size)
{
	char *p = buf;

	while (size) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int pread_full(int fd, void *buf, size_t size, off_t offset)
{
	char *p = buf;

	while (size) {
		ssize_t n = pread(fd, p, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		offset += n;
		size -= (size_t)n;
	}
	return 0;
}

int write_full(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int pwrite_full(int fd, const void *buf, size_t size, off_t offset)
{
	const char *p = buf;

	while (size) {
		ssize_t n = pwrite(fd, p, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		offset += n;
		size -= (size_t)n;
	}
	return 0;
}

int read_file_fd(int fd, size_t expect, size_t max, char **ret_data, size_t *ret_size)
{
	size_t used = 0, capacity = expect + 2;
	CLEANUP_FREE char *data = malloc(capacity);

	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, data + used, capacity - used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max)
			return -EFBIG;
		if (capacity - used < 2) {
			char *grown = realloc(data, capacity * 2);

			if (!grown)
				return -ENOMEM;
			data = grown;
			capacity *= 2;
		}
	}
	data[used] = '\0';
	*ret_data = STEAL_PTR(data);
	if (ret_size)
		*ret_size = used;
	return 0;
}

int read_file(const char *path, size_t max, char **ret_data, size_t *ret_size)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return read_file_fd(fd, FILE_EXPECTED, max, ret_data, ret_size);
}

int text_stream_end(FILE *stream, char **text)
{
	bool bad = ferror(stream);

	if (fclose(stream) == 0 && !bad && *text)
		return 0;
	free(*text);
	*text = NULL;
	return -ENOMEM;
}

uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
