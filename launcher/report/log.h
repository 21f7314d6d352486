/*
 * What jsnap says to people: one line for each message, to standard error only. Standard output
 * belongs to the application.
 *
 * A line goes out with one write(2), so that it is not torn by the application's own output; a
 * message that holds line breaks becomes one line. As JSON it is one object: time, level, message
 * and the message's fields.
 */
#ifndef JSNAP_LAUNCHER_LOG_H
#define JSNAP_LAUNCHER_LOG_H

#include "launcher/options/settings.h"

#include <stdbool.h>
#include <stddef.h>

#define LOG_MAX_LINE 8192u /* bytes; a longer message is cut */

struct log_field {
	const char *key;
	const char *value; /* text; NULL: `number` counts */
	double number;
};

/* Until called: text, level info. `quiet` leaves only errors. */
void log_setup(enum log_format format, enum log_level level, bool quiet);

bool log_wants(enum log_level level);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * How far something long has come, where standard error is a terminal and lines are wanted at all:
 * one line that the next message overwrites, at most every LOG_PROGRESS_NS. It erases what else is
 * on that line of the terminal, a question of the application's and the answer to it among that:
 * not shown until log_show_progress, which is for who waits for jsnap and not for the application.
 */
#define LOG_PROGRESS_NS	 200000000ull
#define LOG_PROGRESS_MAX 70u /* bytes; with "jsnap: " less than a terminal's line */
void log_show_progress(void);
/* Whether standard error is a terminal that takes a line back (ECMA-48): TERM names one, and is not
 * "dumb". */
bool log_can_erase(void);
void log_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Takes the line away. */
void log_progress_end(void);

/* With fields, which only JSON shows: the text should say the same. */
void log_event(enum log_level level, const struct log_field *fields, size_t n_fields,
	       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The line without writing it, for log_event and tests: bytes used, without a NUL. */
size_t log_format_line(enum log_format format, enum log_level level, const struct log_field *fields,
		       size_t n_fields, const char *text, const char *time, char *ret_line,
		       size_t size);
/* The same for log_progress; it fits in LOG_PROGRESS_MAX + 16 bytes. */
size_t log_format_progress(const char *text, char *ret_line, size_t size);

#endif
