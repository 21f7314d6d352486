/* See fd_policy.h. */
#include "launcher/policy/fd_policy.h"

#include "base/cleanup.h"
#include "launcher/policy/glob.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BIT(kind) (1u << CHECKPOINT_FD_##kind)
#define FD_MAX	  (1 << 30)

static const struct {
	const char *word;
	unsigned kinds;
} KINDS[] = {
	{"file", BIT(FILE)}, {"pipe", BIT(PIPE)}, {"tcp", BIT(TCP)},	 {"listen", BIT(LISTENER)},
	{"udp", BIT(UDP)},   {"unix", BIT(UNIX)}, {"other", BIT(OTHER)}, {"fd", ~0u},
};

static const struct {
	const char *word;
	enum checkpoint_action action;
} ACTIONS[] = {
	{"carry", CHECKPOINT_CARRY}, {"end", CHECKPOINT_END},	   {"reopen", CHECKPOINT_REOPEN},
	{"close", CHECKPOINT_CLOSE}, {"error", CHECKPOINT_REFUSE}, {"keep", CHECKPOINT_KEEP},
};

static int bad(const char *text, struct jsnap_error *err, const char *why)
{
	return error_set(err, EINVAL, "\"%s\" is no rule KIND[:PATTERN]=ACTION: %s", text, why);
}

static bool find_kinds(const char *word, size_t size, unsigned *ret_kinds)
{
	for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
		if (strlen(KINDS[i].word) == size && memcmp(KINDS[i].word, word, size) == 0) {
			*ret_kinds = KINDS[i].kinds;
			return true;
		}
	return false;
}

static bool find_action(const char *word, enum checkpoint_action *ret_action)
{
	for (size_t i = 0; i < ARRAY_SIZE(ACTIONS); i++)
		if (strcmp(ACTIONS[i].word, word) == 0) {
			*ret_action = ACTIONS[i].action;
			return true;
		}
	return false;
}

static int parse_pattern(const char *text, const char *from, size_t size, struct fd_rule *rule,
			 struct jsnap_error *err)
{
	CLEANUP_FREE char *pattern = strndup(from, size);
	char *end;
	long fd;

	if (!pattern)
		return error_set(err, ENOMEM, "out of memory");
	if (rule->kinds == ~0u) {
		fd = strtol(pattern, &end, 10);
		if (!*pattern || *end || fd < 0 || fd > FD_MAX)
			return bad(text, err, "behind fd: comes its number");
		rule->fd = (int)fd;
		return 0;
	}
	if (!*pattern || !glob_valid(pattern))
		return bad(text, err, "its pattern is empty, too long or left open");
	if (rule->kinds == BIT(FILE) || rule->kinds == BIT(OTHER))
		rule->name = STEAL_PTR(pattern);
	else if (rule->kinds == BIT(PIPE))
		return bad(text, err, "a pipe has no name");
	else
		rule->either = STEAL_PTR(pattern);
	return 0;
}

int fd_policy_parse(const char *text, struct fd_rule *ret_rule, struct jsnap_error *err)
{
	struct fd_rule rule = {.fd = -1};
	const char *equals = strrchr(text, '=');
	const char *colon = strchr(text, ':');
	int r = 0;

	if (!equals)
		return bad(text, err, "there is no =");
	if (colon > equals)
		colon = NULL;
	if (!find_kinds(text, (size_t)((colon ? colon : equals) - text), &rule.kinds))
		return bad(text, err, "KIND is file, pipe, tcp, listen, udp, unix, other or fd");
	if (!find_action(equals + 1, &rule.action))
		return bad(text, err, "ACTION is carry, end, reopen, keep, close or error");
	if (colon)
		r = parse_pattern(text, colon + 1, (size_t)(equals - colon - 1), &rule, err);
	else if (rule.kinds == ~0u)
		r = bad(text, err, "behind fd: comes its number");
	if (r < 0) {
		fd_rule_free(&rule);
		return r;
	}
	*ret_rule = rule;
	return 0;
}

void fd_rule_free(struct fd_rule *rule)
{
	char **const owned[] = {&rule->name,	   &rule->either,	  &rule->local_address,
				&rule->local_port, &rule->remote_address, &rule->remote_port};

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		free(*owned[i]);
		*owned[i] = NULL;
	}
	if (rule->regex)
		regfree(rule->regex);
	free(rule->regex);
	rule->regex = NULL;
}

