/* See options.h. */
#include "launcher/options/options.h"

#include "base/cleanup.h"
#include "conf/nearest.h"
#include "launcher/java/java_options.h"

#include <string.h>

struct line { /* the command line being read */
	char **argv;
	int argc, at;
	unsigned bit; /* of the verb */
	const struct schema_verb *verb;
	struct options *options;
	struct conf_values *values;
	struct jsnap_error *err;
};

static const char *shown_verb(const struct line *line)
{
	return line->verb ? line->verb->name : "";
}

static int unknown_option(const struct line *line, const char *word)
{
	struct nearest nearest;
	size_t length = strcspn(word + 2, "=");

	nearest_begin(&nearest, word + 2, length);
	for (size_t i = 0; i < SCHEMA_COUNT; i++)
		if (schema_options[i].verbs & line->bit)
			nearest_offer(&nearest, schema_options[i].name);
	if (line->verb && line->verb->takes_java)
		for (const char *const *option = java_long_options; *option; option++)
			nearest_offer(&nearest, *option + 2);
	error_set(line->err, EINVAL, "unknown option %.*s", (int)length + 2, word);
	if (nearest.best)
		error_hint(line->err, "did you mean --%s?", nearest.best);
	else
		error_hint(line->err, "see `jsnap %s%s--help`", shown_verb(line),
			   line->verb ? " " : "");
	return -EINVAL;
}

static int misplaced_option(const struct line *line, const struct schema_option *option)
{
	char verbs[128] = "";

	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		size_t used = strlen(verbs);

		if (option->verbs & v->bit)
			snprintf(verbs + used, sizeof(verbs) - used, "%s%s", used ? ", " : "",
				 v->name);
	}
	error_set(line->err, EINVAL, "--%s is not an option of `jsnap%s%s`", option->name,
		  line->verb ? " " : "", shown_verb(line));
	if (*verbs)
		error_hint(line->err, "it belongs to %s", verbs);
	return -EINVAL;
}

/* Takes the option at line->at and its value. */
static int take_option(struct line *line, const struct schema_option *option)
{
	const char *word = line->argv[line->at++], *equals = strchr(word, '=');
	const char *value = equals ? equals + 1 : NULL;
	enum schema_id id = (enum schema_id)(option - schema_options);
	char where[80];

	if (!value && option->kind == SCHEMA_FLAG)
		value = "on";
	if (!value) {
		if (line->at == line->argc)
			return error_set(line->err, EINVAL, "--%s needs a value: --%s %s",
					 option->name, option->name, option->metavar);
		value = line->argv[line->at++];
	}
	if (!*value && option->kind != SCHEMA_LIST)
		return error_set(line->err, EINVAL, "--%s needs a value that is not empty",
				 option->name);
	snprintf(where, sizeof(where), "--%s", option->name);
	return conf_set(line->values, id, value, CONF_OPTION, where, line->err);
}

/* 1: took an option; 0: the word is not one of jsnap's options here. */
static int try_option(struct line *line)
{
	const char *word = line->argv[line->at];
	const struct schema_option *option;
	bool takes_java = line->verb && line->verb->takes_java;
	int r;

	if (!takes_java && strcmp(word, "-h") == 0) {
		line->at++;
		return conf_set(line->values, SCHEMA_HELP, "on", CONF_OPTION, "-h", line->err) < 0
			       ? -EINVAL
			       : 1;
	}
	if (strncmp(word, "--", 2) != 0 || word[2] == '\0')
		return 0;
	option = schema_find_option(word + 2, strcspn(word + 2, "="));
	if (option && (option->verbs & line->bit)) {
		r = take_option(line, option);
		return r < 0 ? r : 1;
	}
	if (takes_java && java_is_long_option(word))
		return 0;
	return option ? misplaced_option(line, option) : unknown_option(line, word);
}

