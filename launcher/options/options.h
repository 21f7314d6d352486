/*
 * jsnap's command line, read by the schema: `jsnap VERB [jsnap options] [--] [rest]`.
 *
 * For verbs that take a java command line, the first word that is not one of jsnap's options starts
 * the java part, which is left as it is. A word with two dashes that is neither jsnap's nor java's
 * is an error with the nearest name: taking it for java's would make a typo of --warmup disappear
 * in the JVM's complaint. Other verbs take options and operands in any order.
 */
#ifndef JSNAP_LAUNCHER_OPTIONS_H
#define JSNAP_LAUNCHER_OPTIONS_H

#include "conf/values.h"

#include <stdio.h>

struct options {
	const struct schema_verb *verb; /* NULL: none was given */
	bool help, version, print_config;
	char **operands; /* the java part, or operands: an owned array of argv's strings, NULL at
			    the end */
	int n_operands;
	char **args; /* restore: behind `--`; points into argv, NULL without */
	int n_args;
};

/*
 * Reads the verb, then fills `values`, which is initialized here for that verb, from the options.
 * -EINVAL: unknown verb or option, missing or bad value, operand where none is taken.
 */
int options_parse(int argc, char **argv, struct options *ret_options,
		  struct conf_values *ret_values, struct jsnap_error *err);
void options_free(struct options *options);

/* The help of `verb`, or of jsnap when it is NULL. */
void options_write_help(const struct schema_verb *verb, FILE *out);

#endif
