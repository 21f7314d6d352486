/* See bench.h: one start of the program, timed. */
#include "launcher/bench/bench.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/supervise/child.h"
#include "proc/status.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define END_PATIENCE_NS	 300000000000ull /* a JDK writes its archive when it is to end */
#define PORT_PATIENCE_NS 3000000000ull
#define KILL_GRACE_NS	 200000000ull
#define LOOK_NS		 20000000ull
#define MAX_DEPTH	 8u

/* Between two attempts: a thousandth of the time so far, so that asking neither costs a slow start
 * much nor a fast one its precision. */
static uint64_t pause_after(uint64_t elapsed_ns)
{
	uint64_t pause = elapsed_ns / 1000;

	return pause < 100000 ? 100000 : pause > 5000000 ? 5000000 : pause;
}

/* A listener whose queue is full says nothing: only a refusal means that the port is free. */
static bool address_answers(const struct http_address *a)
{
	CLEANUP_CLOSE int fd =
		socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	int failure = 0;
	socklen_t size = sizeof(failure);

	if (fd < 0)
		return false;
	if (connect(fd, &a->any, a->size) == 0)
		return true;
	if (errno != EINPROGRESS)
		return false;
	if (poll(&wait, 1, 500) != 1)
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0;
}

static bool port_answers(const struct http_url *url)
{
	for (size_t i = 0; i < url->n_addresses; i++)
		if (address_answers(&url->addresses[i]))
			return true;
	return false;
}

/* What ran before may be a moment in going. */
static int wait_port_free(const struct bench_sample_request *r, struct jsnap_error *err)
{
	uint64_t deadline = monotonic_ns() + PORT_PATIENCE_NS;

	while (port_answers(r->url)) {
		int rc;

		if (monotonic_ns() >= deadline) {
			error_set(err, EADDRINUSE, "something already answers at http://%s",
				  r->url->authority);
			return error_hint(err, "it would be measured in the program's place: end "
					       "it, or give the program another port");
		}
		rc = supervise_pause(r->supervise, 200000000);
		if (rc == -ECANCELED)
			return supervise_explain(r->supervise, rc, err);
	}
	return 0;
}

