/* See key.h: facts in a manifest, and whether they still hold. */
#include "launcher/key/key.h"

#include "base/cleanup.h"
#include "launcher/key/path_fact.h"

#include <string.h>

#define FACT "fact." /* in front of a fact in a note's key */
#define PATH "path:" /* in front of a path in a fact's name */

static bool is_path(const char *name)
{
	return strncmp(name, PATH, strlen(PATH)) == 0;
}

const char *key_fact_path(const struct key_fact *fact)
{
	return is_path(fact->name) ? fact->name + strlen(PATH) : NULL;
}

static int store_fact(const struct key_fact *fact, struct manifest *m, struct jsnap_error *err)
{
	CLEANUP_FREE char *name = NULL;
	char value[PATH_FACT_SIZE];

	if (asprintf(&name, FACT "%s", fact->name) < 0) {
		name = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	if (!is_path(fact->name))
		return manifest_set_note(m, name, fact->value, err);
	snprintf(value, sizeof(value), "%s", fact->value);
	path_fact_print(fact->name + strlen(PATH), value);
	return manifest_set_note(m, name, value, err);
}

/* Whether what was told of `name` then is true now. */
static bool holds(const char *name, const char *then, const char *now)
{
	return is_path(name) ? path_fact_holds(name + strlen(PATH), then, now)
			     : strcmp(then, now) == 0;
}

int key_store(const struct key_facts *facts, struct manifest *m, struct jsnap_error *err)
{
	int r = manifest_set_note(m, "key", facts->key, err);

	if (r == 0)
		r = manifest_set_note(m, "name", facts->name, err);
	if (r == 0)
		r = manifest_set_note(m, "question", facts->question, err);
	for (size_t i = 0; r == 0 && i < facts->n_facts; i++) {
		r = store_fact(&facts->facts[i], m, err);
	}
	return r;
}

/* The name a reason gives a fact: a file's last component, or words. */
static const char *shown(const char *name)
{
	const char *slash = strrchr(name, '/');

	if (is_path(name))
		return slash && slash[1] ? slash + 1 : name + strlen(PATH);
	return strcmp(name, "jdk") == 0 ? "the JDK" : name;
}

static void tell_difference(const char *name, const char *then, const char *now, char *reason,
			    size_t size)
{
	char words[320];

	if (is_path(name))
		path_fact_difference(then, now, words, sizeof(words));
	else
		snprintf(words, sizeof(words), "changed (%.128s -> %.128s)", then, now);
	snprintf(reason, size, "%s %s", shown(name), words);
}

static bool has_fact(const struct key_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->n_facts; i++)
		if (strcmp(facts->facts[i].name, name) == 0)
			return true;
	return false;
}

bool key_vouches(const struct manifest *m, const char *path)
{
	CLEANUP_FREE char *name = NULL;
	char now[PATH_FACT_SIZE];
	const char *then;

	if (asprintf(&name, FACT PATH "%s", path) < 0) {
		name = NULL;
		return false;
	}
	then = manifest_note(m, name);
	return then && path_fact(path, now, NULL) == 0 && path_fact_holds(path, then, now);
}

int key_compare(const struct manifest *m, const struct key_facts *today, char *reason, size_t size)
{
	const char *key = manifest_note(m, "key");

	if (*today->key && (!key || strcmp(key, today->key) != 0)) {
		snprintf(reason, size, "the snapshot is of another command line");
		return 1;
	}
	for (size_t i = 0; i < today->n_facts; i++) {
		const struct key_fact *fact = &today->facts[i];
		CLEANUP_FREE char *name = NULL;
		const char *then;

		if (asprintf(&name, FACT "%s", fact->name) < 0) {
			name = NULL;
			snprintf(reason, size, "out of memory");
			return 1;
		}
		then = manifest_note(m, name);
		if (then && holds(fact->name, then, fact->value))
			continue;
		if (then)
			tell_difference(fact->name, then, fact->value, reason, size);
		else
			snprintf(reason, size, "%s is new", shown(fact->name));
		return 1;
	}
	for (uint32_t i = 0; i < m->n_notes; i++) {
		const char *name = manifest_str(m, m->notes[i].key);

		if (strncmp(name, FACT, strlen(FACT)) != 0 || has_fact(today, name + strlen(FACT)))
			continue;
		snprintf(reason, size, "%s is not used any more", shown(name + strlen(FACT)));
		return 1;
	}
	return 0;
}

/* 0, or 1 with the reason. */
static int recheck_fact(const char *name, const char *then, char *reason, size_t size)
{
	char path_value[PATH_FACT_SIZE];
	const char *now = then;
	struct jsnap_error err;

	if (is_path(name)) {
		if (path_fact(name + strlen(PATH), path_value, &err) < 0) {
			snprintf(reason, size, "%s", err.text);
			return 1;
		}
		now = path_value;
	}
	if (holds(name, then, now))
		return 0;
	tell_difference(name, then, now, reason, size);
	return 1;
}

int key_recheck(const struct manifest *m, char *reason, size_t size)
{
	for (uint32_t i = 0; i < m->n_notes; i++) {
		const char *name = manifest_str(m, m->notes[i].key);
		const char *then = manifest_str(m, m->notes[i].value);

		if (strncmp(name, FACT, strlen(FACT)) == 0 &&
		    recheck_fact(name + strlen(FACT), then, reason, size) != 0)
			return 1;
	}
	return 0;
}
