/* See warmup.h. */
#include "launcher/warm/warmup.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/warm/command.h"
#include "launcher/warm/host_name.h"
#include "launcher/report/log.h"
#include "launcher/warm/steady.h"

#include <string.h>

struct run {
	const struct warmup_options *options;
	const struct ready_target *target;
	uint64_t until_ns; /* the earlier of time limit and deadline; 0: none */
	struct warmup_result result;
};

/* Whom to listen to for the program's wish; NULL when nobody wants to know of it. */
static struct agent_client *asker(const struct run *run)
{
	return run->options->until_asked ? run->target->agent : NULL;
}

static bool is_asked(const struct run *run)
{
	return asker(run) && asker(run)->requested;
}

static const char *command_of(const char *step)
{
	return strncmp(step, "exec:", 5) == 0 ? step + 5 : NULL;
}

int warmup_check(const struct warmup_options *options, struct jsnap_error *err)
{
	for (size_t i = 0; i < options->n_steps; i++) {
		struct http_url url;

		if (!command_of(options->steps[i]) &&
		    http_url_parse(options->steps[i], &url, err) < 0)
			return error_context(err, "%s", options->what);
	}
	return 0;
}

/* Out of time: 1 when the warm-up was merely to end now, -ETIMEDOUT past the deadline. */
static int time_is_up(struct run *run, struct jsnap_error *err)
{
	uint64_t deadline = run->options->deadline_ns;

	if (deadline && monotonic_ns() >= deadline)
		return error_set(err, ETIMEDOUT, "it did not end in time");
	run->result.out_of_time = true;
	return 1;
}

#define WARMUP_PATIENCE_NS 5000000000ull
#define WARMUP_RETRY_NS	   50000000ull

/* What has been measured since the last round of steady.h. */
struct round {
	struct steady steady;
	uint64_t started_ns, requests, latency_ns; /* the sum of them */
	uint64_t compiles;			   /* of the program so far, at its start */
	bool level;
};

/* One URL's requests. */
struct burst {
	struct run *run;
	struct http_url url;
	uint64_t answered;
	uint64_t patient_until, retry_at; /* see try_again; 0: nothing to be patient about */
	struct round round;
	struct http_exchange exchange; /* the request under way, if its fd >= 0 */
	uint64_t started_ns, deadline_ns;
};

static bool wants_more(const struct burst *b)
{
	const struct warmup_options *o = b->run->options;

	return b->answered < o->requests || (o->steady && o->requests && !b->round.level);
}

/* A round that is long enough is judged. Only the agent knows of compilations. */
static int judge_round(struct burst *b, struct jsnap_error *err)
{
	struct round *r = &b->round;
	struct agent_status status = {0};
	uint64_t now = monotonic_ns();
	int rc;

	if (r->started_ns &&
	    (now - r->started_ns < STEADY_ROUND_NS || r->requests < STEADY_ROUND_REQUESTS))
		return 0;
	rc = agent_client_status(b->run->target->agent, &status, err);
	if (rc < 0)
		return rc;
	if (r->started_ns) {
		const struct steady_round round = {.elapsed_ns = now - r->started_ns,
						   .requests = r->requests,
						   .latency_ns = r->latency_ns / r->requests,
						   .compiles = status.compiles - r->compiles};

		r->level = steady_add(&r->steady, &round);
		log_debug("warm-up: %llu requests in %.2f s, %.2f ms each, %llu methods "
			  "compiled%s",
			  (unsigned long long)round.requests, (double)round.elapsed_ns / 1e9,
			  (double)round.latency_ns / 1e6, (unsigned long long)round.compiles,
			  r->level ? "; levelled off" : "");
	}
	r->started_ns = now;
	r->requests = r->latency_ns = 0;
	r->compiles = status.compiles;
	return 0;
}

static int next_request(struct burst *b, struct jsnap_error *err)
{
	uint64_t limit = b->run->options->answer_ns;
	int rc;

	if (b->exchange.fd >= 0 || monotonic_ns() < b->retry_at)
		return 0;
	rc = http_exchange_start(&b->exchange, &b->url, err);
	if (rc < 0)
		return rc;
	b->started_ns = monotonic_ns();
	b->deadline_ns = limit ? b->started_ns + limit : 0;
	return 0;
}

/*
 * A port listens before its server serves, and a busy server may drop a connection: as an HTTP
 * client does with a GET, the request is made again, every WARMUP_RETRY_NS, until
 * WARMUP_PATIENCE_NS have gone by without an answer. Before its first answer the program may not
 * listen yet (on a busy machine one that gets no processor looks quiet): it has an answer's time.
 */
static bool try_again(struct burst *b, int rc)
{
	uint64_t now = monotonic_ns(), patience = WARMUP_PATIENCE_NS;

	if (rc != -ECONNREFUSED && rc != -ECONNRESET && rc != -EPIPE)
		return false;
	if (rc == -ECONNREFUSED && !b->answered && b->run->options->answer_ns)
		patience = b->run->options->answer_ns;
	if (!b->patient_until)
		b->patient_until = now + patience;
	if (now >= b->patient_until)
		return false;
	b->retry_at = now + WARMUP_RETRY_NS;
	return true;
}

