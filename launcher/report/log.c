/* See log.h. */
#include "launcher/report/log.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

static struct {
	enum log_format format;
	enum log_level level;
} current = {.format = LOG_FORMAT_TEXT, .level = LOG_LEVEL_INFO};

void log_setup(enum log_format format, enum log_level level, bool quiet)
{
	current.format = format;
	current.level = quiet ? LOG_LEVEL_ERROR : level;
}

bool log_wants(enum log_level level)
{
	return level <= current.level;
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};

	return names[level];
}

struct line {
	char *text;
	size_t used, size; /* one byte of size is kept for the line break */
};

static void line_char(struct line *line, char c)
{
	if (line->used + 1 < line->size)
		line->text[line->used++] = c;
}

static void line_raw(struct line *line, const char *text)
{
	while (*text)
		line_char(line, *text++);
}

/* Bytes above 0x7f pass: paths and messages are UTF-8 where the system is. */
static void line_json_string(struct line *line, const char *text)
{
	char escape[8];

	line_char(line, '"');
	for (; *text && line->used + 16 < line->size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			line_char(line, '\\');
			line_char(line, (char)c);
		} else if (c == '\n') {
			line_raw(line, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			line_raw(line, escape);
		} else {
			line_char(line, (char)c);
		}
	}
	line_char(line, '"');
}

static void line_json_pair(struct line *line, const char *key, const char *value)
{
	line_json_string(line, key);
	line_char(line, ':');
	line_json_string(line, value);
}

static void line_json(struct line *line, enum log_level level, const struct log_field *fields,
		      size_t n_fields, const char *text, const char *time)
{
	char number[64];

	line_char(line, '{');
	line_json_pair(line, "time", time);
	line_char(line, ',');
	line_json_pair(line, "level", level_name(level));
	for (size_t i = 0; i < n_fields; i++) {
		line_char(line, ',');
		if (fields[i].value) {
			line_json_pair(line, fields[i].key, fields[i].value);
			continue;
		}
		line_json_string(line, fields[i].key);
		snprintf(number, sizeof(number), ":%.15g", fields[i].number);
		line_raw(line, number);
	}
	line_char(line, ',');
	line_json_pair(line, "message", text);
	line_char(line, '}');
}

static void line_plain(struct line *line, enum log_level level, const char *text)
{
	line_raw(line, "jsnap: ");
	if (level == LOG_LEVEL_DEBUG)
		line_raw(line, "debug: ");
	line_raw(line, text);
	line->text[line->used] = '\0';
	error_one_line(line->text);
}

size_t log_format_line(enum log_format format, enum log_level level, const struct log_field *fields,
		       size_t n_fields, const char *text, const char *time, char *ret_line,
		       size_t size)
{
	struct line line = {.text = ret_line, .size = size};

	if (format == LOG_FORMAT_JSON)
		line_json(&line, level, fields, n_fields, text, time);
	else
		line_plain(&line, level, text);
	ret_line[line.used++] = '\n';
	return line.used;
}

static void utc_now(char *ret_text, size_t size)
{
	struct timespec now;
	struct tm tm;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text, size, "%s.%03ldZ", date, now.tv_nsec / 1000000);
}

static void log_write(enum log_level level, const struct log_field *fields, size_t n_fields,
		      const char *fmt, va_list ap)
{
	char text[LOG_MAX_LINE / 2], line[LOG_MAX_LINE], stamp[64] = "";
	size_t size;

	if (!log_wants(level))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	if (current.format == LOG_FORMAT_JSON)
		utc_now(stamp, sizeof(stamp));
	size = log_format_line(current.format, level, fields, n_fields, text, stamp, line,
			       sizeof(line));
	log_progress_end();
	(void)write_full(STDERR_FILENO, line, size);
}

static bool progress_shown;
static uint64_t progress_ns; /* when the line on the terminal was written; 0: there is none */

bool log_can_erase(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

void log_show_progress(void)
{
	progress_shown = log_can_erase();
}

void log_progress_end(void)
{
	static const char clear[] = "\r\033[K"; /* ECMA-48: to the line's start; erase it */

	if (progress_ns)
		(void)write_full(STDERR_FILENO, clear, sizeof(clear) - 1);
	progress_ns = 0;
}

size_t log_format_progress(const char *text, char *ret_line, size_t size)
{
	char shown[LOG_PROGRESS_MAX + 1];
	size_t n = strnlen(text, LOG_PROGRESS_MAX);

	/* Not within a character: the bytes after its first are 10xxxxxx (RFC 3629). */
	while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	memcpy(shown, text, n);
	shown[n] = '\0';
	error_one_line(shown);
	return (size_t)snprintf(ret_line, size, "\r\033[Kjsnap: %s", shown);
}

void log_progress(const char *fmt, ...)
{
	char text[2 * LOG_PROGRESS_MAX], line[2 * LOG_PROGRESS_MAX];
	uint64_t now = monotonic_ns();
	va_list ap;

	if (!progress_shown || !log_wants(LOG_LEVEL_INFO) || current.format != LOG_FORMAT_TEXT ||
	    now - progress_ns < LOG_PROGRESS_NS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)write_full(STDERR_FILENO, line, log_format_progress(text, line, sizeof(line)));
	progress_ns = now;
}

#define LOG_FUNCTION(name, level)                   \
	void name(const char *fmt, ...)             \
	{                                           \
		va_list ap;                         \
                                                    \
		va_start(ap, fmt);                  \
		log_write(level, NULL, 0, fmt, ap); \
		va_end(ap);                         \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void log_event(enum log_level level, const struct log_field *fields, size_t n_fields,
	       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(level, fields, n_fields, fmt, ap);
	va_end(ap);
}
