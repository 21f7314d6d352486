/*
 * Is a known secret in an image? The text as it is and as UTF-16, in the records (environment,
 * unread socket data, registers) and in the stored pages.
 */
#ifndef JSNAP_LAUNCHER_FIND_TEXT_H
#define JSNAP_LAUNCHER_FIND_TEXT_H

#include "image/image.h"

#include <stdio.h>

#define FIND_TEXT_MAX 65536u /* bytes of a text */

/* `word` is the text, or "@FILE". A line for each place goes to `out`, a hundred at most of each
 * text (the text itself is not repeated). Counts all. -EINVAL: an empty or too long text. */
int find_text(struct image *image, const char *const *words, size_t n_words, FILE *out,
	      uint64_t *ret_places, struct jsnap_error *err);

#endif
