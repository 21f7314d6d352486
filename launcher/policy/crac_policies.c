/* See crac_policies.h. */
#include "launcher/policy/crac_policies.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "conf/form.h"
#include "launcher/policy/glob.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LINE_SIZE 2048u
#define PROPERTY  "-Djdk.crac.resource-policies="

enum type { TYPE_NONE, TYPE_FILE, TYPE_PIPE, TYPE_SOCKET, TYPE_DESCRIPTOR };

struct reading {
	struct fd_policy *policy;
	const char *name;
	unsigned line, rule_line;
	enum type type;
	char action[16];
	struct fd_rule rule;
	bool begun;
	struct jsnap_error *err;
};

static int bad(const struct reading *r, const char *what, const char *value)
{
	return error_set(r->err, EINVAL, "%s:%u: %s \"%.80s\"", r->name, r->line, what, value);
}

static int take(const struct reading *r, char **where, const char *pattern)
{
	if (!glob_valid(pattern))
		return bad(r, "a pattern that is too long or left open:", pattern);
	free(*where);
	*where = strdup(pattern);
	return *where ? 0 : error_set(r->err, ENOMEM, "out of memory");
}

/* As the kernel's address is written: a rule may write IPv6 at full length. */
static int take_address(const struct reading *r, char **where, const char *value)
{
	unsigned char address[16];
	char text[INET6_ADDRSTRLEN];

	if (strcmp(value, "localhost") == 0)
		value = "127.0.0.1";
	if (inet_pton(AF_INET6, value, address) == 1)
		value = inet_ntop(AF_INET6, address, text, sizeof(text));
	return take(r, where, value);
}

static int take_port(const struct reading *r, char **where, const char *value)
{
	if (strcmp(value, "*") != 0 &&
	    (strspn(value, "0123456789") != strlen(value) || atol(value) > 65535))
		return bad(r, "neither a port nor *:", value);
	return take(r, where, value);
}

static int take_type(struct reading *r, const char *value)
{
	static const struct {
		const char *word;
		enum type type;
	} types[] = {{"file", TYPE_FILE},
		     {"pipe", TYPE_PIPE},
		     {"socket", TYPE_SOCKET},
		     {"filedescriptor", TYPE_DESCRIPTOR}};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcasecmp(types[i].word, value) == 0) {
			r->type = types[i].type;
			return 0;
		}
	return bad(r, "the type is file, pipe, socket or filedescriptor, not", value);
}

static int take_family(struct reading *r, const char *value)
{
	static const struct {
		const char *words[2];
		int family;
	} families[] = {{{"ipv6", "inet6"}, AF_INET6},
			{{"ipv4", "inet4"}, AF_INET},
			{{"ip", "inet"}, AF_UNSPEC},
			{{"unix", "unix"}, AF_UNIX}};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (strcasecmp(families[i].words[0], value) == 0 ||
		    strcasecmp(families[i].words[1], value) == 0) {
			r->rule.family = families[i].family;
			r->rule.inet = families[i].family == AF_UNSPEC;
			return 0;
		}
	return bad(r, "the family is ipv4, ipv6, ip or unix, not", value);
}

static int take_regex(struct reading *r, const char *value)
{
	regex_t *regex = calloc(1, sizeof(*regex));

	if (!regex)
		return error_set(r->err, ENOMEM, "out of memory");
	if (strchr(value, '{') || form_regex(value, NULL) < 0 ||
	    regcomp(regex, value, REG_EXTENDED | REG_NOSUB) != 0) {
		free(regex);
		return bad(r, "not a regular expression (or one with {}):", value);
	}
	if (r->rule.regex)
		regfree(r->rule.regex);
	free(r->rule.regex);
	r->rule.regex = regex;
	return 0;
}

static int take_number(struct reading *r, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	if (!digits || value[digits] || digits > 9)
		return bad(r, "not the number of a descriptor:", value);
	r->rule.fd = atoi(value);
	return 0;
}

static int take_pair(struct reading *r, const char *key, const char *value)
{
	struct fd_rule *rule = &r->rule;

	if (!r->begun)
		r->rule_line = r->line;
	r->begun = true;
	if (strcasecmp(key, "type") == 0)
		return take_type(r, value);
	if (strcasecmp(key, "action") == 0) {
		snprintf(r->action, sizeof(r->action), "%s", value);
		return 0;
	}
	if (strcasecmp(key, "warn") == 0) /* jsnap does not warn */
		return 0;
	if (strcasecmp(key, "path") == 0)
		return take(r, &rule->name, value);
	if (strcasecmp(key, "family") == 0)
		return take_family(r, value);
	if (strcasecmp(key, "localAddress") == 0)
		return take_address(r, &rule->local_address, value);
	if (strcasecmp(key, "remoteAddress") == 0)
		return take_address(r, &rule->remote_address, value);
	if (strcasecmp(key, "localPort") == 0)
		return take_port(r, &rule->local_port, value);
	if (strcasecmp(key, "remotePort") == 0)
		return take_port(r, &rule->remote_port, value);
	if (strcasecmp(key, "localPath") == 0 || strcasecmp(key, "remotePath") == 0) {
		rule->family = AF_UNIX;
		return take(r,
			    *key == 'l' || *key == 'L' ? &rule->local_address
						       : &rule->remote_address,
			    value);
	}
	if (strcasecmp(key, "value") == 0)
		return take_number(r, value);
	if (strcasecmp(key, "regex") == 0)
		return take_regex(r, value);
	return bad(r, "there is no property", key);
}

