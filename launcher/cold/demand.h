/*
 * `jsnap checkpoint --pid PID`: a snapshot on demand of a program that a jsnap supervises, which
 * alone may trace it and knows what to do.
 *
 * The supervising jsnap listens on an abstract Unix socket named by its user and its PID; a
 * connection is the demand, one line is the answer: "ok IMAGE" or "error WORDS". Both sides look at
 * who is at the other end (SO_PEERCRED, unix(7)): the same user or root. An abstract name leaves no
 * file behind when jsnap is killed. It belongs to a network namespace, so both must be in the same.
 */
#ifndef JSNAP_LAUNCHER_DEMAND_H
#define JSNAP_LAUNCHER_DEMAND_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct demand {
	int listen_fd; /* -1: not listening */
	int client_fd; /* of the demand that is being served, or -1 */
};

/* Without success nobody can demand anything; nothing else depends on it. */
void demand_open(struct demand *demand);
void demand_close(struct demand *demand);

/* What to poll: -1 while a demand is being served. */
int demand_waits_for(const struct demand *demand);

/* Takes a connection; false when there is none, or of a user who may not demand anything. */
bool demand_accept(struct demand *demand);

/* Answers the demand that is being served, if there is one. */
void demand_answer(struct demand *demand, bool ok, const char *words);

/* The other side: demands a snapshot of `pid`, or of its parent's program, and waits for the answer
 * (timeout_ns, 0: for ever). 0 with *ret_status 0 when it was taken. */
int demand_snapshot(pid_t pid, uint64_t timeout_ns, int *ret_status, struct jsnap_error *err);

#endif
