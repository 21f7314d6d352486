/* See key.h: collecting what the user asked for and what it stands for. */
#include "launcher/key/key.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/key/path_fact.h"
#include "launcher/store/store.h"
#include "launcher/java/words.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Raise it when the meaning of a fact changes: old snapshots are then never asked for again. */
#define KEY_VERSION "1"

static const char *const cpu_names[] = {"native", "x86-64-v2", "x86-64-v3", "x86-64-v4"};

/* "NAME=VALUE" with line ends and backslashes escaped, so that no two questions read alike. */
static void ask(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '\\')
			fputs("\\\\", out);
		else
			putc(*value, out);
	}
	putc('\n', out);
}

static void ask_list(FILE *out, const char *name, char *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ask(out, name, items[i]);
}

/* As setlocale(3) looks for it. */
static const char *locale_of(char *const *env, const char *category)
{
	const char *const names[] = {"LC_ALL", category, "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = words_env(env, names[i]);

		if (value && *value)
			return strcmp(value, "POSIX") == 0 ? "C" : value;
	}
	return "C";
}

static void ask_variables(FILE *out, char *const *env)
{
	static const char *const names[] = {"JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS",
					    "_JAVA_OPTIONS", "CLASSPATH"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = words_env(env, names[i]);

		if (value)
			ask(out, names[i], value);
	}
	/* What encodings and the default locale come from (java_props_md.c, ParseLocale). */
	ask(out, "LC_CTYPE", locale_of(env, "LC_CTYPE"));
	ask(out, "LC_MESSAGES", locale_of(env, "LC_MESSAGES"));
}

static int write_question(const struct settings *settings, const struct java_command *command,
			  const char *cwd, char *const *env, char **ret_text)
{
	static const char *const modes[] = {"none", "jar", "class", "module", "source"};
	char *text = NULL, uid[16];
	size_t size;
	int r;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	snprintf(uid, sizeof(uid), "%u", geteuid());
	ask(out, "key", KEY_VERSION);
	ask(out, "uid", uid);
	ask(out, "jdk", command->jdk.home);
	ask(out, "folder", cwd);
	ask(out, "cpu", cpu_names[settings->cpu]);
	for (size_t i = 0; i < settings->n_labels; i++)
		ask(out, "label", settings->labels[i]);
	ask_variables(out, env);
	ask_list(out, "option", command->options, command->n_options);
	ask_list(out, "module-path", command->module_path, command->n_module_path);
	ask_list(out, "class-path", command->class_path, command->n_class_path);
	ask(out, modes[command->mode], command->program);
	ask_list(out, "argument", command->args, command->n_args);
	r = text_stream_end(out, &text);
	*ret_text = text;
	return r;
}

static void hash_question(const char *question, char ret_key[KEY_HEX_SIZE])
{
	XXH128_hash_t hash = XXH3_128bits(question, strlen(question));

	snprintf(ret_key, KEY_HEX_SIZE, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
		 (uint64_t)hash.low64);
}

static int add_fact(struct key_facts *facts, const char *name, const char *value,
		    struct jsnap_error *err)
{
	struct key_fact *grown, fact;

	for (size_t i = 0; i < facts->n_facts; i++)
		if (strcmp(facts->facts[i].name, name) == 0)
			return 0;
	if (facts->n_facts == KEY_MAX_FACTS)
		return error_set(err, E2BIG, "the class path has more than %u entries",
				 KEY_MAX_FACTS);
	grown = reallocarray(facts->facts, facts->n_facts + 1, sizeof(*grown));
	if (grown)
		facts->facts = grown;
	fact = (struct key_fact){strdup(name), strdup(value)};
	if (!grown || !fact.name || !fact.value) {
		free(fact.name);
		free(fact.value);
		return error_set(err, ENOMEM, "out of memory");
	}
	facts->facts[facts->n_facts++] = fact;
	return 0;
}

static int add_path(struct key_facts *facts, const char *cwd, const char *path, size_t length,
		    struct jsnap_error *err)
{
	CLEANUP_FREE char *name = NULL;
	char value[PATH_FACT_SIZE];
	bool absolute = path[0] == '/';
	int r;

