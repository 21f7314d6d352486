/* See java_expand.h. */
#include "launcher/java/java_expand.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/java/argfile.h"
#include "launcher/java/java_command.h"
#include "launcher/java/java_options.h"

#include <stdbool.h>
#include <string.h>

struct expansion {
	struct java_words out;
	bool program_seen; /* the program's name is behind us: the rest is the application's */
	bool stopped;	   /* --disable-@files */
	bool want_argument;
	struct jsnap_error *err;
};

/* Follows where the command line stands, as checkArg() of args.c does. */
static void follow(struct expansion *e, const char *word)
{
	if (word[0] != '-') {
		e->program_seen |= !e->want_argument;
		e->want_argument = false;
		return;
	}
	/* -jar and -m take a word too, but that word is the program */
	e->want_argument = java_takes_argument(word) && !java_is_module(word);
	if (strcmp(word, "--disable-@files") == 0)
		e->stopped = true;
	else if (strncmp(word, "--module=", 9) == 0)
		e->program_seen = true;
}

static int emit(struct expansion *e, const char *word, int origin)
{
	int *grown = reallocarray(e->out.origin, e->out.words.count + 1, sizeof(*grown));
	int r = grown ? 0 : -ENOMEM;

	if (grown) {
		e->out.origin = grown;
		grown[e->out.words.count] = origin;
		r = words_add(&e->out.words, word);
	}
	if (r == -E2BIG)
		return error_set(e->err, E2BIG, "more than %u words", WORDS_MAX);
	return r < 0 ? error_set(e->err, ENOMEM, "out of memory") : 0;
}

static int expand_file(struct expansion *e, const char *path)
{
	CLEANUP_WORDS struct words words = {0};
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int r = read_file(path, JAVA_COMMAND_MAX_ARGFILE, &text, &size);

	if (r == 0)
		r = argfile_split(text, size, &words);
	if (r < 0) {
		errno = -r;
		return error_errno(e->err, "cannot read @%s", path);
	}
	for (size_t i = 0; i < words.count; i++)
		follow(e, words.items[i]);
	for (size_t i = 0; r == 0 && i < words.count; i++)
		r = emit(e, words.items[i], JAVA_EXPAND_ELSEWHERE);
	return r;
}

static int expand_word(struct expansion *e, const char *word, int origin)
{
	bool expands = !e->program_seen && !e->stopped && word[0] == '@' && word[1] != '\0';

	if (expands && word[1] != '@')
		return expand_file(e, word + 1);
	if (expands)
		word++;
	if (!e->program_seen)
		follow(e, word);
	return emit(e, word, origin);
}

static int expand_variable(struct expansion *e, const char *value)
{
	CLEANUP_WORDS struct words words = {0};
	int r = argfile_split_variable(value, &words);

	if (r == -EINVAL)
		return error_set(e->err, EINVAL, "a quote in JDK_JAVA_OPTIONS is not closed");
	if (r < 0)
		return error_set(e->err, -r, "JDK_JAVA_OPTIONS is too long");
	for (size_t i = 0; i < words.count; i++) {
		r = expand_word(e, words.items[i], JAVA_EXPAND_ELSEWHERE);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < e->out.words.count; i++) {
		const char *word = e->out.words.items[i];

		if (java_ends_reading(word) || java_is_module(word) || strcmp(word, "-jar") == 0)
			return error_set(e->err, EINVAL, "%s cannot stand in JDK_JAVA_OPTIONS",
					 word);
	}
	if (e->program_seen)
		return error_set(e->err, EINVAL, "JDK_JAVA_OPTIONS cannot name the program");
	return 0;
}

int java_expand(char *const *argv, int argc, const char *jdk_java_options,
		struct java_words *ret_words, struct jsnap_error *err)
{
	struct expansion e = {.err = err};
	int r = jdk_java_options ? expand_variable(&e, jdk_java_options) : 0;

	for (int i = 0; r == 0 && i < argc; i++)
		r = expand_word(&e, argv[i], i);
	if (r < 0) {
		java_words_free(&e.out);
		return r;
	}
	*ret_words = e.out;
	return 0;
}

void java_words_free(struct java_words *words)
{
	words_free(&words->words);
	free(words->origin);
	words->origin = NULL;
}
