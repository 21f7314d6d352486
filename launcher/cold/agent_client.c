/* See agent_client.h. */
#include "launcher/cold/agent_client.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/report/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Once the first byte of a message is there, the rest is: a local peer writes it in one go. */
#define MESSAGE_TIMEOUT_MS 5000

int agent_client_open(struct supervise *s, struct agent_client *ret_client, int *ret_fd,
		      struct jsnap_error *err)
{
	const struct timeval limit = {.tv_sec = 10};
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return error_errno(err, "create the agent's control channel");
	/* A stopped JVM must not block a large environment for ever. */
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	*ret_client =
		(struct agent_client){.supervise = s, .fd = fds[0], .strict = ret_client->strict};
	*ret_fd = fds[1];
	return 0;
}

void agent_client_close(struct agent_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

static int receive(struct agent_client *client, struct agent_header *ret_header,
		   struct agent_payload *ret_payload, struct jsnap_error *err)
{
	int rc = agent_receive(client->fd, MESSAGE_TIMEOUT_MS, ret_header, ret_payload, err);

	if (rc < 0 && rc != -EPROTO)
		agent_client_close(client);
	return rc;
}

/* heap=START-END, hexadecimal. */
static uint64_t heap_size(const struct agent_payload *hello)
{
	const char *text = agent_payload_get(hello, "heap");
	unsigned long long start, end;

	if (!text || sscanf(text, "%llx-%llx", &start, &end) != 2 || end < start)
		return 0;
	return end - start;
}

/* Line by line: a stack trace is one. */
static void log_note(const struct agent_payload *payload)
{
	const char *text = agent_payload_get(payload, "message");

	while (text && *text) {
		size_t n = strcspn(text, "\n");

		if (n)
			log_warn("%.*s", (int)n, text);
		text += n + (text[n] != '\0');
	}
}

/* True when the message came unasked and was dealt with. */
static bool unasked(struct agent_client *client, const struct agent_header *header,
		    const struct agent_payload *payload)
{
	if (header->type == AGENT_CHECKPOINT_REQUEST) {
		client->requested = true;
	} else if (header->type == AGENT_NOTE) {
		log_note(payload);
	} else if (header->type == AGENT_HELLO) {
		client->hello = true;
		client->heap_max = heap_size(payload);
	} else {
		return false;
	}
	return true;
}

static int wait_message(struct agent_client *client, uint64_t deadline, struct jsnap_error *err)
{
	struct pollfd fd = {.fd = client->fd, .events = POLLIN};
	int rc;

	if (client->fd < 0)
		return error_set(err, ENODATA, "the agent in the JVM is gone");
	rc = supervise_wait(client->supervise, &fd, 1, deadline);
	if (rc < 0)
		return supervise_explain(client->supervise, rc, err);
	if (rc == 0)
		return error_set(err, ETIMEDOUT, "the agent in the JVM did not answer in time");
	return 0;
}

static int answer_check(const struct agent_header *header, const struct agent_payload *payload,
			enum agent_message expected, struct jsnap_error *err)
{
	const char *words;

	if (header->type == (uint32_t)expected)
		return 0;
	if (header->type != AGENT_ERROR)
		return error_set(err, EPROTO, "the agent answered message %u where %u was due",
				 header->type, (unsigned)expected);
	words = agent_payload_get(payload, "message");
	return error_set(err, EREMOTEIO, "the agent: %s", words ? words : "(no reason given)");
}

static int wait_answer(struct agent_client *client, enum agent_message expected,
		       uint64_t timeout_ns, struct agent_payload *ret_payload,
		       struct jsnap_error *err)
{
	uint64_t deadline = timeout_ns ? monotonic_ns() + timeout_ns : 0;

	for (;;) {
		CLEANUP_PAYLOAD struct agent_payload payload = {0};
		struct agent_header header;
		int rc = wait_message(client, deadline, err);

		if (rc == 0)
			rc = receive(client, &header, &payload, err);
		if (rc < 0)
			return rc;
		/* An answer to a question that was given up on is of no interest any more. */
		if (unasked(client, &header, &payload) || header.sequence != client->sequence)
			continue;
		rc = answer_check(&header, &payload, expected, err);
		if (rc == 0 && ret_payload) {
			*ret_payload = payload;
			payload = (struct agent_payload){0};
		}
		return rc;
	}
}

static int ask(struct agent_client *client, enum agent_message question,
	       const struct agent_payload *payload, enum agent_message expected,
	       uint64_t timeout_ns, struct agent_payload *ret_payload, struct jsnap_error *err)
{
	int rc;

	if (client->fd < 0)
		return error_set(err, ENODATA, "the agent in the JVM is gone");
	rc = agent_send(client->fd, question, ++client->sequence, payload, err);
	if (rc < 0) {
		agent_client_close(client);
		return rc;
	}
	return wait_answer(client, expected, timeout_ns, ret_payload, err);
}

int agent_client_hello(struct agent_client *client, struct jsnap_error *err)
{
	uint64_t deadline = monotonic_ns() + AGENT_HELLO_TIMEOUT_NS;

	while (!client->hello) {
		int rc = wait_message(client, deadline, err);

		if (rc < 0)
			return rc;
		agent_client_read(client);
	}
	return 0;
}

int agent_client_status(struct agent_client *client, struct agent_status *ret_status,
			struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload answer = {0};
	const char *where;
	int rc =
		ask(client, AGENT_STATUS, NULL, AGENT_STATE, AGENT_STATUS_TIMEOUT_NS, &answer, err);

	if (rc < 0)
		return rc;
	where = agent_payload_get(&answer, "main");
	ret_status->main_parked =
		where && (strcmp(where, "parked") == 0 || strcmp(where, "ended") == 0);
	ret_status->uptime_ms = agent_payload_u64(&answer, "uptime_ms", 0);
	ret_status->classes = agent_payload_u64(&answer, "classes", 0);
	ret_status->compiles = agent_payload_u64(&answer, "compiles", 0);
	return 0;
}

int agent_client_told(struct agent_client *client, uint64_t hook_timeout_ns,
		      struct jsnap_error *err)
{
	const uint64_t patience = hook_timeout_ns ? AGENT_STATUS_TIMEOUT_NS + hook_timeout_ns : 0;

	return ask(client, AGENT_STATUS, NULL, AGENT_STATE, patience, NULL, err);
}

/* The agent's own limits come first: it waits for resources that are still being told of the
 * snapshot before, for its turn, for those that it tells, and then says who hangs
 * (agent/java/jsnap/crac/Announcement.java). */
uint64_t agent_client_patience(uint64_t hook_timeout_ns)
{
	return hook_timeout_ns ? AGENT_PREPARE_TIMEOUT_NS + 3 * hook_timeout_ns : 0;
}

int agent_client_prepare_again(struct agent_client *client, uint64_t hook_timeout_ns,
			       struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload answer = {0};

	return ask(client, AGENT_PREPARE, NULL, AGENT_PREPARED,
		   agent_client_patience(hook_timeout_ns), &answer, err);
}

int agent_client_prepare(struct agent_client *client, uint64_t hook_timeout_ns,
			 struct agent_prepared *ret_prepared, struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};
	int rc = agent_payload_add(&question, "gc", "1");

	if (rc == 0)
		rc = agent_payload_add(&question, "scrub", "1");
	if (rc == 0)
		rc = agent_payload_add(&question, "trim", "1");
	if (rc == 0)
		rc = agent_payload_add(&question, "keep_arenas", "1");
	if (rc < 0)
		return error_set(err, -rc, "no memory for a message to the agent");
	rc = ask(client, AGENT_PREPARE, &question, AGENT_PREPARED,
		 agent_client_patience(hook_timeout_ns), &answer, err);
	if (rc < 0)
		return rc;
	ret_prepared->heap_before = agent_payload_u64(&answer, "heap_before", 0);
	ret_prepared->heap_after = agent_payload_u64(&answer, "heap_after", 0);
	ret_prepared->scrubbed = agent_payload_u64(&answer, "scrubbed", 0);
	ret_prepared->gc_ms = agent_payload_u64(&answer, "gc_ms", 0);
	ret_prepared->arenas_kept = agent_payload_u64(&answer, "arenas_kept", 0);
	ret_prepared->told = agent_payload_u64(&answer, "told", 0);
	return 0;
}

