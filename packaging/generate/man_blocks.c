/* The blocks of the man pages, in the man(7) macros, which groff and mandoc both read. */
#include "packaging/generate/generate.h"

#include <string.h>

/* Text as troff shows it literally: no escapes, no ligatured hyphens, no line that is a request. */
static void put_text(const char *text, FILE *out)
{
	for (const char *c = text; *c; c++) {
		if (*c == '\\')
			fputs("\\e", out);
		else if (*c == '-')
			fputs("\\-", out);
		else if (*c == '~')
			fputs("\\(ti", out);
		else if (*c == '^')
			fputs("\\(ha", out);
		else if (c == text && (*c == '.' || *c == '\''))
			fprintf(out, "\\&%c", *c);
		else
			putc(*c, out);
	}
}

/* Sentences on lines of their own, as man-pages(7) asks: a full stop and a blank end one. */
static void put_sentences(const char *text, FILE *out)
{
	char sentence[1024];
	const char *end;

	for (; (end = strstr(text, ". ")); text = end + 2) {
		snprintf(sentence, sizeof(sentence), "%.*s", (int)(end + 1 - text), text);
		put_text(sentence, out);
		putc('\n', out);
	}
	put_text(text, out);
	putc('\n', out);
}

static void put_styled(char style, const char *text, FILE *out)
{
	fprintf(out, "\\f%c", style);
	put_text(text, out);
	fputs("\\fR", out);
}

static const char *form_of(enum schema_kind kind)
{
	switch (kind) {
	case SCHEMA_DURATION:
		return "A duration such as 500ms, 2s, 1m, 3h or 7d.";
	case SCHEMA_SIZE:
		return "A size in bytes, or with K, M, G or T.";
	case SCHEMA_BOOL:
	case SCHEMA_FLAG:
		return "on or off.";
	default:
		return NULL;
	}
}

static void put_fallback(const struct schema_option *option, FILE *out)
{
	if (option->kind == SCHEMA_FLAG || !*option->fallback)
		return;
	fputs("Default: ", out);
	put_styled('B', option->fallback, out);
	if (option->restore_fallback) {
		fputs(", for the verb restore ", out);
		put_styled('B', option->restore_fallback, out);
	}
	fputs(".\n", out);
}

void man_synopsis(FILE *out)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		fputs(v == schema_verbs ? "" : ".br\n", out);
		fputs(".B jsnap ", out);
		put_text(v->name, out);
		fputs("\n[options]", out);
		if (v->takes_java)
			fputs(" [\\-\\-]", out);
		putc(*v->operands ? ' ' : '\n', out);
		if (*v->operands) {
			put_text(v->operands, out);
			putc('\n', out);
		}
	}
}

void man_verbs(FILE *out)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		fputs(".TP\n", out);
		put_styled('B', v->name, out);
		if (*v->operands) {
			putc(' ', out);
			put_text(v->operands, out);
		}
		putc('\n', out);
		put_sentences(v->summary, out);
	}
}

static void put_verbs(unsigned verbs, FILE *out)
{
	const char *separator = "";

	if (verbs == SCHEMA_VERB_NONE) {
		fputs("Without a verb.\n", out);
		return;
	}
	if (verbs == SCHEMA_VERB_ALL) {
		fputs("Of every verb.\n", out);
		return;
	}
	fputs("Of ", out);
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		if (!(verbs & v->bit))
			continue;
		fputs(separator, out);
		put_styled('B', v->name, out);
		separator = ", ";
	}
	fputs(".\n", out);
}

static void put_option(const struct schema_option *option, FILE *out)
{
	fputs(".TP\n\\fB\\-\\-", out);
	put_text(option->name, out);
	fputs("\\fR", out);
	if (option->metavar) {
		putc(' ', out);
		put_styled('I', option->metavar, out);
	}
	putc('\n', out);
	put_sentences(option->help, out);
	put_fallback(option, out);
	put_verbs(option->verbs, out);
	if (option->variable) {
		fputs("Variable: ", out);
		put_styled('B', option->variable, out);
		fputs(".\n", out);
	}
}

static bool is_of_section(const struct schema_option *option, const char *section)
{
	return section ? option->section && strcmp(option->section, section) == 0
		       : !option->section;
}

static void put_options_of(const char *section, const char *title, FILE *out)
{
	bool titled = false;

	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		if (!is_of_section(&schema_options[i], section))
			continue;
		if (!titled) {
			fputs(".SS ", out);
			put_text(title, out);
			putc('\n', out);
		}
		titled = true;
		put_option(&schema_options[i], out);
	}
}

void man_options(FILE *out)
{
	for (const struct schema_section *s = schema_sections; s->name; s++)
		put_options_of(s->name, s->title, out);
	put_options_of(NULL, "Only on the command line", out);
}

void man_variables(FILE *out)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];

		if (!option->variable)
			continue;
		fputs(".TP\n", out);
		put_styled('B', option->variable, out);
		fputs("\nAs \\fB\\-\\-", out);
		put_text(option->name, out);
		fputs(option->kind == SCHEMA_LIST ? "\\fR; a line for each item.\n" : "\\fR.\n",
		      out);
	}
}

static void put_key(const struct schema_option *option, FILE *out)
{
	const char *form = form_of(option->kind);

	fputs(".TP\n", out);
	put_styled('B', option->key, out);
	fputs(" =", out);
	if (option->metavar) {
		putc(' ', out);
		put_styled('I', option->metavar, out);
	}
	putc('\n', out);
	put_sentences(option->help, out);
	if (form)
		put_sentences(form, out);
	put_fallback(option, out);
	fputs("Option \\fB\\-\\-", out);
	put_text(option->name, out);
	fputs("\\fR.\n", out);
}

void man_keys(FILE *out)
{
	for (const struct schema_section *s = schema_sections; s->name; s++) {
		fputs(".SS [", out);
		put_text(s->name, out);
		fputs("]: ", out);
		put_text(s->title, out);
		putc('\n', out);
		for (size_t i = 0; i < SCHEMA_COUNT; i++)
			if (schema_options[i].key && is_of_section(&schema_options[i], s->name))
				put_key(&schema_options[i], out);
	}
}
