/*
 * Names against patterns, as java.nio.file.FileSystem.getPathMatcher has them: `*` matches within
 * one component, `**` across components, `?` one character, [abc] [a-z] [!a] a set, {a,b} one of
 * several (not nested), \ the next character as it is.
 */
#ifndef JSNAP_LAUNCHER_GLOB_H
#define JSNAP_LAUNCHER_GLOB_H

#include <stdbool.h>

#define GLOB_MAX 1024u /* bytes of a pattern; a longer one matches nothing */

/* Never more than some ten thousand steps for each character of the name, whatever the pattern. */
bool glob_match(const char *pattern, const char *name);

/* Whether a pattern is one: sets and groups that are closed, and not nested. */
bool glob_valid(const char *pattern);

#endif
