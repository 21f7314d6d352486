/*
 * What a path stands for today, as one line of text that changes when its content may have:
 * "file size=.. mtime=.. inode=..", "folder files=.. size=.. newest=..", or "missing".
 * The rule for folders is in key.h.
 */
#ifndef JSNAP_LAUNCHER_PATH_FACT_H
#define JSNAP_LAUNCHER_PATH_FACT_H

#include "base/error.h"

#include <stddef.h>

#define PATH_FACT_SIZE 128 /* bytes of a fact's text with its NUL */

/* -E2BIG: a folder with more than KEY_MAX_FOLDER_FILES files. A path that cannot be looked at is
 * "missing": so it is to java. */
int path_fact(const char *path, char ret_text[PATH_FACT_SIZE], struct jsnap_error *err);

/* In words: how `then` became `now` (they differ), such as "changed (size 1 -> 2)", "is gone". */
void path_fact_difference(const char *then, const char *now, char *text, size_t size);

#endif
