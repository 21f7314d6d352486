/* See values.h. */
#include "conf/values.h"

#include "base/cleanup.h"
#include "conf/form.h"
#include "conf/nearest.h"

#include <assert.h>
#include <string.h>

static void value_clear(struct conf_value *value)
{
	for (size_t i = 0; i < value->n_items; i++)
		free(value->items[i]);
	free(value->items);
	free(value->where);
	*value = (struct conf_value){0};
}

void conf_free(struct conf_values *values)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++)
		value_clear(&values->values[i]);
}

static int value_append(struct conf_value *value, const char *text, struct jsnap_error *err)
{
	char **grown, *copy;

	if (value->n_items == CONF_MAX_ITEMS)
		return error_set(err, E2BIG, "more than %u values", CONF_MAX_ITEMS);
	grown = reallocarray(value->items, value->n_items + 1, sizeof(*grown));
	if (!grown)
		return error_set(err, ENOMEM, "out of memory");
	value->items = grown;
	copy = strdup(text);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	value->items[value->n_items++] = copy;
	return 0;
}

int conf_init(struct conf_values *ret_values, struct jsnap_error *err)
{
	struct conf_values values = {0};

	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const char *text = schema_options[i].fallback;

		if (*text && value_append(&values.values[i], text, err) < 0) {
			conf_free(&values);
			return -ENOMEM;
		}
	}
	*ret_values = values;
	return 0;
}

int conf_verb_defaults(struct conf_values *values, unsigned verb, struct jsnap_error *err)
{
	for (size_t i = 0; verb == SCHEMA_VERB_RESTORE && i < SCHEMA_COUNT; i++) {
		struct conf_value *value = &values->values[i];
		const char *text = schema_options[i].restore_fallback;

		if (!text || value->source != CONF_DEFAULT)
			continue;
		value_clear(value);
		if (value_append(value, text, err) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int check_enum(const struct schema_option *option, const char *text, struct jsnap_error *err)
{
	struct nearest nearest;
	char all[256] = "";

	nearest_begin(&nearest, text, strlen(text));
	for (const char *const *v = option->values; *v; v++) {
		size_t used = strlen(all);

		if (strcmp(*v, text) == 0)
			return 0;
		snprintf(all + used, sizeof(all) - used, "%s%s", used ? ", " : "", *v);
		nearest_offer(&nearest, *v);
	}
	error_set(err, EINVAL, "\"%s\" is none of %s", text, all);
	if (nearest.best)
		error_hint(err, "did you mean \"%s\"?", nearest.best);
	return -EINVAL;
}

int conf_check(const struct schema_option *option, const char *text, struct jsnap_error *err)
{
	uint64_t number;
	bool flag;

	switch (option->kind) {
	case SCHEMA_BOOL:
	case SCHEMA_FLAG:
		return form_bool(text, &flag, err);
	case SCHEMA_ENUM:
		return check_enum(option, text, err);
	case SCHEMA_DURATION:
		return form_duration(text, &number, err);
	case SCHEMA_INTEGER:
		return form_integer(text, option->min, option->max, &number, err);
	case SCHEMA_SIZE:
		return form_size(text, option->min, option->max, &number, err);
	case SCHEMA_STRING:
	case SCHEMA_LIST:
		break;
	}
	return option->check ? option->check(text, err) : 0;
}

int conf_set(struct conf_values *values, enum schema_id id, const char *text,
	     enum conf_source source, const char *where, struct jsnap_error *err)
{
	const struct schema_option *option = &schema_options[id];
	struct conf_value *value = &values->values[id];
	bool is_string = option->kind == SCHEMA_STRING || option->kind == SCHEMA_LIST;
	bool empty = is_string && !*text;

	/* a bad value is an error even where a higher source hides it */
	if (!empty && conf_check(option, text, err) < 0)
		return error_context(err, "%s", where);
	if (source < value->source)
		return 0;
	if (option->kind != SCHEMA_LIST || source > value->source || empty)
		value_clear(value);
	if (!empty && value_append(value, text, err) < 0)
		return error_context(err, "%s", where);
	value->source = source;
	free(value->where);
	value->where = strdup(where);
	return value->where ? 0 : error_set(err, ENOMEM, "out of memory");
}

static const char *env_find(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static int set_lines(struct conf_values *values, enum schema_id id, const char *text,
		     struct jsnap_error *err)
{
	CLEANUP_FREE char *lines = strdup(text);
	char *rest = lines, *line;

	if (!lines)
		return error_set(err, ENOMEM, "out of memory");
	while ((line = strsep(&rest, "\n"))) {
		int r = *line ? conf_set(values, id, line, CONF_VARIABLE,
					 schema_options[id].variable, err)
			      : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int conf_load_env(struct conf_values *values, char *const *env, struct jsnap_error *err)
{
	for (unsigned i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];
		const char *text = option->variable ? env_find(env, option->variable) : NULL;
		int r = 0;

		if (!text || !*text)
			continue;
		if (option->kind == SCHEMA_LIST)
			r = set_lines(values, (enum schema_id)i, text, err);
		else
			r = conf_set(values, (enum schema_id)i, text, CONF_VARIABLE,
				     option->variable, err);
		if (r < 0)
			return r;
	}
	return 0;
}

const char *conf_text(const struct conf_values *values, enum schema_id id)
{
	return values->values[id].n_items ? values->values[id].items[0] : NULL;
}

bool conf_bool(const struct conf_values *values, enum schema_id id)
{
	const char *text = conf_text(values, id);
	bool value = false;

	if (text)
		form_bool(text, &value, NULL);
	return value;
}

uint64_t conf_number(const struct conf_values *values, enum schema_id id)
{
	const struct schema_option *option = &schema_options[id];
	const char *text = conf_text(values, id);
	uint64_t value = 0;

	if (!text)
		return 0;
	if (option->kind == SCHEMA_DURATION)
		form_duration(text, &value, NULL);
	else if (option->kind == SCHEMA_SIZE)
		form_size(text, option->min, option->max, &value, NULL);
	else
		form_integer(text, option->min, option->max, &value, NULL);
	return value;
}

unsigned conf_enum(const struct conf_values *values, enum schema_id id)
{
	const char *text = conf_text(values, id);
	unsigned i = 0;

	assert(text && schema_options[id].kind == SCHEMA_ENUM);
	while (strcmp(schema_options[id].values[i], text) != 0)
		i++;
	return i;
}

void conf_print(const struct conf_values *values, FILE *out)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];
		const struct conf_value *value = &values->values[i];

		if (!option->key)
			continue;
		for (size_t k = 0; k < (value->n_items ? value->n_items : 1); k++)
			fprintf(out, "%-20s = %-24s # %s\n", option->name,
				value->n_items ? value->items[k] : "",
				value->where ? value->where : "default");
	}
}
