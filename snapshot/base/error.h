/*
 * What went wrong, in one fixed-size value.
 *
 * Fallible functions return 0 or a negative errno and take a `struct jsnap_error *` last. The error
 * is set once, where the failure is known, with what failed, on what and why; callers only add
 * context in front. It holds no heap memory, so it survives ENOMEM and can cross a pipe from a
 * cloned child as plain bytes. The text is one line without control characters, whatever names are
 * in it. A NULL error is allowed everywhere.
 */
#ifndef JSNAP_BASE_ERROR_H
#define JSNAP_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

struct jsnap_error {
	int code; /* errno value, positive; 0 while unset */
	char text[1020];
};

/* Records the failure and returns -code, so that `return error_set(...)` is the whole error path.
 */
int error_set(struct jsnap_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set with the current errno, whose description is appended: "open /x: Permission denied".
 */
int error_errno(struct jsnap_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts "PREFIX: " in front of what is recorded and returns -err->code again; -EIO, never 0, when
 * nothing is. */
int error_context(struct jsnap_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends "; HINT", what the user can do next, and returns -err->code again. */
int error_hint(struct jsnap_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* How many bytes of a control character `text` begins with, 0: none. C0, DEL, and C1 as UTF-8 has
 * them: C2 80 to C2 9F (ECMA-48, RFC 3629). */
size_t error_control(const char *text);

/* In place: what would end the line becomes a blank, what a terminal would obey a question mark.
 * Names come from images and other programs. Errors need no call of it. */
void error_one_line(char *text);

#endif
