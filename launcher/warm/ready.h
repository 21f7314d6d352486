/*
 * When is the application up? The conditions of --ready, all of which must hold.
 *
 *   auto        it listens on a TCP port or its main thread has parked or ended, and it has gone
 *               quiet (quiet.h)
 *   tcp:PORT    it listens on that port
 *   http://...  that page answers with a status below 400
 *   log:REGEX   a line of its output matched (relay.h says what that costs)
 *   file:PATH   the file exists
 *   exec:CMD    the command exits 0
 *   api         it asked for a checkpoint itself
 *
 * An application that asks for a checkpoint is ready whatever the conditions say. Each look is a
 * question to the system; nothing here takes the passing of time for readiness.
 */
#ifndef JSNAP_LAUNCHER_READY_H
#define JSNAP_LAUNCHER_READY_H

#include "launcher/cold/agent_client.h"
#include "launcher/warm/http.h"
#include "launcher/warm/quiet.h"
#include "launcher/warm/relay.h"
#include "launcher/supervise/supervise.h"

#include <stdbool.h>
#include <stddef.h>

#define READY_MAX_CONDITIONS 64u

enum ready_kind {
	READY_AUTO,
	READY_TCP,
	READY_HTTP,
	READY_LOG,
	READY_FILE,
	READY_EXEC,
	READY_API,
};

struct ready_condition {
	enum ready_kind kind;
	const char *text; /* as written; not owned */
	const char *word; /* REGEX, PATH or CMD, within text */
	uint16_t port;	  /* READY_TCP */
	struct http_url url;
	size_t pattern; /* READY_LOG: number in relay */
};

struct ready {
	struct ready_condition *conditions;
	size_t count;
	const char *patterns[RELAY_MAX_PATTERNS]; /* of the log conditions */
	size_t n_patterns;
};

int ready_parse(const char *const *texts, size_t n, struct ready *ret_ready,
		struct jsnap_error *err);
void ready_free(struct ready *ready);
#define CLEANUP_READY __attribute__((cleanup(ready_free)))

struct ready_target {
	struct supervise *supervise;
	struct agent_client *agent;
	struct relay *relay;
	char *const *env; /* for exec:CMD */
};

/* Waits until every condition held, each at its own time. -ETIMEDOUT names what was missing;
 * -ECHILD: the program ended first. Deadline in CLOCK_MONOTONIC ns, 0: none. */
int ready_wait(const struct ready *ready, const struct ready_target *target, uint64_t deadline_ns,
	       struct jsnap_error *err);

/* Waits until the target is quiet: 0, or -ETIMEDOUT saying how busy it is. */
int ready_wait_quiet(const struct ready_target *target, uint64_t deadline_ns,
		     struct jsnap_error *err);

#endif
