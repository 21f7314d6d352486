/* See json.h. */
#include "launcher/report/json.h"

#include "base/json_text.h"

#include <assert.h>

static void next_member(struct json *json, const char *key)
{
	if (json->depth > 0) {
		if (json->filled[json->depth - 1])
			putc(',', json->out);
		json->filled[json->depth - 1] = true;
		fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
	}
	if (key) {
		json_text_put(json->out, key);
		fputs(": ", json->out);
	}
}

void json_open(struct json *json, const char *key, char bracket)
{
	assert(json->depth < JSON_MAX_DEPTH);
	next_member(json, key);
	putc(bracket, json->out);
	json->filled[json->depth++] = false;
}

void json_close(struct json *json, char bracket)
{
	assert(json->depth > 0);
	if (json->filled[--json->depth])
		fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
	putc(bracket, json->out);
	if (json->depth == 0)
		putc('\n', json->out);
}

void json_string(struct json *json, const char *key, const char *text)
{
	next_member(json, key);
	if (text)
		json_text_put(json->out, text);
	else
		fputs("null", json->out);
}

void json_number(struct json *json, const char *key, int64_t number)
{
	next_member(json, key);
	fprintf(json->out, "%lld", (long long)number);
}

void json_real(struct json *json, const char *key, double number)
{
	next_member(json, key);
	fprintf(json->out, "%.9g", number);
}

void json_bool(struct json *json, const char *key, bool value)
{
	next_member(json, key);
	fputs(value ? "true" : "false", json->out);
}
