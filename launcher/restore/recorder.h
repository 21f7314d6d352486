/*
 * Records the working set of a restored process, for the restores that follow: a process of its own
 * waits until the program has answered for the first time (a program that does not listen: a
 * moment), looks which pages it has written by then, stores that beside the hot copy, and is gone.
 */
#ifndef JSNAP_LAUNCHER_RECORDER_H
#define JSNAP_LAUNCHER_RECORDER_H

#include "launcher/restore/restore_source.h"
#include "launcher/options/settings.h"

#include <sys/types.h>

struct recorder {
	const struct manifest *manifest;
	const struct image_id *id;
	const struct store_slot *slot;
	const struct settings *settings;
	pid_t pid; /* of the restored process, as this PID namespace numbers it */
};

/* Forks. Its failures are nobody's: the next restore tries again. */
void recorder_start(const struct recorder *recorder);

/* What is written, of memory that a restore does not fill by itself. Separate for tests. */
int recorder_scan(const struct manifest *m, pid_t pid, struct working_set *set,
		  struct jsnap_error *err);

#endif