	if (asprintf(&name, "path:%s%s%.*s", absolute ? "" : cwd, absolute ? "" : "/", (int)length,
		     path) < 0) {
		name = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	r = path_fact(name + strlen("path:"), value, err);
	return r < 0 ? r : add_fact(facts, name, value, err);
}

static int add_paths(struct key_facts *facts, const char *cwd, char *const *paths, size_t n,
		     struct jsnap_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_path(facts, cwd, paths[i], strlen(paths[i]), err);
	return r;
}

/* Files that JVM options bring into the process. */
static int add_option_paths(struct key_facts *facts, const char *cwd, const char *option,
			    struct jsnap_error *err)
{
	static const struct {
		const char *prefix, *ends; /* ends: characters behind the path */
		bool many, named;	   /* named: NAME= stands before the paths */
	} kinds[] = {
		{"-javaagent:", "=", false, false},
		{"-agentpath:", "=", false, false},
		{"-Xbootclasspath/a:", ":", true, false},
		{"--patch-module=", ":", true, true},
		{"-XX:SharedArchiveFile=", ":", true, false},
		{"-XX:VMOptionsFile=", "", false, false},
		{"-XX:Flags=", "", false, false},
		{"-XX:AOTCache=", "", false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *path = option + strlen(kinds[i].prefix);

		if (strncmp(option, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
			continue;
		if (kinds[i].named)
			path += strcspn(path, "=") + (strchr(path, '=') != NULL);
		for (;;) {
			size_t n = strcspn(path, kinds[i].ends);
			int r = n ? add_path(facts, cwd, path, n, err) : 0;

			if (r < 0 || !kinds[i].many || !path[n])
				return r;
			path += n + 1;
		}
	}
	return 0;
}

/* Such options in a variable that the VM itself reads: words with quotes (JDK: arguments.cpp,
 * parse_options_buffer). */
static int add_variable_paths(struct key_facts *facts, const char *cwd, const char *value,
			      struct jsnap_error *err)
{
	static const char blanks[] = " \t\n\v\f\r";
	CLEANUP_FREE char *word = malloc(strlen(value) + 1);
	int r = 0;

	if (!word)
		return error_set(err, ENOMEM, "out of memory");
	while (r == 0 && *(value += strspn(value, blanks))) {
		size_t n = 0;
		char quote = 0;

		for (; *value && (quote || !strchr(blanks, *value)); value++) {
			if (quote ? *value == quote : *value == '\'' || *value == '"')
				quote = quote ? 0 : *value;
			else
				word[n++] = *value;
		}
		word[n] = '\0';
		r = add_option_paths(facts, cwd, word, err);
	}
	return r;
}

static int add_jdk(struct key_facts *facts, const struct java_jdk *jdk, const char *cwd,
		   struct jsnap_error *err)
{
	CLEANUP_FREE char *value = NULL;
	int r;

	if (asprintf(&value, "%s %s", jdk->version, jdk->vendor) < 0) {
		value = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	r = add_fact(facts, "jdk", value, err);
	if (r == 0)
		r = add_path(facts, cwd, jdk->libjvm.path, strlen(jdk->libjvm.path), err);
	if (r == 0)
		r = add_path(facts, cwd, jdk->modules.path, strlen(jdk->modules.path), err);
	return r;
}

static int add_facts(struct key_facts *facts, const struct java_command *c, const char *cwd,
		     char *const *env, struct jsnap_error *err)
{
	static const char *const variables[] = {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"};
	int r = add_jdk(facts, &c->jdk, cwd, err);

	if (r == 0 && c->mode == JAVA_MODE_SOURCE)
		r = add_path(facts, cwd, c->program, strlen(c->program), err);
	if (r == 0)
		r = add_paths(facts, cwd, c->class_path, c->n_class_path, err);
	if (r == 0)
		r = add_paths(facts, cwd, c->module_path, c->n_module_path, err);
	for (size_t i = 0; r == 0 && i < c->n_options; i++) {
		CLEANUP_FREE char *joined = NULL;
		const char *option = c->options[i];

		/* the launcher takes its value as a word of its own too */
		if (strcmp(option, "--patch-module") == 0 && i + 1 < c->n_options) {
			if (asprintf(&joined, "%s=%s", option, c->options[++i]) < 0) {
				joined = NULL;
				return error_set(err, ENOMEM, "out of memory");
			}
			option = joined;
		}
		r = add_option_paths(facts, cwd, option, err);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(variables); i++) {
		const char *value = words_env(env, variables[i]);

		r = value ? add_variable_paths(facts, cwd, value, err) : 0;
	}
	return r;
}

int key_collect(const struct settings *settings, const struct java_command *command,
		const char *cwd, char *const *env, struct key_facts *ret_facts,
		struct jsnap_error *err)
{
	CLEANUP_KEY_FACTS struct key_facts facts = {0};
	char name[STORE_MAX_NAME + 1];
	int r;

	store_name(command->name, name);
	facts.name = strdup(name);
	if (!facts.name || write_question(settings, command, cwd, env, &facts.question) < 0)
		return error_set(err, ENOMEM, "out of memory");
	hash_question(facts.question, facts.key);
	r = add_facts(&facts, command, cwd, env, err);
	if (r < 0)
		return r;
	*ret_facts = facts;
	facts = (struct key_facts){0};
	return 0;
}

void key_facts_free(struct key_facts *facts)
{
	for (size_t i = 0; i < facts->n_facts; i++) {
		free(facts->facts[i].name);
		free(facts->facts[i].value);
	}
	free(facts->facts);
	free(facts->name);
	free(facts->question);
	*facts = (struct key_facts){0};
}
