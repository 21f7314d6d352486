/*
 * A cursor over text of /proc, for parsers in this folder. Numbers are read by hand: sscanf scans
 * the whole rest of its string for its length on every call, and these parsers run while an
 * application is stopped.
 *
 * Every text_* function moves the cursor only when it returns true, and never past `end`. Numbers
 * that do not fit are a failure, not a truncation.
 */
#ifndef JSNAP_PROC_TEXT_H
#define JSNAP_PROC_TEXT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	const char *p, *end;
};

/* The next line without its newline; false at the end. A last line may lack its newline. */
static inline bool text_line(struct text *text, struct text *ret_line)
{
	const char *newline;

	if (text->p == text->end)
		return false;
	newline = memchr(text->p, '\n', (size_t)(text->end - text->p));
	ret_line->p = text->p;
	ret_line->end = newline ? newline : text->end;
	text->p = newline ? newline + 1 : text->end;
	return true;
}

static inline bool text_char(struct text *text, char c)
{
	if (text->p == text->end || *text->p != c)
		return false;
	text->p++;
	return true;
}

/* Skips blanks and tabs, if any. */
static inline void text_blanks(struct text *text)
{
	while (text->p != text->end && (*text->p == ' ' || *text->p == '\t'))
		text->p++;
}

static inline bool text_is_blank(const struct text *text)
{
	struct text rest = *text;

	text_blanks(&rest);
	return rest.p == rest.end;
}

static inline bool text_literal(struct text *text, const char *literal)
{
	size_t size;

	if (text->p != text->end && *text->p != *literal && *literal)
		return false; /* as nearly always where one key of many is looked for */
	size = strlen(literal);
	if ((size_t)(text->end - text->p) < size || memcmp(text->p, literal, size) != 0)
		return false;
	text->p += size;
	return true;
}

static inline int text_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 16;
}

/* `base` is 8, 10 or 16 and constant in every call, so that the multiplication is cheap. */
static inline bool text_number(struct text *text, int base, uint64_t *ret_value)
{
	const char *p = text->p;
	uint64_t value = 0;

	for (; p != text->end; p++) {
		int digit = text_digit(*p);

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	}
	if (p == text->p)
		return false;
	text->p = p;
	*ret_value = value;
	return true;
}

/* A decimal number, perhaps negative. */
static inline bool text_signed(struct text *text, int64_t *ret_value)
{
	struct text rest = *text;
	bool negative = text_char(&rest, '-');
	uint64_t value;

	if (!text_number(&rest, 10, &value) || value > (uint64_t)INT64_MAX)
		return false;
	*text = rest;
	*ret_value = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static inline bool text_int(struct text *text, int *ret_value)
{
	struct text rest = *text;
	int64_t value;

	if (!text_signed(&rest, &value) || value < INT32_MIN || value > INT32_MAX)
		return false;
	*text = rest;
	*ret_value = (int)value;
	return true;
}

static inline bool text_u32(struct text *text, int base, uint32_t *ret_value)
{
	struct text rest = *text;
	uint64_t value;

	if (!text_number(&rest, base, &value) || value > UINT32_MAX)
		return false;
	*text = rest;
	*ret_value = (uint32_t)value;
	return true;
}

/* Records "WHAT, line N: WHY: 'the line, cut and made printable'" and returns -code. */
int text_bad_line(struct jsnap_error *err, int code, const char *what, size_t number,
		  struct text line, const char *why);

#endif
