/*
 * What a path stands for today, as one line of text that changes when its content may have:
 * "file size=.. mtime=.. inode=..", "folder files=.. size=.. newest=..", or "missing".
 * The rule for folders is in key.h.
 */
#ifndef JSNAP_LAUNCHER_PATH_FACT_H
#define JSNAP_LAUNCHER_PATH_FACT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define PATH_FACT_SIZE 128 /* bytes of a fact's text with its NUL */

/* -E2BIG: a folder with more than KEY_MAX_FOLDER_FILES files. A path that cannot be looked at is
 * "missing": so it is to java. */
int path_fact(const char *path, char ret_text[PATH_FACT_SIZE], struct jsnap_error *err);

/*
 * Whether a fact that was told then (with path_fact_print's addition, where there is one) is true
 * of `path` now. Another time or inode is no change when the content is the same: layers of
 * container images, backups and copies keep neither, or keep whole seconds. Files too large to look
 * into count as the same when their time is, to the second where one of the two is a whole one.
 */
bool path_fact_holds(const char *path, const char *then, const char *now);

/* Adds " print=..." to a fact of a file, if it still holds and the content can be known cheaply. */
void path_fact_print(const char *path, char text[PATH_FACT_SIZE]);

/* In words: how `then` became `now` (they differ), such as "changed (size 1 -> 2)", "is gone". */
void path_fact_difference(const char *then, const char *now, char *text, size_t size);

#endif
