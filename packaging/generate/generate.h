/*
 * Man pages and completions, written from conf/schema.c so that they cannot drift from it.
 *
 * A template is text with prose by hand; a line that is nothing but @BLOCK@ is replaced by what a
 * function writes from the schema, and @VERSION@ anywhere by jsnap's version. The blocks are a
 * table in main.c. A program of the build, never installed.
 */
#ifndef JSNAP_PACKAGING_GENERATE_H
#define JSNAP_PACKAGING_GENERATE_H

#include "conf/schema.h"

#include <stdio.h>

/* man_blocks.c */
void man_synopsis(FILE *out);
void man_verbs(FILE *out);
void man_options(FILE *out);
void man_variables(FILE *out);
void man_keys(FILE *out);

/* bash_blocks.c; those of both bash and zsh are called shell */
void shell_options(FILE *out);
void shell_operands(FILE *out);
void bash_verbs(FILE *out);
void bash_values(FILE *out);

/* zsh_blocks.c, fish_blocks.c */
void zsh_verbs(FILE *out);
void zsh_specs(FILE *out);
void fish_values(FILE *out);
void fish_verbs(FILE *out);
void fish_options(FILE *out);

/* shell_words.c: what the three shells have in common. */

enum value_kind {
	VALUE_NONE,   /* a flag */
	VALUE_WORDS,  /* one of words, or what begins as one of them */
	VALUE_FOLDER, /* of the file system */
	VALUE_FILE,
	VALUE_TEXT, /* something a shell cannot know */
};

enum value_kind value_kind(const struct schema_option *option);
/* The words of VALUE_WORDS, NULL-terminated. */
const char *const *value_words(const struct schema_option *option);
/* The words of an option between blanks. */
void write_value_words(const struct schema_option *option, FILE *out);

/* The first clause of a help text, without its full stop, to stand between single quotes: in all
 * three shells '\'' is a quote there. */
void write_summary(const char *help, FILE *out);

/* Whether an operand of the verb can be a snapshot's key; a file. */
bool takes_key(const struct schema_verb *verb);
bool takes_file(const struct schema_verb *verb);

#endif
