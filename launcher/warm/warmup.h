/*
 * Warms the application once it is up: requests to its pages and commands of the user's, so that
 * its code is loaded and compiled when the snapshot is taken.
 *
 * Steps run one after the other in the order given; a URL gets `requests` requests, each over a
 * connection of its own and after the answer to the one before: two at once could break a program
 * that its users never ask two things at once (the sessions of H2's console are an unsynchronized
 * HashMap). A status of 400 and more, a connection that fails or a command that does not exit 0
 * ends the warm-up with an error: a snapshot of an application that answers with errors is worth
 * nothing. Running out of `time_ns` is no error: it is warm enough.
 */
#ifndef JSNAP_LAUNCHER_WARMUP_H
#define JSNAP_LAUNCHER_WARMUP_H

#include "launcher/warm/ready.h"

#define WARMUP_REQUEST_TIMEOUT_NS 60000000000ull

struct warmup_options {
	const char *what;	  /* "warm-up", for messages */
	const char *const *steps; /* "http://..." or "exec:CMD" */
	size_t n_steps;
	bool pages_alone;  /* leave out the commands */
	uint64_t requests; /* for each URL */
	/* Longest time for one answer, and until the program listens at all; 0: no limit of its
	 * own. */
	uint64_t answer_ns;
	bool steady;	      /* beyond that, until it has levelled off (steady.h) */
	uint64_t time_ns;     /* of the whole warm-up; 0: no limit */
	bool finish;	      /* the answer that is under way then is waited for */
	bool until_asked;     /* it ends when the program asks for its snapshot */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; past it is an error; 0: none */
};

struct warmup_result {
	uint64_t requests; /* answered */
	bool out_of_time;
	const char *unanswered; /* the first URL that had no answer by then, or NULL */
};

int warmup_check(const struct warmup_options *options, struct jsnap_error *err);
int warmup_run(const struct warmup_options *options, const struct ready_target *target,
	       struct warmup_result *ret_result, struct jsnap_error *err);

#endif