/* Reads options in front of the verb, and the verb. */
static int read_verb(struct line *line)
{
	struct nearest nearest;
	const char *word;
	int r;

	while (line->at < line->argc && (r = try_option(line)) != 0)
		if (r < 0)
			return r;
	if (line->at == line->argc)
		return 0;
	word = line->argv[line->at++];
	if (strcmp(word, "help") == 0) {
		line->options->help = true;
		if (line->at == line->argc)
			return 0;
		word = line->argv[line->at++];
	}
	line->verb = schema_find_verb(word);
	if (line->verb)
		return 0;
	error_set(line->err, EINVAL, *word == '-' ? "unknown option %s" : "there is no verb \"%s\"",
		  word);
	nearest_begin(&nearest, word, strlen(word));
	for (const struct schema_verb *v = schema_verbs; v->name; v++)
		nearest_offer(&nearest, v->name);
	if (nearest.best)
		return error_hint(line->err, "did you mean `jsnap %s`?", nearest.best);
	return error_hint(line->err, "see `jsnap --help`; a program is started with `jsnap run %s`",
			  word);
}

/* Everything from here on is the java part. */
static void take_rest(struct line *line)
{
	while (line->at < line->argc)
		line->options->operands[line->options->n_operands++] = line->argv[line->at++];
}

static void take_args(struct line *line)
{
	line->options->args = &line->argv[line->at];
	line->options->n_args = line->argc - line->at;
	line->at = line->argc;
}

static int take_operand(struct line *line)
{
	const char *word = line->argv[line->at];

	if (word[0] == '-' && word[1] != '\0')
		return error_set(line->err, EINVAL, "unknown option %s; see `jsnap %s --help`",
				 word, line->verb->name);
	if (!*line->verb->operands)
		return error_set(line->err, EINVAL,
				 "`jsnap %s` takes no operand, but \"%s\" is one", line->verb->name,
				 word);
	line->options->operands[line->options->n_operands++] = line->argv[line->at++];
	return 0;
}

static int read_words(struct line *line)
{
	int r;

	while (line->at < line->argc) {
		r = try_option(line);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (strcmp(line->argv[line->at], "--") == 0) {
			line->at++;
			if (line->bit == SCHEMA_VERB_RESTORE)
				take_args(line);
			else
				take_rest(line);
		} else if (line->verb->takes_java) {
			take_rest(line);
		} else if ((r = take_operand(line)) < 0) {
			return r;
		}
	}
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options,
		  struct conf_values *ret_values, struct jsnap_error *err)
{
	CLEANUP_CONF struct conf_values values = {0};
	struct options options = {0};
	struct line line = {.argv = argv,
			    .argc = argc,
			    .at = 1,
			    .bit = SCHEMA_VERB_ALL,
			    .options = &options,
			    .values = &values,
			    .err = err};
	int r = conf_init(&values, err);

	if (r < 0)
		return r;
	options.operands = calloc((size_t)argc + 1, sizeof(char *));
	if (!options.operands)
		return error_set(err, ENOMEM, "out of memory");
	r = read_verb(&line);
	line.bit = line.verb ? line.verb->bit : SCHEMA_VERB_NONE;
	for (size_t i = 0; r == 0 && i < SCHEMA_COUNT; i++)
		if (values.values[i].source == CONF_OPTION && !(schema_options[i].verbs & line.bit))
			r = misplaced_option(&line, &schema_options[i]);
	if (r == 0)
		r = conf_verb_defaults(&values, line.bit, err);
	if (r == 0 && line.verb)
		r = read_words(&line);
	if (r < 0) {
		options_free(&options);
		return r;
	}
	options.verb = line.verb;
	options.help |= conf_bool(&values, SCHEMA_HELP);
	options.version = conf_bool(&values, SCHEMA_VERSION);
	options.print_config = conf_bool(&values, SCHEMA_PRINT_CONFIG);
	*ret_options = options;
	*ret_values = values;
	values = (struct conf_values){0};
	return 0;
}

void options_free(struct options *options)
{
	free(options->operands);
	options->operands = NULL;
}
