/* See ready_probe.h. */
#include "launcher/warm/ready_probe.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/warm/command.h"
#include "launcher/warm/host_name.h"
#include "launcher/warm/sockets.h"
#include "proc/status.h"

#include <string.h>

#define COMMAND_INTERVAL_NS 250000000ull
#define HTTP_TIMEOUT_NS	    10000000000ull

static int missing(struct ready_probe *probe, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int missing(struct ready_probe *probe, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(probe->missing, sizeof(probe->missing), fmt, ap);
	va_end(ap);
	return 0;
}

/* ret_serves may be NULL. */
static int ask_listening(struct ready_probe *probe, uint16_t port, bool *ret_listens,
			 bool *ret_serves, struct jsnap_error *err)
{
	CLEANUP_TCP_SOCKETS struct tcp_sockets sockets = {0};
	int rc = tcp_sockets_read(probe->target->supervise->pid, &sockets, err);

	if (rc < 0)
		return rc;
	*ret_listens = tcp_sockets_listen(&sockets, port);
	if (ret_serves)
		*ret_serves = tcp_sockets_serve(&sockets);
	return 0;
}

static int ask_tcp(struct ready_probe *probe, struct jsnap_error *err)
{
	bool listens = false;
	int rc = ask_listening(probe, probe->condition->port, &listens, NULL, err);

	if (rc < 0 || listens)
		return rc < 0 ? rc : 1;
	return missing(probe, "it does not listen on port %u", probe->condition->port);
}

static int take_sample(struct ready_probe *probe, const struct agent_status *status, bool serves,
		       bool *ret_quiet, struct jsnap_error *err)
{
	static const uint64_t tick_ns = 10000000; /* USER_HZ is 100 on every Linux, time(7) */
	struct quiet_sample sample = {.time_ns = monotonic_ns(),
				      .classes = status->classes,
				      .compiles = status->compiles,
				      .serves = serves};
	struct proc_stat stat;
	unsigned percent = 0;
	int rc = proc_stat_read(probe->target->supervise->pid, &stat, err);

	if (rc < 0)
		return rc;
	sample.cpu_ns = (stat.utime + stat.stime) * tick_ns;
	*ret_quiet = quiet_add(&probe->quiet, &sample, &percent);
	if (!*ret_quiet)
		missing(probe,
			"it is not quiet yet: %u%% of a processor, %llu classes, %llu "
			"compiled methods so far",
			percent, (unsigned long long)status->classes,
			(unsigned long long)status->compiles);
	return 0;
}

static int ask_auto(struct ready_probe *probe, struct jsnap_error *err)
{
	struct agent_status status = {0};
	bool is_quiet = false, listens = false, serves = false;
	int rc = agent_client_status(probe->target->agent, &status, err);

	if (rc == 0)
		rc = ask_listening(probe, 0, &listens, &serves, err);
	if (rc == 0)
		rc = take_sample(probe, &status, serves, &is_quiet, err);
	if (rc < 0)
		return rc;
	if (!listens && !status.main_parked && !probe->quiet_only)
		return missing(probe, "it neither listens nor has its main thread parked");
	return is_quiet;
}

static int http_get(struct ready_probe *probe, struct http_exchange *x, struct jsnap_error *err)
{
	uint64_t deadline = monotonic_ns() + HTTP_TIMEOUT_NS;
	int rc;

	if (probe->deadline_ns && probe->deadline_ns < deadline)
		deadline = probe->deadline_ns;
	rc = host_name_look_up(probe->target->supervise, &probe->url, deadline, err);
	if (rc == 0)
		rc = http_exchange_start(x, &probe->url, err);
	while (rc == 0) {
		struct pollfd fd = {.fd = x->fd, .events = http_exchange_events(x)};

		rc = supervise_wait(probe->target->supervise, &fd, 1, deadline);
		if (rc == -ECHILD || rc == -ECANCELED)
			return supervise_explain(probe->target->supervise, rc, err);
		if (rc == 0)
			return error_set(err, ETIMEDOUT, "no answer in time");
		rc = http_exchange_step(x, err);
	}
	return rc;
}

static int ask_http(struct ready_probe *probe, struct jsnap_error *err)
{
	struct http_exchange x = {.fd = -1};
	struct jsnap_error failure = {0};
	int rc;

	if (monotonic_ns() < probe->next_ns)
		return 0;
	if (!*probe->url.host)
		probe->url = probe->condition->url;
	rc = http_get(probe, &x, &failure);
	if (!probe->url.n_addresses)
		probe->next_ns = monotonic_ns() + COMMAND_INTERVAL_NS;
	http_exchange_close(&x);
	if (rc == -ECHILD || rc == -ECANCELED) {
		*err = failure;
		return rc;
	}
	/* At the end of all time the answer before tells more than that there is none to this. */
	if (rc == -ETIMEDOUT && probe->deadline_ns && monotonic_ns() >= probe->deadline_ns &&
	    *probe->missing)
		return 0;
	if (rc < 0)
		return missing(probe, "%.150s", failure.text);
	if (x.parser.status >= 400)
		return missing(probe, "it answers with status %d, and one below 400 is wanted",
			       x.parser.status);
	return 1;
}

static int ask_exec(struct ready_probe *probe, struct jsnap_error *err)
{
	const struct ready_target *t = probe->target;
	int status = 0, rc;

	if (monotonic_ns() < probe->next_ns)
		return 0;
	rc = command_run(t->supervise, probe->condition->word, t->env, probe->deadline_ns, &status,
			 err);
	if (rc == -ETIMEDOUT)
		return missing(probe, "the command did not end in time");
	if (rc < 0)
		return rc;
	if (status == 0)
		return 1;
	probe->next_ns = monotonic_ns() + COMMAND_INTERVAL_NS;
	return missing(probe, "the command exits with status %d", status);
}

static int ask_log(struct ready_probe *probe)
{
	struct relay *relay = probe->target->relay;

	relay_read(relay);
	if (relay->seen[probe->condition->pattern])
		return 1;
	return missing(probe, "no line of its output matched");
}

int ready_probe_ask(struct ready_probe *probe, struct jsnap_error *err)
{
	switch (probe->condition->kind) {
	case READY_AUTO:
		return ask_auto(probe, err);
	case READY_TCP:
		return ask_tcp(probe, err);
	case READY_HTTP:
		return ask_http(probe, err);
	case READY_LOG:
		return ask_log(probe);
	case READY_FILE:
		if (access(probe->condition->word, F_OK) == 0)
			return 1;
		return missing(probe, "the file is not there");
	case READY_EXEC:
		return ask_exec(probe, err);
	case READY_API:
		if (probe->target->agent->requested)
			return 1;
		return missing(probe, "it did not ask for a checkpoint");
	}
	return error_set(err, EINVAL, "unknown condition %s", probe->condition->text);
}