static int step(struct burst *b, struct jsnap_error *err)
{
	int rc = http_exchange_step(&b->exchange, err);

	if (rc < 0 && try_again(b, rc))
		return 0;
	if (rc <= 0)
		return rc;
	if (b->exchange.parser.status >= 400)
		return error_set(err, EREMOTEIO, "it answers with status %d",
				 b->exchange.parser.status);
	b->answered++;
	b->patient_until = 0;
	b->round.requests++;
	b->round.latency_ns += monotonic_ns() - b->started_ns;
	b->run->result.requests++;
	return 0;
}

/* When it is to end, as it stands; 0: not before the answer under way. */
static uint64_t end_of(const struct burst *b)
{
	return b->exchange.fd >= 0 && b->run->options->finish ? 0 : b->run->until_ns;
}

static int wait_answer(struct burst *b, struct jsnap_error *err)
{
	struct supervise *s = b->run->target->supervise;
	struct agent_client *agent = asker(b->run);
	struct pollfd fds[] = {
		{.fd = b->exchange.fd, .events = http_exchange_events(&b->exchange)},
		{.fd = agent ? agent->fd : -1, .events = POLLIN},
	};
	bool under_way = b->exchange.fd >= 0;
	uint64_t end = end_of(b), until = end, next = b->retry_at;
	int rc;

	if (under_way)
		next = b->deadline_ns;
	if (next && (!until || next < until))
		until = next;
	rc = supervise_wait(s, fds, ARRAY_SIZE(fds), until);
	if (rc < 0)
		return supervise_explain(s, rc, err);
	if (rc > 0 && fds[1].revents)
		agent_client_read(agent);
	if (rc > 0)
		return fds[0].revents ? step(b, err) : 0;
	if (end && monotonic_ns() >= end)
		return time_is_up(b->run, err);
	if (under_way)
		return error_set(err, ETIMEDOUT, "no answer within %g s",
				 (double)b->run->options->answer_ns / 1e9);
	return 0;
}

static int run_url(struct run *run, const char *text, struct jsnap_error *err)
{
	struct burst b = {.run = run};
	int rc = http_url_parse(text, &b.url, err);

	b.exchange.fd = -1;
	if (rc == 0)
		rc = host_name_look_up(run->target->supervise, &b.url, run->until_ns, err);
	while (rc == 0 && wants_more(&b) && !is_asked(run)) {
		uint64_t end = end_of(&b);

		log_progress("%s %s: %llu of %llu requests", run->options->what, text,
			     (unsigned long long)b.answered,
			     (unsigned long long)run->options->requests);
		if (end && monotonic_ns() >= end)
			rc = time_is_up(run, err);
		if (rc == 0 && run->options->steady)
			rc = judge_round(&b, err);
		if (rc == 0)
			rc = next_request(&b, err);
		if (rc == 0)
			rc = wait_answer(&b, err);
	}
	log_progress_end();
	http_exchange_close(&b.exchange);
	if (rc > 0 && !b.answered && !run->result.unanswered)
		run->result.unanswered = text;
	if (rc < 0 && rc != -ECHILD && rc != -ECANCELED)
		return error_context(err, "%s %s, request %llu", run->options->what, text,
				     (unsigned long long)b.answered + 1);
	return rc;
}

static int run_command(struct run *run, const char *text, struct jsnap_error *err)
{
	const struct ready_target *t = run->target;
	int status = 0;
	int rc = command_run(t->supervise, command_of(text), t->env, run->until_ns, &status, err);

	if (rc == -ETIMEDOUT)
		rc = time_is_up(run, err);
	if (rc == 0 && status)
		rc = error_set(err, EREMOTEIO, "it exits with status %d", status);
	if (rc < 0 && rc != -ECHILD && rc != -ECANCELED)
		return error_context(err, "%s %s", run->options->what, text);
	return rc;
}

int warmup_run(const struct warmup_options *options, const struct ready_target *target,
	       struct warmup_result *ret_result, struct jsnap_error *err)
{
	struct run run = {.options = options, .target = target, .until_ns = options->deadline_ns};
	int rc = 0;

	if (options->time_ns) {
		uint64_t end = monotonic_ns() + options->time_ns;

		if (!run.until_ns || end < run.until_ns)
			run.until_ns = end;
	}
	for (size_t i = 0; rc == 0 && i < options->n_steps && !is_asked(&run); i++) {
		if (!command_of(options->steps[i]))
			rc = run_url(&run, options->steps[i], err);
		else if (!options->pages_alone)
			rc = run_command(&run, options->steps[i], err);
	}
	if (rc < 0)
		return rc;
	*ret_result = run.result;
	return 0;
}