void fd_policy_free(struct fd_policy *policy)
{
	for (size_t i = 0; i < policy->count; i++)
		fd_rule_free(&policy->rules[i]);
	for (size_t i = 0; i < policy->n_spared; i++)
		free(policy->spared[i]);
	free(policy->rules);
	free(policy->spared);
	*policy = (struct fd_policy){0};
}

int fd_policy_add(struct fd_policy *policy, struct fd_rule *rule, struct jsnap_error *err)
{
	struct fd_rule *grown = NULL;
	bool full = policy->count == FD_POLICY_MAX;

	if (!full)
		grown = reallocarray(policy->rules, policy->count + 1, sizeof(*grown));
	if (!grown) {
		fd_rule_free(rule);
		return full ? error_set(err, E2BIG, "more than %u rules for descriptors",
					FD_POLICY_MAX)
			    : error_set(err, ENOMEM, "out of memory");
	}
	policy->rules = grown;
	policy->rules[policy->count++] = *rule;
	return 0;
}

int fd_policy_spare(struct fd_policy *policy, const char *path, bool below, struct jsnap_error *err)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	CLEANUP_FREE char *kept = NULL;
	char **grown;

	if (!real)
		return 0;
	if (asprintf(&kept, "%s%s", real, below ? "/" : "") < 0) {
		kept = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	grown = reallocarray(policy->spared, policy->n_spared + 1, sizeof(*grown));
	if (!grown)
		return error_set(err, ENOMEM, "out of memory");
	policy->spared = grown;
	grown[policy->n_spared++] = STEAL_PTR(kept);
	return 0;
}

/* One end of a socket in words. */
struct end {
	int family; /* 0: none */
	char host[INET6_ADDRSTRLEN], port[8];
	char whole[sizeof(((struct sockaddr_un *)0)->sun_path) + INET6_ADDRSTRLEN + 16];
};

static void put_inet(struct end *end, int family, const void *address, in_port_t port)
{
	end->family = family;
	inet_ntop(family, address, end->host, sizeof(end->host));
	snprintf(end->port, sizeof(end->port), "%u", ntohs(port));
	snprintf(end->whole, sizeof(end->whole), family == AF_INET ? "%s:%s" : "[%s]:%s", end->host,
		 end->port);
}

/* Java shows a mapped IPv4 address as IPv4, and so do rules. */
static void describe(const void *address, uint32_t size, struct end *ret_end)
{
	union {
		sa_family_t family;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} a = {0};

	memset(ret_end, 0, sizeof(*ret_end));
	if (!address || size < sizeof(a.family) || size > sizeof(a))
		return;
	memcpy(&a, address, size);
	if (a.family == AF_INET) {
		put_inet(ret_end, AF_INET, &a.in.sin_addr, a.in.sin_port);
	} else if (a.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) {
		put_inet(ret_end, AF_INET, &a.in6.sin6_addr.s6_addr[12], a.in6.sin6_port);
	} else if (a.family == AF_INET6) {
		put_inet(ret_end, AF_INET6, &a.in6.sin6_addr, a.in6.sin6_port);
	} else if (a.family == AF_UNIX) {
		size_t length = size > offsetof(struct sockaddr_un, sun_path)
					? size - offsetof(struct sockaddr_un, sun_path)
					: 0;

		ret_end->family = AF_UNIX;
		/* An abstract name is written with @ in front, as ss(8) does. */
		snprintf(ret_end->whole, sizeof(ret_end->whole), "%s%.*s",
			 length && !a.un.sun_path[0] ? "@" : "",
			 (int)(length && !a.un.sun_path[0] ? length - 1 : length),
			 a.un.sun_path + (length && !a.un.sun_path[0]));
	}
}

static bool fits(const char *pattern, const char *text)
{
	return !pattern || glob_match(pattern, text);
}

static bool fits_end(const char *address, const char *port, const struct end *end)
{
	if (!address && !port)
		return true;
	if (!end->family)
		return false;
	if (end->family == AF_UNIX)
		return fits(address, end->whole);
	return fits(address, end->host) && fits(port, end->port);
}

static bool fits_family(const struct fd_rule *rule, const struct end *local,
			const struct end *remote)
{
	int family = local->family ? local->family : remote->family;

	if (rule->inet)
		return family == AF_INET || family == AF_INET6;
	return !rule->family || rule->family == family;
}

