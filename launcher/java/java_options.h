/*
 * The java launcher's options that matter to somebody who reads its command line: which take a
 * separate argument, which end the reading, and the long names (JDK 17 to 25: java(1),
 * libjli/java.c, the VM's arguments.cpp).
 */
#ifndef JSNAP_LAUNCHER_JAVA_OPTIONS_H
#define JSNAP_LAUNCHER_JAVA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* NULL-terminated, with the dashes: "--add-opens", "--class-path" ... */
extern const char *const java_long_options[];

/* `word` is one of them, or one of them followed by "=...". */
bool java_is_long_option(const char *word);

/* The next word belongs to this option, when it does not start with a dash. */
bool java_takes_argument(const char *word);

bool java_is_class_path(const char *word);  /* -cp, -classpath, --class-path */
bool java_is_module_path(const char *word); /* -p, --module-path */
bool java_is_module(const char *word);	    /* -m, --module */

/* java prints something and ends, whatever follows: -version, --help, -X, --full-version ... */
bool java_ends_reading(const char *word);

/* java starts no program although it reads on: --list-modules, --validate-modules, --dry-run ... */
bool java_starts_nothing(const char *word);

#endif
