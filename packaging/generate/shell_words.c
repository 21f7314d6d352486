/* See generate.h. */
#include "packaging/generate/generate.h"

#include <string.h>

static const char *const switch_words[] = {"on", "off", NULL};

const char *const *value_words(const struct schema_option *option)
{
	if (option->kind == SCHEMA_BOOL)
		return switch_words;
	return option->values ? option->values : option->forms;
}

enum value_kind value_kind(const struct schema_option *option)
{
	if (option->kind == SCHEMA_FLAG)
		return VALUE_NONE;
	if (value_words(option))
		return VALUE_WORDS;
	if (option->metavar && strcmp(option->metavar, "DIR") == 0)
		return VALUE_FOLDER;
	if (option->metavar && strcmp(option->metavar, "FILE") == 0)
		return VALUE_FILE;
	return VALUE_TEXT;
}

void write_value_words(const struct schema_option *option, FILE *out)
{
	for (const char *const *word = value_words(option); *word; word++)
		fprintf(out, "%s%s", word == value_words(option) ? "" : " ", *word);
}

#define CLAUSE_MIN 16 /* bytes: "Give up (no snapshot)" goes on */

static size_t clause_length(const char *help)
{
	size_t i;

	for (i = 0; help[i]; i++) {
		bool stop = strchr(".:;", help[i]) && (help[i + 1] == ' ' || !help[i + 1]);

		stop |= strncmp(help + i, " (", 2) == 0;
		if (stop && (i >= CLAUSE_MIN || !help[i + 1]))
			break;
	}
	return i;
}

void write_summary(const char *help, FILE *out)
{
	size_t length = clause_length(help);

	for (size_t i = 0; i < length; i++) {
		if (help[i] == '\'')
			fputs("'\\''", out);
		else
			putc(help[i], out);
	}
}

bool takes_key(const struct schema_verb *verb)
{
	return strstr(verb->operands, "KEY") != NULL;
}

bool takes_file(const struct schema_verb *verb)
{
	return strstr(verb->operands, "FILE") != NULL;
}
