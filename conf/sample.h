/*
 * The commented sample jsnap.ini, written from the schema. tests/unit/test_conf.c holds the
 * installed file (conf/jsnap.ini) equal to it.
 */
#ifndef JSNAP_CONF_SAMPLE_H
#define JSNAP_CONF_SAMPLE_H

#include "conf/schema.h"

#include <stdio.h>

void sample_write(FILE *out);

/* Prints `text` wrapped at `width` columns, each further line behind `indent`. */
void sample_wrap(FILE *out, const char *text, const char *indent, size_t column, size_t width);

#endif