int agent_client_hold(struct agent_client *client, unsigned int seconds,
		      struct agent_held *ret_held, struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};
	int rc;

	if (agent_payload_addf(&question, "seconds", "%u", seconds) < 0)
		return error_set(err, ENOMEM, "no memory for a message to the agent");
	rc = ask(client, AGENT_HOLD, &question, AGENT_HELD, AGENT_PREPARE_TIMEOUT_NS, &answer, err);
	if (rc < 0)
		return rc;
	ret_held->held = agent_payload_u64(&answer, "held", 0);
	ret_held->ns = agent_payload_u64(&answer, "held_us", 0) * 1000;
	return 0;
}

static int pack_restored(struct agent_payload *payload, const struct agent_restored *what)
{
	char *const *env = what->env;
	int rc = env ? 0 : agent_payload_add(payload, "env-refresh", "0");

	for (; rc == 0 && env && *env; env++)
		rc = agent_payload_add(payload, "env", *env);
	for (size_t i = 0; rc == 0 && i < what->n_props; i++)
		rc = agent_payload_add(payload, "prop", what->props[i]);
	if (rc == 0 && !what->reseed)
		rc = agent_payload_add(payload, "reseed", "0");
	if (rc == 0 && what->catch_up)
		rc = agent_payload_add(payload, "catch-up", "1");
	if (rc == 0 && what->args)
		rc = agent_payload_add(payload, "args", "1");
	for (size_t i = 0; rc == 0 && what->args && i < what->n_args; i++)
		rc = agent_payload_add(payload, "arg", what->args[i]);
	return rc;
}

