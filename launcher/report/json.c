/* See json.h. */
#include "launcher/report/json.h"

#include <assert.h>
#include <string.h>

/* Length of the UTF-8 sequence at p, 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (n == 0 || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void put_text(FILE *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	putc('"', out);
	while (*p) {
		size_t n = utf8_length(p);

		if (n == 0)
			fputs("\\ufffd", out);
		else if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\u%04x", *p);
		else
			fwrite(p, 1, n, out);
		p += n ? n : 1;
	}
	putc('"', out);
}

static void next_member(struct json *json, const char *key)
{
	if (json->depth > 0) {
		if (json->filled[json->depth - 1])
			putc(',', json->out);
		json->filled[json->depth - 1] = true;
		fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
	}
	if (key) {
		put_text(json->out, key);
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
		put_text(json->out, text);
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
