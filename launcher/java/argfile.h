/*
 * The words of a java @argfile and of JDK_JAVA_OPTIONS, as the JDK's launcher reads them
 * (libjli/args.c, java(1) "java Command-Line Argument Files"). Text in, words out.
 *
 * In a file: words are separated by blanks and line ends; # starts a comment, and takes the
 * unquoted text right in front of it along; '...' and "..." keep blanks; inside them alone a
 * backslash escapes (\n \r \t \f, else the character itself), and at a line's end continues the
 * word behind the next line's leading blanks; a line end inside quotes ends the word. In the
 * variable: quotes keep blanks, and nothing else is special.
 */
#ifndef JSNAP_LAUNCHER_ARGFILE_H
#define JSNAP_LAUNCHER_ARGFILE_H

#include "launcher/java/words.h"

/* Appends the file's words. -ENOMEM, -E2BIG. Any bytes are a valid file. */
int argfile_split(const char *text, size_t size, struct words *words);

/* Appends the variable's words. -EINVAL: a quote is not closed. */
int argfile_split_variable(const char *text, struct words *words);

#endif
