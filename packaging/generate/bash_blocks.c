/* The blocks of the bash completion, and those that zsh shares: words between blanks. */
#include "packaging/generate/generate.h"

void bash_verbs(FILE *out)
{
	fputs("_jsnap_verbs='", out);
	for (const struct schema_verb *v = schema_verbs; v->name; v++)
		fprintf(out, "%s%s", v == schema_verbs ? "" : " ", v->name);
	fputs("'\n", out);
}

static void write_options(const char *pattern, unsigned bit, FILE *out)
{
	const char *separator = "";

	fprintf(out, "\t%s) echo '", pattern);
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		if (!(schema_options[i].verbs & bit))
			continue;
		fprintf(out, "%s--%s", separator, schema_options[i].name);
		separator = " ";
	}
	fputs("' ;;\n", out);
}

void shell_options(FILE *out)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++)
		write_options(v->name, v->bit, out);
	write_options("''", SCHEMA_VERB_NONE, out);
}

void bash_values(FILE *out)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];
		enum value_kind kind = value_kind(option);

		if (kind == VALUE_NONE)
			continue;
		fprintf(out, "\t--%s) echo '", option->name);
		if (kind == VALUE_WORDS) {
			fputs("words ", out);
			write_value_words(option, out);
		} else {
			fputs(kind == VALUE_FOLDER ? "folder"
			      : kind == VALUE_FILE ? "file"
						   : "text",
			      out);
		}
		fputs("' ;;\n", out);
	}
}

void shell_operands(FILE *out)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		const char *separator = "";

		fprintf(out, "\t%s) echo '", v->name);
		if (v->takes_java) {
			fputs("java", out);
		} else {
			if (takes_key(v)) {
				fputs("key", out);
				separator = " ";
			}
			if (takes_file(v))
				fprintf(out, "%sfile", separator);
		}
		fputs("' ;;\n", out);
	}
}
