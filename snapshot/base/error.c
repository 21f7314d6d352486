/* See error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t error_control(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
		return 2;
	return (*p && *p < 0x20) || *p == 0x7f;
}

void error_one_line(char *text)
{
	for (; *text; text++)
		for (size_t n = error_control(text); n; n--)
			text[n - 1] = strchr("\n\r\t", text[n - 1]) ? ' ' : '?';
}

static void error_format(struct jsnap_error *err, int code, const char *fmt, va_list ap)
{
	if (!err)
		return;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	error_one_line(err->text);
}

int error_set(struct jsnap_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_format(err, code, fmt, ap);
	va_end(ap);
	return -code;
}

static void error_append(struct jsnap_error *err, const char *separator, const char *text)
{
	size_t used = strlen(err->text);

	snprintf(err->text + used, sizeof(err->text) - used, "%s%s", separator, text);
	error_one_line(err->text + used);
}

int error_errno(struct jsnap_error *err, const char *fmt, ...)
{
	int code = errno ? errno : EIO;
	va_list ap;

	va_start(ap, fmt);
	error_format(err, code, fmt, ap);
	va_end(ap);
	if (err)
		error_append(err, ": ", strerror(code));
	return -code;
}

int error_context(struct jsnap_error *err, const char *fmt, ...)
{
	char inner[sizeof(err->text)];
	va_list ap;

	if (!err)
		return -EIO;
	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	error_one_line(err->text);
	/* A failure that nobody put in words is one all the same. */
	err->code = err->code ? err->code : EIO;
	error_append(err, ": ", *inner ? inner : "it failed");
	return -err->code;
}

int error_hint(struct jsnap_error *err, const char *fmt, ...)
{
	char hint[512];
	va_list ap;

	if (!err)
		return -EIO;
	va_start(ap, fmt);
	vsnprintf(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	error_append(err, "; ", hint);
	return -err->code;
}