static double seconds_of(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static int warm(const struct bench_sample_request *r, struct jsnap_error *err)
{
	const struct ready_target target = {.supervise = r->supervise, .env = r->env};
	struct warmup_options options = *r->warmup;
	struct warmup_result unused;

	options.deadline_ns = monotonic_ns() + r->timeout_ns;
	return warmup_run(&options, &target, &unused, err);
}

/* 1: answered below 400; 0: not yet; negative: the program ended, or jsnap is to end. */
static int ask(struct supervise *s, const struct http_url *url, uint64_t deadline)
{
	struct http_exchange x = {.fd = -1};
	int rc = http_exchange_start(&x, url, NULL);

	while (rc == 0) {
		struct pollfd fd = {.fd = x.fd, .events = http_exchange_events(&x)};

		rc = supervise_wait(s, &fd, 1, deadline);
		if (rc <= 0) {
			http_exchange_close(&x);
			return rc == -ECHILD || rc == -ECANCELED ? rc : 0;
		}
		rc = http_exchange_step(&x, NULL);
	}
	http_exchange_close(&x);
	return rc == 1 && x.parser.status < 400;
}

static int wait_response(const struct bench_sample_request *r, uint64_t start,
			 struct jsnap_error *err)
{
	uint64_t deadline = start + r->timeout_ns;
	int rc = 0;

	while ((rc = ask(r->supervise, r->url, deadline)) == 0) {
		uint64_t now = monotonic_ns();

		if (now >= deadline)
			return error_set(err, ETIMEDOUT, "no answer in %.0f s",
					 (double)r->timeout_ns / 1e9);
		rc = supervise_pause(r->supervise, pause_after(now - start));
		if (rc < 0)
			break;
	}
	return rc < 0 ? supervise_explain(r->supervise, rc, err) : 0;
}

/* A program that ends meanwhile may have brought it to its end first. */
static int wait_over(const struct bench_sample_request *r, uint64_t start, struct jsnap_error *err)
{
	int rc = 0;

	while (!r->over(r->over_ctx)) {
		if (rc < 0)
			return supervise_explain(r->supervise, rc, err);
		if (monotonic_ns() >= start + r->timeout_ns)
			return error_set(err, ETIMEDOUT, "not within %.0f s",
					 (double)r->timeout_ns / 1e9);
		rc = supervise_pause(r->supervise, LOOK_NS);
	}
	return 0;
}

static int wait_exit(const struct bench_sample_request *r, uint64_t start, struct jsnap_error *err)
{
	int rc = supervise_wait(r->supervise, NULL, 0, start + r->timeout_ns);

	if (rc == -ECHILD)
		return 0;
	if (rc == 0) {
		error_set(err, ETIMEDOUT, "it did not end in %.0f s", (double)r->timeout_ns / 1e9);
		return error_hint(err, "for a service name what to ask it: --warmup http://...");
	}
	return supervise_explain(r->supervise, rc, err);
}

/* A process that may not be looked at (jsnap itself, with a file capability) is left out. */
static void add_memory(pid_t pid, struct bench_sample *sample)
{
	CLEANUP_FREE char *text = NULL;
	char path[64], *line, *rest;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (read_file(path, 65536, &text, &size) < 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		unsigned long long kb;

		if (sscanf(line, "Rss: %llu", &kb) == 1)
			sample->rss += (double)kb * 1024;
		else if (sscanf(line, "Pss: %llu", &kb) == 1)
			sample->pss += (double)kb * 1024;
		else if (sscanf(line, "Shared_Clean: %llu", &kb) == 1 ||
			 sscanf(line, "Shared_Dirty: %llu", &kb) == 1)
			sample->shared += (double)kb * 1024;
	}
}

static void add_tree(pid_t pid, unsigned depth, struct bench_sample *sample)
{
	CLEANUP_FREE pid_t *children = NULL;
	size_t n = 0;

	add_memory(pid, sample);
	if (depth == MAX_DEPTH || proc_children_read(pid, &children, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		add_tree(children[i], depth + 1, sample);
}

/* Both its own tries at ending in order, and all that is below it, are over afterwards: jsnap ends
 * with its program, and the program with its jsnap. */
static int end(struct supervise *s, struct jsnap_error *err)
{
	if (s->ended)
		return 0;
	kill(s->pid, SIGTERM);
	if (supervise_wait_ending(s, NULL, 0, monotonic_ns() + END_PATIENCE_NS) == -ECHILD)
		return 0;
	kill(s->pid, SIGKILL);
	if (supervise_wait_ending(s, NULL, 0, monotonic_ns() + END_PATIENCE_NS) != -ECHILD)
		return error_set(err, ETIMEDOUT, "process %d can't be ended", (int)s->pid);
	/* What was below it dies by its parent's death, a moment later. */
	nanosleep(&(struct timespec){.tv_nsec = KILL_GRACE_NS}, NULL);
	return 0;
}

int bench_sample(const struct bench_sample_request *request, struct bench_sample *ret_sample,
		 struct jsnap_error *err)
{
	const struct child_options options = {.executable = request->argv[0],
					      .argv = request->argv,
					      .env = request->env,
					      .keep_fd = -1,
					      .stdin_fd = request->null_fd,
					      .stdout_fd = request->log_fd,
					      .stderr_fd = request->log_fd,
					      .own_group = true};
	struct supervise *s = request->supervise;
	struct bench_sample sample = {0};
	uint64_t start;
	pid_t pid;
	int rc = request->url ? wait_port_free(request, err) : 0, ended;

	start = monotonic_ns();
	if (rc == 0)
		rc = child_start(s, &options, &pid, err);
	if (rc < 0)
		return rc;
	rc = supervise_adopt(s, pid, err);
	if (rc < 0) {
		kill(pid, SIGKILL);
		return rc;
	}
	rc = request->over  ? wait_over(request, start, err)
	     : request->url ? wait_response(request, start, err)
			    : wait_exit(request, start, err);
	sample.seconds = (double)(monotonic_ns() - start) / 1e9;
	if (rc == 0 && request->url)
		add_tree(pid, 0, &sample);
	if (rc == 0 && request->warmup)
		rc = warm(request, err);
	if (rc == 0 && !request->url && !request->over && s->wait_status)
		rc = supervise_explain(s, -ECHILD, err);
	ended = end(s, rc < 0 ? NULL : err);
	sample.user = seconds_of(&s->usage.ru_utime);
	sample.system = seconds_of(&s->usage.ru_stime);
	sample.status = supervise_exit_status(s->wait_status);
	s->pid = 0;
	if (rc < 0 || ended < 0)
		return rc < 0 ? rc : ended;
	*ret_sample = sample;
	return 0;
}