int agent_client_restored(struct agent_client *client, const struct agent_restored *what,
			  struct agent_payload *ret_sample, struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};
	int rc = pack_restored(&question, what);

	if (rc == 0 && ret_sample)
		rc = agent_payload_add(&question, "sample", "1");
	if (rc < 0)
		return error_set(err, -rc,
				 "environment, arguments and properties do not fit into one "
				 "message (%u MiB)",
				 AGENT_MESSAGE_MAX >> 20);
	rc = ask(client, AGENT_RESTORED, &question, AGENT_REFRESHED, AGENT_REFRESH_TIMEOUT_NS,
		 &answer, err);
	if (rc == 0 && agent_payload_get(&answer, "random_missing"))
		log_warn("this JDK is not known well enough: two restores may share random numbers "
			 "(%s)",
			 agent_payload_get(&answer, "random_missing"));
	if (rc == 0 && ret_sample) {
		*ret_sample = answer;
		answer = (struct agent_payload){0};
	}
	return rc;
}

int agent_client_opener(struct agent_client *client, int fd, char **ret_stack,
			struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};
	const char *stack;
	int rc = agent_payload_addf(&question, "fd", "%d", fd);

	if (rc == 0)
		rc = ask(client, AGENT_OPENER, &question, AGENT_OPENED, AGENT_STATUS_TIMEOUT_NS,
			 &answer, err);
	stack = rc == 0 ? agent_payload_get(&answer, "stack") : NULL;
	if (stack && !(*ret_stack = strdup(stack)))
		return error_set(err, ENOMEM, "out of memory");
	return rc;
}

void agent_client_resumed(struct agent_client *client, const char *reason)
{
	CLEANUP_PAYLOAD struct agent_payload payload = {0};

	if (client->fd < 0)
		return;
	client->requested = false;
	if (reason && client->strict)
		agent_payload_add(&payload, "reason", reason);
	if (agent_send(client->fd, AGENT_RESUMED, ++client->sequence, &payload, NULL) < 0)
		agent_client_close(client);
}

void agent_client_read(struct agent_client *client)
{
	CLEANUP_PAYLOAD struct agent_payload payload = {0};
	struct agent_header header;

	if (client->fd >= 0 && receive(client, &header, &payload, NULL) == 0)
		(void)unasked(client, &header, &payload);
}
