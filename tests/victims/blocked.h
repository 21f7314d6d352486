/*
 * Threads inside system calls: what blocked.c drives and blocked_calls.c names.
 */
#ifndef JSNAP_TESTS_VICTIMS_BLOCKED_H
#define JSNAP_TESTS_VICTIMS_BLOCKED_H

#include "victim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define SLEEP_NS INT64_C(4000000000) /* what a wait with a timeout takes */

struct waiter { /* one thread in one call */
	const struct kind *kind;
	pthread_t thread;
	pid_t tid;
	int fd[2]; /* what it waits on, and what wakes it */
	_Atomic uint32_t word;
	atomic_int entered, returned;
	long result;
	int error;
	int64_t took;  /* ns */
	int64_t ended; /* ns, of the wall clock */
};

struct kind {
	const char *name;
	void (*prepare)(struct waiter *w); /* in the main thread, may be NULL */
	long (*block)(struct waiter *w);
	void (*wake)(struct waiter *w); /* NULL: the call ends by itself after SLEEP_NS */
	long expected;
	int expected_errno;
	clockid_t clock; /* that the timeout is kept by */
};

/* Ends with a kind without a name. */
extern const struct kind blocked_kinds[];

#define SIGNAL_WAITED	 SIGUSR1	/* blocked in every thread, for sigwait */
#define SIGNAL_HANDLED	 SIGUSR2	/* has a handler that does nothing */
#define SIGNAL_DESCRIBED (SIGRTMIN + 1) /* blocked, for signalfd */
#define SIGNAL_TIMED	 (SIGRTMIN + 2) /* blocked, never sent */

#endif
