/* See file.h. */
#include "conf/file.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "conf/nearest.h"

#include <ini.h>
#include <string.h>

/* inih cuts the name of a section to this without a word (ini.c, MAX_SECTION). */
#define SECTION_MAX 49u

struct reading {
	const char *next, *end;
	unsigned line;
	const char *path;
	enum conf_source source;
	struct conf_values *values;
	const struct conf_application *application;
	unsigned set_at[SCHEMA_COUNT];	 /* line of each key; 0: not yet */
	unsigned set_here[SCHEMA_COUNT]; /* in the section of an application */
	char here[SECTION_MAX + 1];	 /* that section */
	struct jsnap_error *err;
	int result; /* of the first handler call that failed */
};

/* fgets for inih. The buffer holds the whole file, so a line is never cut. */
static char *read_line(char *buffer, int size, void *stream)
{
	struct reading *reading = stream;
	size_t left = (size_t)(reading->end - reading->next), n;
	const char *newline = memchr(reading->next, '\n', left);

	if (left == 0 || size < 2)
		return NULL;
	n = newline ? (size_t)(newline - reading->next) + 1 : left;
	if (n > (size_t)size - 1)
		n = (size_t)size - 1;
	memcpy(buffer, reading->next, n);
	buffer[n] = '\0';
	reading->next += n;
	reading->line++;
	return buffer;
}

static int unknown_section(struct reading *reading, const char *where, const char *section)
{
	struct nearest nearest;

	nearest_begin(&nearest, section, strlen(section));
	for (const struct schema_section *s = schema_sections; s->name; s++)
		nearest_offer(&nearest, s->name);
	if (!*section)
		error_set(reading->err, EINVAL, "%s: a key in front of the first [section]", where);
	else
		error_set(reading->err, EINVAL, "%s: there is no section [%s]", where, section);
	if (nearest.best)
		error_hint(reading->err, "did you mean [%s]?", nearest.best);
	return -EINVAL;
}

static int unknown_key(struct reading *reading, const char *where, const char *section,
		       const char *key)
{
	struct nearest nearest;
	const char *elsewhere = NULL;

	nearest_begin(&nearest, key, strlen(key));
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];

		if (!option->key)
			continue;
		if (strcmp(option->section, section) == 0)
			nearest_offer(&nearest, option->key);
		else if (strcmp(option->key, key) == 0)
			elsewhere = option->section;
	}
	error_set(reading->err, EINVAL, "%s: there is no key \"%s\" in [%s]", where, key, section);
	if (elsewhere)
		error_hint(reading->err, "it belongs to [%s]", elsewhere);
	else if (nearest.best)
		error_hint(reading->err, "did you mean \"%s\"?", nearest.best);
	return -EINVAL;
}

static int set_option(struct reading *reading, const char *where, enum schema_id id,
		      const char *pattern, const char *value)
{
	const struct schema_option *option = &schema_options[id];
	unsigned *set_at = pattern ? reading->set_here : reading->set_at;

	if (set_at[id] && option->kind != SCHEMA_LIST)
		return error_set(reading->err, EINVAL, "%s: \"%s\" was set in line %u already",
				 where, option->key, set_at[id]);
	set_at[id] = reading->line;
	if (!pattern)
		return conf_set(reading->values, id, value, reading->source, where, reading->err);
	if (reading->application && reading->application->fits(reading->application->ctx, pattern))
		return conf_set(reading->values, id, value, reading->source + 1, where,
				reading->err);
	/* A mistake is one for whomever it is meant. */
	if (*value && conf_check(option, value, reading->err) < 0)
		return error_context(reading->err, "%s", where);
	return 0;
}

/* Splits "SECTION PATTERN" in place; NULL without a pattern. */
static const char *take_pattern(struct reading *reading, char *section)
{
	char *space = strchr(section, ' ');

	if (!space)
		return NULL;
	if (strcmp(reading->here, section) != 0) {
		memset(reading->set_here, 0, sizeof(reading->set_here));
		strcpy(reading->here, section);
	}
	*space = '\0';
	return space + 1 + strspn(space + 1, " ");
}

