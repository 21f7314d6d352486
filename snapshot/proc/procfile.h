/*
 * Files and folders of /proc/PID: read in one piece, with the errors a user can act on.
 *
 * A process that is gone is -ESRCH whether the kernel said ENOENT (open) or ESRCH (read). A refusal
 * (EACCES, EPERM) says what permission is missing.
 */
#ifndef JSNAP_PROC_PROCFILE_H
#define JSNAP_PROC_PROCFILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCFILE_MAX_NUMBERS (1u << 22) /* PID_MAX_LIMIT; above any RLIMIT_NOFILE in practice */

/* Opens /proc/PID/LEAF read-only; fd or -errno. */
int procfile_open(pid_t pid, const char *leaf, int flags, struct jsnap_error *err);

/*
 * Reads all of /proc/PID/LEAF. `expect` sizes the first buffer: a text that fits is read without a
 * copy. *ret_data is NUL-terminated one past *ret_size and owned by the caller. -EFBIG when it is
 * longer than `max`.
 */
int procfile_read(pid_t pid, const char *leaf, size_t expect, size_t max, char **ret_data,
		  size_t *ret_size, struct jsnap_error *err);

/*
 * The entries of the folder /proc/PID/LEAF (of /proc itself for pid 0) whose names are decimal
 * numbers, ascending. The descriptor this needs itself is left out when the folder is the caller's
 * own fd folder. Owned: free().
 */
int procfile_numbers(pid_t pid, const char *leaf, int **ret_numbers, size_t *ret_count,
		     struct jsnap_error *err);

/* Turns what open, read or readdir reported on /proc/PID/LEAF into an error; returns -errno. */
int procfile_error(struct jsnap_error *err, int code, pid_t pid, const char *leaf,
		   const char *action);

#endif
