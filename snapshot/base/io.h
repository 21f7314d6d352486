/*
 * Whole-buffer reads and writes, and small files in one piece. All retry EINTR and short transfers.
 * They return 0 or a negative errno and set no error text: the caller knows what it was reading.
 */
#ifndef JSNAP_BASE_IO_H
#define JSNAP_BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

/* -ENODATA when the file ends before `size` bytes. */
int read_full(int fd, void *buf, size_t size);
int pread_full(int fd, void *buf, size_t size, off_t offset);
int write_full(int fd, const void *buf, size_t size);
int pwrite_full(int fd, const void *buf, size_t size, off_t offset);

/*
 * Reads all of a small file (a /proc text, a config file). *ret_data is NUL-terminated one past
 * *ret_size and is owned by the caller (free). -EFBIG when it is longer than `max` bytes.
 */
int read_file(const char *path, size_t max, char **ret_data, size_t *ret_size);
/* Of one that is open; with room for `expect` bytes at once. */
int read_file_fd(int fd, size_t expect, size_t max, char **ret_data, size_t *ret_size);

/*
 * Closes a stream of open_memstream(3) over *text, which it frees (NULL then) on -ENOMEM. fclose
 * alone does not tell: where glibc can't shrink the text to its size, it is NULL and all is well
 * (libio/memstream.c, _IO_mem_finish).
 */
int text_stream_end(FILE *stream, char **text);

/* What a clock says (clock_gettime(2)), nanoseconds. */
uint64_t clock_ns(clockid_t clock);

static inline uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* A time of a file (stat(2)), nanoseconds since 1970. */
static inline int64_t file_time_ns(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

#endif
