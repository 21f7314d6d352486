/* See bench_run.h: the command lines, each what a user would type. */
#include "launcher/bench/bench_run.h"

#include "base/cleanup.h"
#include "conf/values.h"

/* What the user gave bench and `verb` takes too. */
static int add_options(const struct bench *b, unsigned verb, struct words *words)
{
	const struct conf_values *values = b->start.settings->values;
	int rc = 0;

	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct conf_value *value = &values->values[i];
		const struct schema_option *option = &schema_options[i];

		if (value->source != CONF_OPTION || !(option->verbs & verb) || i == SCHEMA_QUIET ||
		    i == SCHEMA_LOG_FORMAT || i == SCHEMA_LOG_LEVEL || i == SCHEMA_METRICS ||
		    i == SCHEMA_HOT_COPY || i == SCHEMA_ON_RESTORE_FAILURE ||
		    i == SCHEMA_KEEP_RUNNING)
			continue;
		for (size_t k = 0; rc == 0 && k < value->n_items; k++) {
			CLEANUP_FREE char *word = NULL;

			if (asprintf(&word, "--%s=%s", option->name, value->items[k]) < 0)
				return word = NULL, -ENOMEM;
			rc = words_add(words, word);
		}
	}
	return rc;
}

static int add_all(struct words *words, const char *const *items)
{
	int rc = 0;

	for (; rc == 0 && *items; items++)
		rc = words_add(words, *items);
	return rc;
}

int bench_jsnap_words(const struct bench *b, unsigned verb, bool hot_copy, struct words *words)
{
	const struct settings *s = b->start.settings;
	const char *const first[] = {b->self, verb == SCHEMA_VERB_RUN ? "run" : "checkpoint", NULL};
	const char *const fixed[] = {"--quiet=off",
				     "--log-format=text",
				     "--log-level=info",
				     hot_copy ? "--hot-copy=on" : "--hot-copy=off",
				     "--metrics",
				     b->metrics,
				     NULL};
	const char *const store[] = {"--store", b->store, NULL};
	const char *const restore[] = {"--on-restore-failure=fail", "--no-checkpoint", NULL};
	const char *const checkpoint[] = {"--keep-running=on", NULL};
	int rc = add_all(words, first);

	if (rc == 0)
		rc = add_options(b, verb, words);
	if (rc == 0)
		rc = add_all(words, fixed);
	if (rc == 0 && !s->store && !s->image)
		rc = add_all(words, store);
	if (rc == 0)
		rc = add_all(words, verb == SCHEMA_VERB_RUN ? restore : checkpoint);
	if (rc == 0)
		rc = words_add(words, "--");
	return rc == 0 ? add_all(words, (const char *const *)s->argv) : rc;
}

int bench_java_words(const struct bench *b, const char *option, const char *archive,
		     struct words *words)
{
	const struct java_command *command = &b->start.command;
	CLEANUP_FREE char *word = NULL;
	int rc = words_add(words, command->argv[0]);

	if (rc == 0 && option) {
		if (asprintf(&word, "%s%s/%s", option, b->folder, archive) < 0)
			return word = NULL, -ENOMEM;
		rc = words_add(words, word);
	}
	return rc == 0 ? add_all(words, (const char *const *)command->argv + 1) : rc;
}
