/* The blocks of the zsh completion: verbs for _describe, options as specs for _arguments. */
#include "packaging/generate/generate.h"

#include <stdlib.h>
#include <string.h>

/* _arguments splits a spec at colons and ends a description at ], unless they are escaped. */
static void put_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (strchr(":[]", *text))
			putc('\\', out);
		putc(*text, out);
	}
}

static void put_summary(const char *help, FILE *out)
{
	char *summary = NULL;
	size_t size;
	FILE *text = open_memstream(&summary, &size);

	if (!text)
		return;
	write_summary(help, text);
	fclose(text);
	put_escaped(summary, out);
	free(summary);
}

void zsh_verbs(FILE *out)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		fprintf(out, "\t'%s:", v->name);
		put_summary(v->summary, out);
		fputs("'\n", out);
	}
}

static void put_action(const struct schema_option *option, FILE *out)
{
	putc(':', out);
	put_escaped(option->metavar ? option->metavar : "value", out);
	putc(':', out);
	switch (value_kind(option)) {
	case VALUE_WORDS:
		putc('(', out);
		for (const char *const *word = value_words(option); *word; word++) {
			if (word != value_words(option))
				putc(' ', out);
			put_escaped(*word, out);
		}
		putc(')', out);
		break;
	case VALUE_FOLDER:
		fputs("_files -/", out);
		break;
	case VALUE_FILE:
		fputs("_files", out);
		break;
	default:
		putc(' ', out);
		break;
	}
}

void zsh_specs(FILE *out)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];
		bool valued = value_kind(option) != VALUE_NONE;

		fprintf(out, "\t%s '%s--%s%s[", option->name,
			option->kind == SCHEMA_LIST ? "*" : "", option->name, valued ? "=" : "");
		put_summary(option->help, out);
		putc(']', out);
		if (valued)
			put_action(option, out);
		fputs("'\n", out);
	}
}
