/*
 * A file that appears whole or not at all: written under `.NAME.RANDOM.tmp` in the same folder,
 * synced, renamed. Internal to snapshot/image, but for the name, by which the store knows what dead
 * writers left.
 */
#ifndef JSNAP_IMAGE_TEMPFILE_H
#define JSNAP_IMAGE_TEMPFILE_H

#include "base/error.h"

#include <stdbool.h>

/* Whether `file` is what such a temporary file of `path` is called; the folder does not matter. */
bool tempfile_is_of(const char *file, const char *path);

/* Creates the temporary file (0600, read and write; without a name where the file system can) and
 * removes those that killed writers of `path` left. *ret_temporary is owned (free). */
int tempfile_create(const char *path, int *ret_fd, char **ret_temporary, struct jsnap_error *err);

/*
 * fsync, rename, fsync of the folder. When it fails, `temporary` is still there and `path` is
 * untouched. A folder that cannot be synced is no failure: after a crash either the old or the new
 * file is found there, and both are whole.
 */
int tempfile_publish(int fd, const char *temporary, const char *path, struct jsnap_error *err);

#endif
