/*
 * ini files, read with inih.
 *
 * inih (r55) cuts a line at ini_max_line and says so only through its result, cuts values at " ;",
 * and does not tell its handler the line number. So the file is read whole first, inih's line
 * buffer is made as large as the file, inline comments are off, and the lines are counted by the
 * reader that hands them to inih. Its settings are global variables of the library: not for
 * threads.
 *
 * [SECTION PATTERN] holds for applications whose name fits the pattern, and what it says counts
 * before the file's own [SECTION]. Of several that fit, the later; lists add up.
 *
 * A file that is not there is empty unless it was asked for. Unknown sections and keys, keys given
 * twice (lists excepted), lines that are neither, and bad values are errors with FILE:LINE.
 */
#ifndef JSNAP_CONF_FILE_H
#define JSNAP_CONF_FILE_H

#include "conf/values.h"

#define CONF_FILE_MAX	 (1u << 20) /* bytes of an ini file */
#define CONF_SYSTEM_PATH "/etc/jsnap/jsnap.ini"

/* The application that is meant. Whoever knows its name says whether a pattern fits: only when a
 * file has such sections. */
struct conf_application {
	bool (*fits)(void *ctx, const char *pattern);
	void *ctx;
};

/* `source` is one of the CONF_..._FILE. CONF_GIVEN_FILE must exist. `application` NULL: none. */
int conf_load_file(struct conf_values *values, const char *path, enum conf_source source,
		   const struct conf_application *application, struct jsnap_error *err);

/* The same from memory (size bytes, NUL behind them); `path` is for messages. */
int conf_parse(struct conf_values *values, const char *text, size_t size, const char *path,
	       enum conf_source source, const struct conf_application *application,
	       struct jsnap_error *err);

/* $XDG_CONFIG_HOME/jsnap/jsnap.ini, else $HOME/.config/jsnap/jsnap.ini. *ret_path is NULL when
 * neither variable is set; owned by the caller (free). */
int conf_user_path(char *const *env, char **ret_path, struct jsnap_error *err);

#endif