static int set_key(struct reading *reading, const char *where, const char *name, const char *key,
		   const char *value)
{
	const struct schema_section *s = schema_sections;
	char section[SECTION_MAX + 1];
	const char *pattern;

	snprintf(section, sizeof(section), "%s", name);
	pattern = take_pattern(reading, section);
	if (pattern && strlen(name) == SECTION_MAX)
		return error_set(reading->err, EINVAL,
				 "%s: the name of its section is longer than %u characters", where,
				 SECTION_MAX - 1);
	while (s->name && strcmp(s->name, section) != 0)
		s++;
	if (!s->name)
		return unknown_section(reading, where, section);
	for (unsigned i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *option = &schema_options[i];

		if (option->key && strcmp(option->section, section) == 0 &&
		    strcmp(option->key, key) == 0)
			return set_option(reading, where, (enum schema_id)i, pattern, value);
	}
	return unknown_key(reading, where, section, key);
}

static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	CLEANUP_FREE char *where = NULL;

	if (reading->result < 0)
		return 0;
	if (asprintf(&where, "%s:%u", reading->path, reading->line) < 0) {
		where = NULL;
		reading->result = error_set(reading->err, ENOMEM, "out of memory");
		return 0;
	}
	reading->result = set_key(reading, where, section, name, value ? value : "");
	return reading->result == 0;
}

static int inih_parse(struct reading *reading, size_t size)
{
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_max_line = (int)size + 3;
	ini_initial_alloc = (int)size + 3;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	ini_allow_multiline = true;
	ini_stop_on_first_error = true;
	return ini_parse_stream(read_line, reading, handle, reading);
}

int conf_parse(struct conf_values *values, const char *text, size_t size, const char *path,
	       enum conf_source source, const struct conf_application *application,
	       struct jsnap_error *err)
{
	struct jsnap_error own = {0};
	struct reading reading = {.next = text,
				  .end = text + size,
				  .path = path,
				  .source = source,
				  .values = values,
				  .application = application,
				  .err = err ? err : &own};
	int r;

	if (size > CONF_FILE_MAX)
		return error_set(err, EFBIG, "%s is longer than %u bytes", path, CONF_FILE_MAX);
	if (memchr(text, '\0', size))
		return error_set(err, EINVAL, "%s is not a text file: it has a NUL byte", path);
	r = inih_parse(&reading, size);
	if (reading.result < 0)
		return reading.result;
	if (r == -2)
		return error_set(err, ENOMEM, "%s: out of memory", path);
	if (r != 0)
		return error_set(err, EINVAL,
				 "%s:%d: neither a [section] nor KEY = VALUE nor a # comment", path,
				 r);
	return 0;
}

int conf_load_file(struct conf_values *values, const char *path, enum conf_source source,
		   const struct conf_application *application, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	int r = read_file(path, CONF_FILE_MAX, &text, &size);

	if (source != CONF_GIVEN_FILE && (r == -ENOENT || r == -ENOTDIR))
		return 0;
	if (r < 0) {
		errno = -r;
		return error_errno(err, "read configuration file %s", path);
	}
	return conf_parse(values, text, size, path, source, application, err);
}

int conf_user_path(char *const *env, char **ret_path, struct jsnap_error *err)
{
	const char *xdg = NULL, *home = NULL;
	char *path = NULL;
	int r = 0;

	for (; *env; env++) {
		if (strncmp(*env, "XDG_CONFIG_HOME=", 16) == 0)
			xdg = *env + 16;
		else if (strncmp(*env, "HOME=", 5) == 0)
			home = *env + 5;
	}
	/* the XDG base directory specification has relative paths ignored */
	if (xdg && *xdg == '/')
		r = asprintf(&path, "%s/jsnap/jsnap.ini", xdg);
	else if (home && *home)
		r = asprintf(&path, "%s/.config/jsnap/jsnap.ini", home);
	if (r < 0)
		return error_set(err, ENOMEM, "out of memory");
	*ret_path = path;
	return 0;
}