static bool rule_fits(const struct fd_rule *rule, const struct checkpoint_fd *fd,
		      const struct end *local, const struct end *remote)
{
	bool connection = fd->kind == CHECKPOINT_FD_TCP || fd->kind == CHECKPOINT_FD_UNIX;

	if (!(rule->kinds & (1u << fd->kind)) || (rule->fd >= 0 && rule->fd != fd->fd))
		return false;
	if (!fits(rule->name, fd->name) || !fits_family(rule, local, remote))
		return false;
	if (!fits(rule->either, connection ? remote->whole : local->whole))
		return false;
	if (rule->regex && regexec(rule->regex, fd->name, 0, NULL, 0) != 0)
		return false;
	return fits_end(rule->local_address, rule->local_port, local) &&
	       fits_end(rule->remote_address, rule->remote_port, remote);
}

/* What unmodified applications can live with. */
static enum checkpoint_action default_action(const struct checkpoint_fd *fd)
{
	/* Written anew by their services all the time; whoever maps them looks for that. */
	static const char *const NAME_SERVICE[] = {"/var/cache/nscd/**", "/var/db/nscd/**",
						   "/run/nscd/**", "/var/lib/sss/mc/**"};

	switch (fd->kind) {
	case CHECKPOINT_FD_TCP:
	case CHECKPOINT_FD_PIPE:
		return CHECKPOINT_END;
	case CHECKPOINT_FD_UNIX:
		return CHECKPOINT_REOPEN;
	case CHECKPOINT_FD_FILE:
		for (size_t i = 0; i < ARRAY_SIZE(NAME_SERVICE); i++)
			if (glob_match(NAME_SERVICE[i], fd->name))
				return CHECKPOINT_REOPEN;
		/* A JVM removes the flight recordings it has not finished when it ends. */
		if ((fd->flags & O_ACCMODE) != O_RDONLY && glob_match("**/*.jfr", fd->name))
			return CHECKPOINT_KEEP;
		return CHECKPOINT_CARRY;
	default:
		return CHECKPOINT_CARRY;
	}
}

static const struct fd_rule *find_rule(const struct fd_policy *policy,
				       const struct checkpoint_fd *fd, const struct end *local,
				       const struct end *remote)
{
	for (size_t i = 0; i < policy->count; i++)
		if (rule_fits(&policy->rules[i], fd, local, remote))
			return &policy->rules[i];
	return NULL;
}

static bool is_spared(const struct fd_policy *policy, const struct fd_rule *rule,
		      const struct checkpoint_fd *fd)
{
	if (fd->kind != CHECKPOINT_FD_FILE || rule->fd >= 0 ||
	    (rule->name && strcmp(rule->name, fd->name) == 0))
		return false;
	for (size_t i = 0; i < policy->n_spared; i++) {
		const char *path = policy->spared[i];
		size_t n = strlen(path);

		if (path[n - 1] == '/' ? strncmp(path, fd->name, n) == 0
				       : strcmp(path, fd->name) == 0)
			return true;
	}
	return false;
}

bool fd_policy_may_refuse(const struct fd_policy *policy)
{
	for (size_t i = 0; i < policy->count; i++)
		if (!policy->rules[i].by_default && policy->rules[i].action == CHECKPOINT_REFUSE)
			return true;
	return policy->before && fd_policy_may_refuse(policy->before);
}

enum checkpoint_action fd_policy_decide(void *ctx, const struct checkpoint_fd *fd)
{
	struct fd_policy *policy = ctx;
	const struct fd_rule *rule = NULL;
	struct end local, remote;

	describe(fd->local, fd->local_size, &local);
	describe(fd->remote, fd->remote_size, &remote);
	if (policy->before)
		rule = find_rule(policy->before, fd, &local, &remote);
	if (!rule)
		rule = find_rule(policy, fd, &local, &remote);
	if (rule && is_spared(policy, rule, fd))
		rule = NULL;
	if (rule && !rule->by_default && rule->action == CHECKPOINT_REFUSE) {
		policy->refused = true;
		policy->refused_fd = fd->fd;
	}
	if (rule && !rule->by_default)
		return rule->action;
	return policy->defaults ? default_action(fd) : CHECKPOINT_CARRY;
}