static const unsigned connections = 1u << CHECKPOINT_FD_TCP | 1u << CHECKPOINT_FD_UNIX;

static unsigned kinds_of(enum type type)
{
	switch (type) {
	case TYPE_FILE:
		return 1u << CHECKPOINT_FD_FILE;
	case TYPE_PIPE:
		return 1u << CHECKPOINT_FD_PIPE;
	case TYPE_SOCKET:
		return connections | 1u << CHECKPOINT_FD_LISTENER | 1u << CHECKPOINT_FD_UDP;
	default:
		return ~0u;
	}
}

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* A copy for a part of the kinds, whose action is another. */
static int add_part(struct reading *r, unsigned kinds, enum checkpoint_action action)
{
	struct fd_rule part = r->rule;
	char **const texts[] = {&part.name, &part.local_address, &part.local_port,
				&part.remote_address, &part.remote_port};

	part.kinds = kinds;
	part.action = action;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = *texts[i];

		*texts[i] = text ? strdup(text) : NULL;
		if (!same_text(text, *texts[i])) {
			for (size_t k = i; k < ARRAY_SIZE(texts); k++)
				*texts[k] = NULL;
			part.regex = NULL;
			fd_rule_free(&part);
			return error_set(r->err, ENOMEM, "out of memory");
		}
	}
	/* Only rules for raw descriptors have one, and those are not divided. */
	r->rule.regex = NULL;
	return fd_policy_add(r->policy, &part, r->err);
}

static int add_rule(struct reading *r)
{
	unsigned kinds = kinds_of(r->type);
	bool divided = r->type == TYPE_SOCKET;
	int rc;

	if (strcasecmp(r->action, "error") == 0)
		return add_part(r, kinds, CHECKPOINT_REFUSE);
	if (strcasecmp(r->action, "ignore") == 0) {
		r->rule.by_default = true;
		return add_part(r, kinds, CHECKPOINT_CARRY);
	}
	if (strcasecmp(r->action, "close") == 0) {
		rc = divided ? add_part(r, connections, CHECKPOINT_END) : 0;
		return rc < 0 ? rc
			      : add_part(r, divided ? kinds & ~connections : kinds,
					 CHECKPOINT_CLOSE);
	}
	if (strcasecmp(r->action, "reopen") == 0 && r->type == TYPE_FILE)
		return add_part(r, kinds, CHECKPOINT_REOPEN);
	if (strcasecmp(r->action, "reopen") == 0 && divided) {
		rc = add_part(r, 1u << CHECKPOINT_FD_TCP, CHECKPOINT_END);
		return rc < 0 ? rc
			      : add_part(r, kinds & ~(1u << CHECKPOINT_FD_TCP), CHECKPOINT_REOPEN);
	}
	return error_set(r->err, EINVAL, "%s:%u: this type of rule has no action \"%s\"", r->name,
			 r->rule_line, r->action);
}

static int end_rule(struct reading *r)
{
	int rc = 0;

	if (r->begun && (r->type == TYPE_NONE || !*r->action))
		rc = error_set(r->err, EINVAL, "%s:%u: a rule needs both type and action", r->name,
			       r->rule_line);
	else if (r->begun)
		rc = add_rule(r);
	fd_rule_free(&r->rule);
	r->rule = (struct fd_rule){.fd = -1};
	r->type = TYPE_NONE;
	r->action[0] = '\0';
	r->begun = false;
	return rc;
}

static char *trim(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	/* A quoted value is YAML too. */
	if (n >= 2 && (*text == '"' || *text == '\'') && text[n - 1] == *text) {
		text[n - 1] = '\0';
		text++;
	}
	return text;
}

static int read_line(struct reading *r, char *line)
{
	char *colon;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	if (strcmp(line, "---") == 0)
		return end_rule(r);
	colon = strchr(line, ':');
	if (!colon)
		return bad(r, "neither KEY: VALUE nor --- nor a # comment:", line);
	*colon = '\0';
	return take_pair(r, trim(line), trim(colon + 1));
}

int crac_policies_parse(struct fd_policy *policy, const char *text, size_t size, const char *name,
			struct jsnap_error *err)
{
	struct reading r = {.policy = policy, .name = name, .rule = {.fd = -1}, .err = err};
	const char *end = text + size;
	int rc = 0;

	while (rc == 0 && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline ? newline : end) - text);
		char line[LINE_SIZE];

		r.line++;
		if (length >= sizeof(line) || memchr(text, '\0', length)) {
			rc = error_set(err, EINVAL, "%s:%u: a line that is no text or too long",
				       name, r.line);
			break;
		}
		memcpy(line, text, length);
		line[length] = '\0';
		rc = read_line(&r, line);
		text += length + 1;
	}
	if (rc == 0)
		rc = end_rule(&r);
	fd_rule_free(&r.rule);
	return rc;
}

int crac_policies_load(struct fd_policy *policy, const char *path, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int r = read_file(path, CRAC_POLICIES_MAX, &text, &size);

	if (r < 0)
		return error_set(err, -r, "read the file descriptor policies %s: %s", path,
				 strerror(-r));
	return crac_policies_parse(policy, text, size, path, err);
}

const char *crac_policies_property(char *const *java_argv)
{
	const char *found = NULL;

	for (; java_argv && *java_argv; java_argv++)
		if (strncmp(*java_argv, PROPERTY, strlen(PROPERTY)) == 0)
			found = *java_argv + strlen(PROPERTY);
	return found && *found ? found : NULL;
}
