/*
 * A manifest for people (text) and programs (JSON), as `jsnap inspect` shows it. Whatever bytes the
 * image holds, text has no control characters from it and JSON is valid UTF-8 (bytes that are not
 * become U+FFFD). Write errors stay in the stream (ferror).
 */
#ifndef JSNAP_IMAGE_MANIFEST_PRINT_H
#define JSNAP_IMAGE_MANIFEST_PRINT_H

#include "image/image.h"

#include <stdio.h>

/* `m` has passed manifest_check (a loaded one has). `header` may be NULL: a hot copy has none. */
void manifest_print_text(const struct manifest *m, const struct image_header *header, FILE *out);
void manifest_print_json(const struct manifest *m, const struct image_header *header, FILE *out);

/* A string of the image without the power to move a terminal's cursor: "\x1b" for such bytes. */
void manifest_print_string(const char *text, FILE *out);

#endif
