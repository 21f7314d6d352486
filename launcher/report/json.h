/*
 * JSON, written to a stream: objects and arrays nest, commas and indentation come by themselves.
 * Text that is not UTF-8 is made so (a bad byte becomes U+FFFD). Write errors stay in the stream.
 */
#ifndef JSNAP_LAUNCHER_JSON_H
#define JSNAP_LAUNCHER_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_MAX_DEPTH 16u

struct json {
	FILE *out;
	unsigned depth;
	bool filled[JSON_MAX_DEPTH]; /* the object or array at this depth has a member */
};

/* Opens an object or array; `key` is NULL at the top and inside arrays. */
void json_open(struct json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket); /* '}' or ']'; at the top ends the line */

void json_string(struct json *json, const char *key, const char *text); /* NULL: null */
void json_number(struct json *json, const char *key, int64_t number);
void json_real(struct json *json, const char *key, double number); /* finite */
void json_bool(struct json *json, const char *key, bool value);

#endif
