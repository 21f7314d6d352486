/* See sample.h. */
#include "conf/sample.h"

#include <string.h>

void sample_wrap(FILE *out, const char *text, const char *indent, size_t column, size_t width)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (column + n > width && column > strlen(indent)) {
			fprintf(out, "\n%s", indent);
			column = strlen(indent);
		}
		fprintf(out, "%.*s", (int)n, text);
		column += n;
		text += n;
		if (*text == ' ') {
			text++;
			if (column + 1 + strcspn(text, " ") <= width) {
				putc(' ', out);
				column++;
			} else {
				fprintf(out, "\n%s", indent);
				column = strlen(indent);
			}
		}
	}
	putc('\n', out);
}

static void write_option(const struct schema_option *option, FILE *out)
{
	fputs("\n# ", out);
	sample_wrap(out, option->help, "# ", 2, 90);
	if (option->restore_fallback)
		fprintf(out, "# The verb restore has %s.\n", option->restore_fallback);
	fprintf(out, "#%s =%s%s\n", option->key, *option->fallback ? " " : "", option->fallback);
}

void sample_write(FILE *out)
{
	fputs("# jsnap's configuration. Everything is at its default here; see jsnap.ini(5).\n"
	      "# Precedence: command line, JSNAP_* variable, --config FILE, the user's\n"
	      "# ~/.config/jsnap/jsnap.ini, /etc/jsnap/jsnap.ini, default. `jsnap --print-config` "
	      "shows\n"
	      "# what holds. Keys of a list may be repeated. A section [files shop*] is for the\n"
	      "# applications of such a name (`jsnap list` shows it) and goes before [files].\n",
	      out);
	for (const struct schema_section *s = schema_sections; s->name; s++) {
		fprintf(out, "\n# %s\n[%s]\n", s->title, s->name);
		for (size_t i = 0; i < SCHEMA_COUNT; i++)
			if (schema_options[i].key &&
			    strcmp(schema_options[i].section, s->name) == 0)
				write_option(&schema_options[i], out);
	}
}
