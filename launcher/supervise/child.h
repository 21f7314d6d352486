/*
 * Starts a program as the caller would have: with the caller's signal mask and dispositions, the
 * caller's descriptors (jsnap's own are all close-on-exec) and the environment it is given.
 *
 * Capabilities need no care as long as jsnap never raises an inheritable or ambient one: execve(2)
 * then gives java exactly what it would have had without jsnap, whether jsnap got its own from a
 * file capability or not (capabilities(7), "Transformation of capabilities during execve"). The
 * child's dumpable flag is exec's to set.
 *
 * No parent-death signal: a jsnap killed in the middle of a checkpoint leaves the program running.
 */
#ifndef JSNAP_LAUNCHER_CHILD_H
#define JSNAP_LAUNCHER_CHILD_H

#include "base/error.h"
#include "launcher/supervise/supervise.h"

#include <stdbool.h>
#include <sys/types.h>

struct child_options {
	const char *executable; /* a path; PATH is not searched */
	char *const *argv;
	char *const *env;
	int keep_fd; /* stays open across exec under its own number; -1: none */
	int stdin_fd, stdout_fd, stderr_fd; /* become 0, 1, 2; -1: the caller's */
	bool own_group; /* a process group of its own: out of the terminal's reach */
};

/*
 * Returns once the program was exec'ed. *ret_pid is a child that the caller must reap. Failures of
 * exec itself come back here (through a pipe): -ENOENT, -EACCES, -ENOEXEC ..., and leave no child.
 */
int child_start(const struct supervise *s, const struct child_options *options, pid_t *ret_pid,
		struct jsnap_error *err);

#endif
