/*
 * The verbs. main.c holds the table of them and is the only place that prints an error and ends
 * the process; one file per verb (verb_NAME.c) has the function.
 */
#ifndef JSNAP_LAUNCHER_VERBS_H
#define JSNAP_LAUNCHER_VERBS_H

#include "launcher/options/settings.h"

#define EXIT_JSNAP_FAILED	 125
#define EXIT_JAVA_NOT_EXECUTABLE 126
#define EXIT_JAVA_NOT_FOUND	 127

struct verb {
	const char *name; /* as in conf/schema.h's table of verbs */
	/*
	 * 0: it did its work and *ret_status is the exit status (an application's own, 128+n, or 1
	 * for "no" of verify and doctor). Negative: `err` says why; *ret_status is
	 * EXIT_JSNAP_FAILED on entry and may be set to 126 or 127 by a verb that could not get a
	 * java.
	 */
	int (*run)(const struct settings *settings, int *ret_status, struct jsnap_error *err);
};

int verb_run(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_checkpoint(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_restore(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_dump(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_list(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_inspect(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_verify(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_prune(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_bench(const struct settings *settings, int *ret_status, struct jsnap_error *err);
int verb_doctor(const struct settings *settings, int *ret_status, struct jsnap_error *err);

#endif
