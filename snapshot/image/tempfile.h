/*
 * A file that appears whole or not at all: written under `.NAME.RANDOM.tmp` in the same folder,
 * synced, renamed. For files of snapshot/image, and of the store beside them.
 */
#ifndef JSNAP_IMAGE_TEMPFILE_H
#define JSNAP_IMAGE_TEMPFILE_H

#include "base/error.h"
#include "image/place.h"

#include <stdbool.h>
#include <sys/uio.h>

/* Whether `file` is what a temporary file of `path` is called; the folder does not matter. */
bool tempfile_is_of(const char *file, const char *path);

/*
 * Removes the temporary files of `path` that nobody writes any more: a writer holds a lock on its
 * own (flock(2)) from the beginning, so one that can be locked is nobody's.
 */
void tempfile_remove_stale(const char *path);

/* Creates the temporary file (0600, read and write; without a name where the file system can) and
 * removes those that killed writers of `path` left. *ret_temporary is owned (free). */
int tempfile_create(const char *path, int *ret_fd, char **ret_temporary, struct jsnap_error *err);

/*
 * fsync, rename, fsync of the folder. When it fails, `temporary` is still there and `path` is
 * untouched, as it is when place_check refuses it for a file of this kind. A folder that cannot be
 * synced is no failure: after a crash either the old or the new file is found there, and both are
 * whole.
 */
int tempfile_publish(int fd, const char *temporary, const char *path, enum place what,
		     struct jsnap_error *err);

/* All of that for a small file, whose content is given in pieces. On failure nothing is left. */
int tempfile_write(const char *path, const struct iovec *parts, int n, enum place what,
		   struct jsnap_error *err);

#endif
