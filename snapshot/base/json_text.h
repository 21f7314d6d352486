/*
 * A string of JSON (RFC 8259, section 7), quoted. Text that is not UTF-8 is made so: a bad byte
 * becomes U+FFFD.
 */
#ifndef JSNAP_JSON_TEXT_H
#define JSNAP_JSON_TEXT_H

#include <stdio.h>

/* Write errors stay in the stream. */
void json_text_put(FILE *out, const char *text);

#endif
