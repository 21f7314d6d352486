/*
 * Looks for a line in the application's output while passing it on unchanged (--ready log:REGEX).
 *
 * Only for this condition does the application's standard output and error go through a pipe
 * instead of to where the caller's go; so under it, and only on a cold start, System.console() and
 * isatty(3) see no terminal. A process of its own reads the pipes: it outlives a jsnap that is
 * killed, so that the application never writes into a closed pipe, and no slow reader can delay a
 * signal. A restored process has the caller's descriptors again (the slots stdout and stderr).
 */
#ifndef JSNAP_LAUNCHER_RELAY_H
#define JSNAP_LAUNCHER_RELAY_H

#include "base/error.h"
#include "launcher/supervise/supervise.h"

#include <stdbool.h>
#include <stddef.h>

#define RELAY_MAX_PATTERNS 32u
#define RELAY_MAX_LINE	   16384u /* bytes; a longer line is searched in pieces of this size */

struct relay {
	pid_t pid;     /* 0: not started */
	int report_fd; /* a byte N for each pattern N that was seen; end of file when it ended */
	int stdout_fd, stderr_fd; /* the application's; relay_started closes them here */
	bool seen[RELAY_MAX_PATTERNS];
	struct supervise_helper *helper;
};

/* Pure, for tests: collects lines and tells which patterns they match. */
struct relay_lines;
struct relay_lines *relay_lines_new(const char *const *patterns, size_t n, struct jsnap_error *err);
void relay_lines_free(struct relay_lines *lines);
/* Feeds output; calls back once for each pattern, the first time it matches (extended, regex(7)).
 */
void relay_lines_feed(struct relay_lines *lines, const char *data, size_t size,
		      void (*matched)(void *ctx, size_t pattern), void *ctx);

int relay_start(struct supervise *s, const char *const *patterns, size_t n, struct relay *ret_relay,
		struct jsnap_error *err);
/* The application has its ends now (or there will be none). */
void relay_started(struct relay *relay);
/* Takes reports without waiting. */
void relay_read(struct relay *relay);
/* After the application's end: what it wrote is passed on before jsnap exits, within a second. */
void relay_finish(struct relay *relay);

#endif
