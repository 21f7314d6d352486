/* The text of --help, written from the schema. */
#include "launcher/options/options.h"

#include "conf/sample.h"

#include <string.h>

#define HELP_COLUMN "                            "
#define HELP_WIDTH  92

static void write_option(const struct schema_option *option, unsigned bit, FILE *out)
{
	const char *fallback = option->fallback;
	size_t column = strlen(HELP_COLUMN);
	char help[512];
	int n;

	n = fprintf(out, "  --%s%s%s", option->name, option->metavar ? " " : "",
		    option->metavar ? option->metavar : "");
	if ((size_t)n + 1 < column)
		fprintf(out, "%*s", (int)column - n, "");
	else
		fprintf(out, "\n%s", HELP_COLUMN);
	if (option->restore_fallback && bit == SCHEMA_VERB_RESTORE)
		fallback = option->restore_fallback;
	if (option->kind == SCHEMA_FLAG || !*fallback)
		snprintf(help, sizeof(help), "%s", option->help);
	else
		snprintf(help, sizeof(help), "%s Default: %s.", option->help, fallback);
	sample_wrap(out, help, HELP_COLUMN, column, HELP_WIDTH);
}

static void write_section(const char *section, const char *title, unsigned bit, FILE *out)
{
	bool titled = false;

	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];
		bool here = section ? option->section && strcmp(option->section, section) == 0
				    : !option->section;

		if (!here || !(option->verbs & bit))
			continue;
		if (!titled)
			fprintf(out, "\n%s:\n", title);
		titled = true;
		write_option(option, bit, out);
	}
}

static void write_overview(FILE *out)
{
	fputs("Usage: jsnap VERB [options] ...\n"
	      "Starts a Java program from a snapshot of its warmed process.\n\n",
	      out);
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		fprintf(out, "  %-12s", v->name);
		sample_wrap(out, v->summary, "              ", 14, HELP_WIDTH);
	}
	fputs("\n`jsnap VERB --help` tells a verb's options.\n", out);
}

void options_write_help(const struct schema_verb *verb, FILE *out)
{
	unsigned bit = verb ? verb->bit : SCHEMA_VERB_NONE;

	if (verb) {
		fprintf(out, "Usage: jsnap %s [options]%s%s%s\n", verb->name,
			verb->takes_java ? " [--]" : "", *verb->operands ? " " : "",
			verb->operands);
		sample_wrap(out, verb->summary, "", 0, HELP_WIDTH);
		if (verb->takes_java)
			fputs("app.jar stands for what java accepts: -jar app.jar, -cp PATH Main, "
			      "-m MODULE, @argfiles.\n",
			      out);
		for (const struct schema_section *s = schema_sections; s->name; s++)
			write_section(s->name, s->title, bit, out);
		write_section(NULL, "Other", bit, out);
	} else {
		write_overview(out);
		for (size_t i = 0; i < SCHEMA_COUNT; i++)
			if (schema_options[i].verbs == SCHEMA_VERB_NONE ||
			    i == SCHEMA_PRINT_CONFIG || i == SCHEMA_CONFIG)
				write_option(&schema_options[i], bit, out);
	}
	fputs("\nExit status: the application's own, or 128+n after signal n; 125: jsnap failed; "
	      "126: java\ncould not be executed; 127: no java found.\n",
	      out);
}
