/*
 * The life beside the application: signals go on to it, a stop of it stops jsnap too (so that the
 * shell sees it), orphans are reaped, its end is noticed and its status kept.
 *
 * One thread. Whoever has to wait for something waits with supervise_wait(): there is no other
 * place where jsnap sleeps while an application runs, and so nothing can delay a signal.
 *
 * Signals are blocked from supervise_begin() on and read from a signalfd: one that arrives while
 * there is no application yet, or during a restore, waits there and is not lost. SIGSEGV, SIGBUS,
 * SIGFPE, SIGILL, SIGTRAP and SIGSYS stay as they are: they are about jsnap's own faults. While
 * there is nothing yet, a verb can have those that ask to end act at once (supervise_end_at_once).
 * Sources: signalfd(2), pidfd_open(2), wait(2), credentials(7), termios(3).
 */
#ifndef JSNAP_LAUNCHER_SUPERVISE_H
#define JSNAP_LAUNCHER_SUPERVISE_H

#include "base/error.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SUPERVISE_MAX_FDS     14u
#define SUPERVISE_MAX_HELPERS 16u

struct supervise_helper { /* a child of jsnap's own: a command, a relay, a writer */
	pid_t pid;
	bool ended;
	int wait_status;
};

struct supervise {
	pid_t pid; /* the application; 0 while there is none */
	int pidfd, signal_fd;
	int end_fd; /* readable (poll(2), never read) while a signal is pending that asks to end */
	bool at_once;
	pid_t namespace_init; /* restored.init_pid; 0 without one, or once reaped */

	sigset_t caller_mask, caller_ignored; /* what the application starts with */

	bool ended, stopped;
	int wait_status;     /* wait(2)'s, once ended */
	struct rusage usage; /* then wait4(2)'s: its own and what it waited for */
	int ending_signal;   /* 0, or a signal that asked the application (or, before there is one,
				jsnap) to end */

	struct supervise_helper helpers[SUPERVISE_MAX_HELPERS];
};

/* Blocks signals and opens the signalfd. Call before anything that takes time. */
int supervise_begin(struct supervise *s, struct jsnap_error *err);
void supervise_end(struct supervise *s);
#define CLEANUP_SUPERVISE __attribute__((cleanup(supervise_end)))

/*
 * main()'s first act, undone by supervise_begin: a signal that asks to end has its default action,
 * also for the first process of a PID namespace, for which the kernel drops it
 * (pid_namespaces(7)): that one exits with 128 + its number.
 */
void supervise_early(bool on);

/*
 * With `on`, SIGTERM, SIGINT and SIGHUP end this process at once with 128 + their number, as they
 * end a JVM that starts, and those of job control stop it, wherever it is: for the time in which
 * there is no program and nothing to undo. Without, as from the beginning, they wait. What the
 * caller ignores stays ignored. Returns how it was before.
 */
bool supervise_end_at_once(struct supervise *s, bool on);

/* In a forked child before exec: the mask and dispositions the caller gave. Async-signal-safe. */
void supervise_reset_signals(const struct supervise *s);

/* From now on the child `pid` is the application, and gets the signals that came before it. Forgets
 * an earlier one. */
int supervise_adopt(struct supervise *s, pid_t pid, struct jsnap_error *err);

/*
 * Waits until one of `fds` (at most SUPERVISE_MAX_FDS, may be none; negative ones are left out) is
 * ready or the deadline (CLOCK_MONOTONIC ns, 0: none) has passed, and does its duty meanwhile.
 * Returns how many are ready (revents set), 0 at the deadline, -ECHILD when the application has
 * ended, -ECANCELED when it was asked to end. Sets no error text.
 */
int supervise_wait(struct supervise *s, struct pollfd *fds, size_t n, uint64_t deadline_ns);
/* As supervise_wait, but goes on when the application was asked to end: it may take its time. */
int supervise_wait_ending(struct supervise *s, struct pollfd *fds, size_t n, uint64_t deadline_ns);
/* supervise_wait for a time alone. */
int supervise_pause(struct supervise *s, uint64_t duration_ns);

/* In words, for -ECHILD and -ECANCELED of supervise_wait: why there is nothing to wait for. */
int supervise_explain(const struct supervise *s, int rc, struct jsnap_error *err);

/* Registers a child of jsnap's own, whose status is then kept instead of thrown away. NULL: too
 * many. The slot is free again after supervise_forget. */
struct supervise_helper *supervise_helper(struct supervise *s, pid_t pid);
void supervise_forget(struct supervise_helper *helper);

/* Exit status for a wait status: the code, or 128 + signal. */
int supervise_exit_status(int wait_status);

#endif
