/*
 * Descriptors of jsnap's own process: which ones the caller left open, and closing all but a few in
 * a forked child. Every descriptor that jsnap opens itself is close-on-exec, so what is not is the
 * caller's.
 */
#ifndef JSNAP_LAUNCHER_FDS_H
#define JSNAP_LAUNCHER_FDS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FDS_MAX_INHERITED 1024u

/* Opens /dev/null, close-on-exec, under those of 0, 1 and 2 that the caller left closed, so that
 * no file of jsnap's gets such a number; a program that is exec'ed finds them closed as before. */
int fds_fill_standard(struct jsnap_error *err);

/* Ascending descriptors from 3 on that came from the caller. Owned: free(). */
int fds_inherited(int **ret_fds, size_t *ret_count, struct jsnap_error *err);

/* Whether descriptor `fd` of this process and of process `pid` are the same file. */
bool fds_same_file(int fd, pid_t pid);

/* Closes every descriptor from 3 on but these (at most 8). For a forked child. */
void fds_keep_only(const int *fds, size_t n);

#endif
