/* See java_command.h. */
#include "launcher/java/java_command.h"

#include "base/cleanup.h"
#include "launcher/java/class_path.h"
#include "launcher/java/java_expand.h"
#include "launcher/java/java_options.h"
#include "launcher/java/words.h"

#include <string.h>
#include <sys/stat.h>

struct reading { /* ParseArguments() of libjli/java.c, on the expanded words */
	const struct java_words *in;
	size_t at;
	struct words options, args;
	const char *class_path, *module_path; /* the last one given counts */
	const char *program;
	int program_origin;
	enum java_mode mode;
	const char *nothing; /* the option that makes java start no program */
	const char *lacking; /* the option whose argument is missing */
};

static const char *behind(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static bool ends_with(const char *text, const char *tail)
{
	size_t n = strlen(text), m = strlen(tail);

	return n > m && strcmp(text + n - m, tail) == 0;
}

static void set_program(struct reading *r, const char *program, int origin)
{
	r->program = program;
	r->program_origin = origin;
}

/* An option with its value in the next word, or NULL when that is missing. */
static int take_with_value(struct reading *r, const char *option, const char *value)
{
	int result;

	if (!value) {
		r->lacking = option;
		return 0;
	}
	if (java_is_module(option)) {
		r->mode = JAVA_MODE_MODULE;
		set_program(r, value, r->in->origin[r->at - 1]);
		return 0;
	}
	if (java_is_class_path(option)) {
		r->class_path = value;
		return 0;
	}
	if (java_is_module_path(option))
		r->module_path = value;
	if (strcmp(option, "--source") == 0)
		r->mode = JAVA_MODE_SOURCE;
	result = words_add(&r->options, option);
	return result < 0 ? result : words_add(&r->options, value);
}

static int take_option(struct reading *r, const char *option)
{
	const char *value;

	if ((value = behind(option, "--class-path=")) ||
	    (value = behind(option, "-Djava.class.path="))) {
		r->class_path = value;
		return 0;
	}
	if ((value = behind(option, "--module="))) {
		r->mode = JAVA_MODE_MODULE;
		set_program(r, value, JAVA_EXPAND_ELSEWHERE);
		return 0;
	}
	if (strcmp(option, "-jar") == 0) {
		r->mode = JAVA_MODE_JAR;
		return 0;
	}
	if ((value = behind(option, "--module-path=")))
		r->module_path = value;
	if (behind(option, "--source="))
		r->mode = JAVA_MODE_SOURCE;
	return words_add(&r->options, option);
}

static int take_options(struct reading *r)
{
	const struct words *words = &r->in->words;

	while (!r->program && !r->lacking && r->at < words->count &&
	       words->items[r->at][0] == '-') {
		const char *option = words->items[r->at++];
		int result;

		if (java_ends_reading(option) || java_starts_nothing(option))
			r->nothing = r->nothing ? r->nothing : option;
		if (java_ends_reading(option))
			return 0;
		if (java_takes_argument(option)) {
			const char *next = r->at < words->count ? words->items[r->at] : "-";

			result = take_with_value(r, option, *next == '-' ? NULL : (r->at++, next));
		} else {
			result = take_option(r, option);
		}
		if (result < 0)
			return result;
	}
	return 0;
}

static int read_words(struct reading *r)
{
	const struct words *words = &r->in->words;
	struct stat st;
	int result = take_options(r);

	if (result < 0 || r->lacking || (r->nothing && java_ends_reading(r->nothing)))
		return result;
	if (!r->program && r->at < words->count) {
		set_program(r, words->items[r->at], r->in->origin[r->at]);
		r->at++;
	}
	if (r->program && r->mode == JAVA_MODE_NONE) {
		bool source = ends_with(r->program, ".java") && stat(r->program, &st) == 0;

		r->mode = source ? JAVA_MODE_SOURCE : JAVA_MODE_CLASS;
	}
	for (; result == 0 && r->at < words->count; r->at++)
		result = words_add(&r->args, words->items[r->at]);
	return result;
}

/* `jsnap run app.jar`: no class is called so, and java would not find it. */
static bool means_jar(const struct reading *r)
{
	return r->mode == JAVA_MODE_CLASS && r->program_origin != JAVA_EXPAND_ELSEWHERE &&
	       (ends_with(r->program, ".jar") || ends_with(r->program, ".war"));
}

static int build_argv(struct java_command *c, char *const *argv, int argc, int jar_at)
{
	CLEANUP_WORDS struct words words = {0};
	int r = words_add(&words, c->jdk.executable);

	for (int i = 0; r == 0 && i < argc; i++) {
		if (i == jar_at)
			r = words_add(&words, "-jar");
		if (r == 0)
			r = words_add(&words, argv[i]);
	}
	if (r < 0)
		return r;
	c->argv = words.items;
	c->argc = (int)words.count;
	words = (struct words){0};
	return 0;
}

static int build_paths(struct java_command *c, const struct reading *r, char *const *env)
{
	CLEANUP_WORDS struct words class_path = {0}, module_path = {0};
	const char *text = r->class_path;
	int result;

	if (!text && c->mode != JAVA_MODE_MODULE) {
		text = words_env(env, "CLASSPATH");
		text = text && *text ? text : ".";
	}
	if (c->mode == JAVA_MODE_JAR)
		result = words_add(&class_path, c->program);
	else
		result = text ? class_path_split(text, 1, &class_path) : 0;
	if (result == 0 && r->module_path)
		result = class_path_split(r->module_path, 0, &module_path);
	if (result < 0)
		return result;
	c->class_path = class_path.items;
	c->n_class_path = class_path.count;
	c->module_path = module_path.items;
	c->n_module_path = module_path.count;
	class_path = module_path = (struct words){0};
	return 0;
}

/* "app" of dir/app.jar, "Main" of com.acme.Main or com/acme/Main, "mod" of mod/com.acme.Main. */
static char *short_name(const struct java_command *c)
{
	const char *start = c->program, *slash = strrchr(c->program, '/'), *dot;
	size_t n;

	if (c->mode == JAVA_MODE_NONE || !*c->program)
		return strdup("java");
	if (c->mode == JAVA_MODE_MODULE)
		return strndup(start, strcspn(start, "/"));
	if (slash && slash[1])
		start = slash + 1;
	n = strlen(start);
	dot = strrchr(start, '.');
	if (c->mode == JAVA_MODE_CLASS)
		return strdup(dot && dot[1] ? dot + 1 : start);
	return strndup(start, dot && dot != start ? (size_t)(dot - start) : n);
}

/* Facts of the JDK or the command line that rule a snapshot out. */
static int judge(struct java_command *c, const struct reading *r)
{
	int n = 0;

	if (r->lacking)
		n = asprintf(&c->no_snapshot,
			     "java refuses this command line: %s needs an argument", r->lacking);
	else if (r->nothing)
		n = asprintf(&c->no_snapshot, "java %s starts no program", r->nothing);
	else if (c->mode == JAVA_MODE_NONE)
		n = asprintf(&c->no_snapshot, "no program is named");
	else if (!*c->jdk.home)
		n = asprintf(&c->no_snapshot,
			     "%s is not a JDK's own bin/java, so it cannot be told when it changes",
			     c->jdk.executable);
	else if (!c->jdk.libjvm.inode)
		n = asprintf(&c->no_snapshot, "there is no %s: not a HotSpot of Java 9 or later",
			     c->jdk.libjvm.path);
	return n < 0 ? -ENOMEM : 0;
}

static int fill(struct java_command *c, struct reading *r, char *const *argv, int argc,
		char *const *env)
{
	int jar_at = -1, result;

	if (r->lacking || r->nothing)
		r->mode = JAVA_MODE_NONE;
	if (means_jar(r)) {
		r->mode = JAVA_MODE_JAR;
		jar_at = r->program_origin;
	}
	c->mode = r->program ? r->mode : JAVA_MODE_NONE;
	c->program = strdup(r->program ? r->program : "");
	c->name = c->program ? short_name(c) : NULL;
	c->options = r->options.items;
	c->n_options = r->options.count;
	c->args = r->args.items;
	c->n_args = r->args.count;
	r->options = r->args = (struct words){0};
	if (!c->name)
		return -ENOMEM;
	result = build_argv(c, argv, argc, jar_at);
	if (result == 0)
		result = build_paths(c, r, env);
	return result < 0 ? result : judge(c, r);
}

static int parse(struct java_command *c, char *const *argv, int argc, char *const *env)
{
	CLEANUP_JAVA_WORDS struct java_words words = {0};
	struct reading r = {.in = &words};
	struct jsnap_error why = {0};
	int result = java_expand(argv, argc, words_env(env, "JDK_JAVA_OPTIONS"), &words, &why);

	if (result == -ENOMEM)
		return result;
	if (result < 0) {
		/* java says it better than we could, and its caller knows its words */
		result = fill(c, &r, argv, argc, env);
		free(c->no_snapshot);
		c->no_snapshot = NULL;
		if (result == 0 &&
		    asprintf(&c->no_snapshot, "java refuses this command line: %s", why.text) < 0)
			result = -ENOMEM;
		return result;
	}
	result = read_words(&r);
	if (result == 0)
		result = fill(c, &r, argv, argc, env);
	words_free(&r.options);
	words_free(&r.args);
	return result;
}

int java_command_parse(char *const *argv, int argc, char *const *env,
		       struct java_command *ret_command, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_JAVA_COMMAND struct java_command c = {0};
	int r = java_jdk_find(env, &c.jdk, ret_status, err);

	if (r < 0)
		return r;
	r = parse(&c, argv, argc, env);
	if (r == -E2BIG)
		return error_set(err, E2BIG,
				 "the java command line has more than %u words or class "
				 "path entries",
				 WORDS_MAX);
	if (r < 0)
		return error_set(err, -r, "out of memory while reading the java command line");
	*ret_command = c;
	c = (struct java_command){0};
	return 0;
}

static void free_list(char **items, size_t count)
{
	struct words words = {items, count};

	words_free(&words);
}

void java_command_free(struct java_command *c)
{
	java_jdk_free(&c->jdk);
	free_list(c->argv, (size_t)c->argc);
	free_list(c->options, c->n_options);
	free_list(c->args, c->n_args);
	free_list(c->class_path, c->n_class_path);
	free_list(c->module_path, c->n_module_path);
	free(c->program);
	free(c->name);
	free(c->no_snapshot);
	*c = (struct java_command){0};
}
