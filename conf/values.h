/*
 * The options' values as text, each with its source. Sources may be added in any order: a higher
 * one replaces what a lower one said, whole lists included.
 */
#ifndef JSNAP_CONF_VALUES_H
#define JSNAP_CONF_VALUES_H

#include "conf/schema.h"

#include <stdio.h>

#define CONF_MAX_ITEMS 4096u /* of one list */

enum conf_source { /* lowest first */
		   CONF_DEFAULT,
		   CONF_SYSTEM_FILE,
		   CONF_SYSTEM_APPLICATION, /* a section of that file for one application */
		   CONF_USER_FILE,
		   CONF_USER_APPLICATION,
		   CONF_GIVEN_FILE,
		   CONF_GIVEN_APPLICATION,
		   CONF_VARIABLE,
		   CONF_OPTION,
};

struct conf_value {
	char **items; /* owned; n_items is 0 or 1 unless the option is a list */
	size_t n_items;
	enum conf_source source;
	char *where; /* "--tids", "JSNAP_TIDS", "/etc/jsnap/jsnap.ini:7"; NULL for a default */
};

struct conf_values {
	struct conf_value values[SCHEMA_COUNT];
};

/* Every option at its default. */
int conf_init(struct conf_values *ret_values, struct jsnap_error *err);
/* Puts the verb's own defaults where nothing else has spoken. */
int conf_verb_defaults(struct conf_values *values, unsigned verb, struct jsnap_error *err);
void conf_free(struct conf_values *values);
#define CLEANUP_CONF __attribute__((cleanup(conf_free)))

/*
 * Checks `text` and sets the option, appends to its list, or does nothing when a higher source has
 * spoken. A list item "" empties the list. -EINVAL names `where`.
 */
int conf_set(struct conf_values *values, enum schema_id id, const char *text,
	     enum conf_source source, const char *where, struct jsnap_error *err);

/* 0, or -EINVAL with what is wrong: the option's kind, range, values and form. */
int conf_check(const struct schema_option *option, const char *text, struct jsnap_error *err);

/* The JSNAP_* variables of `env`. An empty variable counts as unset; several items of a list are
 * separated by newlines. */
int conf_load_env(struct conf_values *values, char *const *env, struct jsnap_error *err);

/* Typed access to values that conf_set has checked. */
const char *conf_text(const struct conf_values *values, enum schema_id id); /* NULL when unset */
bool conf_bool(const struct conf_values *values, enum schema_id id);
uint64_t conf_number(const struct conf_values *values, enum schema_id id); /* ns, bytes; 0: unset */
unsigned conf_enum(const struct conf_values *values, enum schema_id id);   /* index into values */

/* --print-config: NAME = VALUE and where from, a line for each item, for options of ini files. */
void conf_print(const struct conf_values *values, FILE *out);

#endif
