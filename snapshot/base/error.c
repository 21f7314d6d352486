/* See error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* C0 controls and DEL, and C1 controls as UTF-8 has them: C2 80 to C2 9F (ECMA-48, RFC 3629). */
void error_one_line(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
		else if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
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
