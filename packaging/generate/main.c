/* jsnap-generate TEMPLATE OUTPUT: writes the template with its blocks filled in. See generate.h. */
#include "packaging/generate/generate.h"

#include <errno.h>
#include <string.h>

static const struct block {
	const char *name;
	void (*write)(FILE *out);
} blocks[] = {
	{"MAN_SYNOPSIS", man_synopsis},
	{"MAN_VERBS", man_verbs},
	{"MAN_OPTIONS", man_options},
	{"MAN_VARIABLES", man_variables},
	{"MAN_KEYS", man_keys},
	{"SHELL_OPTIONS", shell_options},
	{"SHELL_OPERANDS", shell_operands},
	{"BASH_VERBS", bash_verbs},
	{"BASH_VALUES", bash_values},
	{"ZSH_VERBS", zsh_verbs},
	{"ZSH_SPECS", zsh_specs},
	{"FISH_VALUES", fish_values},
	{"FISH_VERBS", fish_verbs},
	{"FISH_OPTIONS", fish_options},
};

/* The block a line is a marker of; NULL when it is text. *ret_unknown: a marker of none. */
static const struct block *block_of(const char *line, bool *ret_unknown)
{
	size_t length = strcspn(line, "\n");

	*ret_unknown = false;
	if (length < 3 || line[0] != '@' || line[length - 1] != '@' ||
	    strncmp(line, "@VERSION@", length) == 0)
		return NULL;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (strlen(blocks[i].name) == length - 2 &&
		    memcmp(blocks[i].name, line + 1, length - 2) == 0)
			return &blocks[i];
	*ret_unknown = true;
	return NULL;
}

static void write_line(const char *line, FILE *out)
{
	const char *marker;

	while ((marker = strstr(line, "@VERSION@"))) {
		fwrite(line, 1, (size_t)(marker - line), out);
		fputs(JSNAP_VERSION, out);
		line = marker + strlen("@VERSION@");
	}
	fputs(line, out);
}

static int expand(FILE *in, const char *name, FILE *out)
{
	char line[1024];

	for (unsigned number = 1; fgets(line, sizeof(line), in); number++) {
		bool unknown;
		const struct block *block = block_of(line, &unknown);

		if (unknown || !strchr(line, '\n')) {
			fprintf(stderr, "%s:%u: %s\n", name, number,
				unknown ? "there is no such block"
					: "line too long, or the last one has no end");
			return 1;
		}
		if (block)
			block->write(out);
		else
			write_line(line, out);
	}
	return ferror(in) || fflush(out) != 0;
}

static FILE *open_or_say(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file)
		fprintf(stderr, "jsnap-generate: open %s: %s\n", path, strerror(errno));
	return file;
}

int main(int argc, char **argv)
{
	FILE *in, *out = NULL;
	int status = 1;

	if (argc != 3) {
		fputs("usage: jsnap-generate TEMPLATE OUTPUT\n", stderr);
		return 1;
	}
	in = open_or_say(argv[1], "re");
	if (in)
		out = open_or_say(argv[2], "we");
	if (out) {
		status = expand(in, argv[1], out);
		if (fclose(out) != 0 || status)
			remove(argv[2]);
	}
	if (in)
		fclose(in);
	return status;
}
