/* The conditions of ready.h: their words, and waiting for all of them. */
#include "launcher/warm/ready.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/report/log.h"
#include "launcher/warm/ready_probe.h"

#include <string.h>

static const struct {
	const char *prefix;
	enum ready_kind kind;
	bool whole; /* the prefix is the whole word */
} forms[] = {
	{"auto", READY_AUTO, true},	{"api", READY_API, true},   {"tcp:", READY_TCP, false},
	{"http://", READY_HTTP, false}, {"log:", READY_LOG, false}, {"file:", READY_FILE, false},
	{"exec:", READY_EXEC, false},
};

static int parse_port(const char *text, uint16_t *ret_port, struct jsnap_error *err)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < 1 || value > 65535)
		return error_set(err, EINVAL, "'%s' is not a port from 1 to 65535", text);
	*ret_port = (uint16_t)value;
	return 0;
}

static int parse_word(struct ready *ready, struct ready_condition *c, struct jsnap_error *err)
{
	if (c->kind == READY_TCP)
		return parse_port(c->word, &c->port, err);
	if (c->kind == READY_HTTP)
		return http_url_parse(c->text, &c->url, err);
	if (!*c->word && c->kind != READY_AUTO && c->kind != READY_API)
		return error_set(err, EINVAL, "nothing follows the colon");
	if (c->kind != READY_LOG)
		return 0;
	if (ready->n_patterns == RELAY_MAX_PATTERNS)
		return error_set(err, E2BIG, "at most %u log:REGEX conditions", RELAY_MAX_PATTERNS);
	c->pattern = ready->n_patterns;
	ready->patterns[ready->n_patterns++] = c->word;
	return 0;
}

static int parse_one(struct ready *ready, const char *text, struct ready_condition *c,
		     struct jsnap_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t length = strlen(forms[i].prefix);

		if (strncmp(text, forms[i].prefix, length) != 0 || (forms[i].whole && text[length]))
			continue;
		*c = (struct ready_condition){
			.kind = forms[i].kind, .text = text, .word = text + length};
		return parse_word(ready, c, err);
	}
	return error_set(
		err, EINVAL,
		"it is none of auto, tcp:PORT, http://..., log:REGEX, file:PATH, exec:CMD, "
		"api");
}

int ready_parse(const char *const *texts, size_t n, struct ready *ret_ready,
		struct jsnap_error *err)
{
	CLEANUP_READY struct ready ready = {0};

	if (n > READY_MAX_CONDITIONS)
		return error_set(err, E2BIG, "more than %u --ready conditions",
				 READY_MAX_CONDITIONS);
	ready.conditions = calloc(n ? n : 1, sizeof(*ready.conditions));
	if (!ready.conditions)
		return error_set(err, ENOMEM, "no memory for the --ready conditions");
	for (size_t i = 0; i < n; i++) {
		int rc = parse_one(&ready, texts[i], &ready.conditions[i], err);

		if (rc < 0)
			return error_context(err, "--ready %s", texts[i]);
		ready.count++;
	}
	*ret_ready = ready;
	ready = (struct ready){0};
	return 0;
}

void ready_free(struct ready *ready)
{
	free(ready->conditions);
	memset(ready, 0, sizeof(*ready));
}

/* Waits a probe's interval, or until the agent or the relay has news. */
static int wait_news(const struct ready_target *t, uint64_t deadline_ns)
{
	struct pollfd fds[2] = {
		{.fd = t->agent ? t->agent->fd : -1, .events = POLLIN},
		{.fd = t->relay && t->relay->pid ? t->relay->report_fd : -1, .events = POLLIN},
	};
	uint64_t until = monotonic_ns() + QUIET_INTERVAL_NS;
	int rc;

	if (deadline_ns && until > deadline_ns)
		until = deadline_ns;
	rc = supervise_wait(t->supervise, fds, 2, until);
	if (rc > 0 && fds[0].revents)
		agent_client_read(t->agent);
	if (rc > 0 && fds[1].revents)
		relay_read(t->relay);
	return rc < 0 ? rc : 0;
}

static int wait_one(const struct ready_condition *c, const struct ready_target *t,
		    uint64_t deadline_ns, struct jsnap_error *err)
{
	struct ready_probe probe = {.condition = c, .target = t, .deadline_ns = deadline_ns};
	int rc;

	for (;;) {
		if (t->agent && t->agent->requested)
			return 0;
		rc = ready_probe_ask(&probe, err);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		log_progress("waiting until it is ready (%s: %s)", c->text, probe.missing);
		if (deadline_ns && monotonic_ns() >= deadline_ns)
			return error_set(err, ETIMEDOUT,
					 "the program was not ready in time (%s: %s)", c->text,
					 probe.missing);
		rc = wait_news(t, deadline_ns);
		if (rc < 0)
			return supervise_explain(t->supervise, rc, err);
	}
}

int ready_wait(const struct ready *ready, const struct ready_target *target, uint64_t deadline_ns,
	       struct jsnap_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ready->count; i++)
		rc = wait_one(&ready->conditions[i], target, deadline_ns, err);
	log_progress_end();
	return rc < 0 ? rc : 0;
}

int ready_wait_quiet(const struct ready_target *target, uint64_t deadline_ns,
		     struct jsnap_error *err)
{
	struct ready_condition c = {.kind = READY_AUTO, .text = "quiet", .word = ""};
	struct ready_probe probe = {.condition = &c, .target = target, .quiet_only = true};

	for (;;) {
		int rc = ready_probe_ask(&probe, err);

		if (rc != 0)
			return rc < 0 ? rc : 0;
		if (deadline_ns && monotonic_ns() >= deadline_ns)
			return error_set(err, ETIMEDOUT, "%s", probe.missing);
		rc = wait_news(target, deadline_ns);
		if (rc < 0)
			return supervise_explain(target->supervise, rc, err);
	}
}
