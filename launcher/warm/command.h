/*
 * Runs a command of the user's (exec:CMD of --ready and --warmup) with /bin/sh -c, beside the
 * supervision. It gets the application's environment, JSNAP_PID (the application's PID), /dev/null
 * as standard input and jsnap's standard error for both its outputs: standard output belongs to the
 * application. It runs in a process group of its own and does not outlive the wait.
 */
#ifndef JSNAP_LAUNCHER_COMMAND_H
#define JSNAP_LAUNCHER_COMMAND_H

#include "base/error.h"
#include "launcher/supervise/supervise.h"

#include <stdint.h>

/* *ret_status is the exit status (128+n after a signal). -ETIMEDOUT at the deadline
 * (CLOCK_MONOTONIC ns, 0: none); -ECHILD and -ECANCELED as supervise_wait. */
int command_run(struct supervise *s, const char *command, char *const *env, uint64_t deadline_ns,
		int *ret_status, struct jsnap_error *err);

#endif
