/* The blocks of the fish completion: `complete` commands, each with the verbs it holds for. */
#include "packaging/generate/generate.h"

void fish_values(FILE *out)
{
	fputs("set -g __jsnap_valued", out);
	for (size_t i = 0; i < SCHEMA_COUNT; i++)
		if (value_kind(&schema_options[i]) != VALUE_NONE)
			fprintf(out, " --%s", schema_options[i].name);
	fputs("\nset -g __jsnap_java_verbs", out);
	for (const struct schema_verb *v = schema_verbs; v->name; v++)
		if (v->takes_java)
			fprintf(out, " %s", v->name);
	putc('\n', out);
}

void fish_verbs(FILE *out)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		fprintf(out, "complete -c jsnap -n '__jsnap_in none' -a %s -d '", v->name);
		write_summary(v->summary, out);
		fputs("'\n", out);
		if (takes_key(v))
			fprintf(out, "complete -c jsnap -n '__jsnap_in %s' -a '(__jsnap_keys)'\n",
				v->name);
		if (takes_file(v))
			fprintf(out, "complete -c jsnap -n '__jsnap_in %s' -F\n", v->name);
		if (v->takes_java)
			fprintf(out, "complete -c jsnap -n '__jsnap_in %s java' -F\n", v->name);
	}
}

static void write_value(const struct schema_option *option, FILE *out)
{
	switch (value_kind(option)) {
	case VALUE_NONE:
		break;
	case VALUE_WORDS:
		fputs(" -x -a '", out);
		write_value_words(option, out);
		putc('\'', out);
		break;
	case VALUE_FOLDER:
		fputs(" -x -a '(__fish_complete_directories)'", out);
		break;
	case VALUE_FILE:
		fputs(" -r -F", out);
		break;
	case VALUE_TEXT:
		fputs(" -x", out);
		break;
	}
}

void fish_options(FILE *out)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];

		fputs("complete -c jsnap -n '__jsnap_in", out);
		for (const struct schema_verb *v = schema_verbs; v->name; v++)
			if (option->verbs & v->bit)
				fprintf(out, " %s", v->name);
		if (option->verbs & SCHEMA_VERB_NONE)
			fputs(" none", out);
		fprintf(out, "' -l %s", option->name);
		write_value(option, out);
		fputs(" -d '", out);
		write_summary(option->help, out);
		fputs("'\n", out);
	}
}
