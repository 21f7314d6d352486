/* See content_print.h. */
#include "launcher/key/content_print.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#define END_SIZE    22u /* of the end record without its comment */
#define COMMENT_MAX 65535u

struct end_record {
	uint64_t at;   /* where it begins, which is where the central directory ends */
	uint32_t size; /* of the central directory */
};

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Looks for the end record in the `n` last bytes of a file of `size` bytes. */
static bool find_end(const uint8_t *tail, size_t n, uint64_t size, struct end_record *ret_end)
{
	for (size_t i = n - END_SIZE + 1; i-- > 0;) {
		const uint8_t *p = tail + i;
		uint32_t comment = (uint32_t)p[20] | (uint32_t)p[21] << 8;

		if (memcmp(p, "PK\5\6", 4) != 0 || i + END_SIZE + comment != n)
			continue;
		ret_end->at = size - n + i;
		ret_end->size = get_u32(p + 12);
		return true;
	}
	return false;
}

static bool print_range(int fd, uint64_t from, size_t n, uint64_t *ret_print)
{
	CLEANUP_FREE uint8_t *bytes = malloc(n ? n : 1);

	if (!bytes || pread(fd, bytes, n, (off_t)from) != (ssize_t)n)
		return false;
	*ret_print = XXH3_64bits(bytes, n);
	return true;
}

static bool print_jar(int fd, uint64_t size, uint64_t *ret_print)
{
	size_t n = size < END_SIZE + COMMENT_MAX ? (size_t)size : END_SIZE + COMMENT_MAX;
	CLEANUP_FREE uint8_t *tail = malloc(n);
	struct end_record end;

	if (size < END_SIZE || !tail)
		return false;
	if (pread(fd, tail, n, (off_t)(size - n)) != (ssize_t)n || !find_end(tail, n, size, &end))
		return false;
	if (end.size == 0 || end.size > end.at || end.size > CONTENT_PRINT_JAR)
		return false; /* UINT32_MAX: zip64 */
	return print_range(fd, end.at - end.size, (size_t)(size - end.at) + end.size, ret_print);
}

bool content_print(const char *path, uint64_t *ret_print)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (print_jar(fd, (uint64_t)st.st_size, ret_print))
		return true;
	return st.st_size <= CONTENT_PRINT_MAX && print_range(fd, 0, (size_t)st.st_size, ret_print);
}
