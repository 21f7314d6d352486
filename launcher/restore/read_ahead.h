/*
 * A hot copy that is not in the page cache: what the program will write by its first response is
 * asked for in one go, in the order of the file, so that it comes while the image is judged and
 * the process is made, and not page by page as it is touched.
 */
#ifndef JSNAP_LAUNCHER_READ_AHEAD_H
#define JSNAP_LAUNCHER_READ_AHEAD_H

#include "image/image.h"
#include "image/working_set.h"

#include <stdbool.h>

/* Advice (posix_fadvise(2)): nothing is waited for, and nothing fails. False: it is in the cache as
 * far as a look at three of its pages tells, and nothing was asked for. */
bool read_ahead(const struct hot *hot, const struct working_set *set);

#endif
