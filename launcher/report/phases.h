/*
 * Where the time of a restore goes, from jsnap's start until the application has its world back:
 * each moment belongs to one phase. The engine's share comes from struct restored. For a debug
 * line, --metrics and bench; two readings of the clock for each phase are all it costs.
 */
#ifndef JSNAP_LAUNCHER_PHASES_H
#define JSNAP_LAUNCHER_PHASES_H

#include "checkpoint/checkpoint.h"
#include "restore/restore.h"

#include <stdint.h>

enum phase {
	PHASE_DECIDE,	/* command line, key, hot copy or image: restore it or start cold */
	PHASE_VALIDATE, /* all that can be known to fail */
	PHASE_LOAD,	/* the pages can be mapped: without a hot copy, the image is decompressed */
	PHASE_PLAN,	/* these to PHASE_RELEASE: enum restore_phase */
	PHASE_CLONE,
	PHASE_FILES,
	PHASE_MAP,
	PHASE_THREADS,
	PHASE_RELEASE,
	PHASE_REFRESH, /* by the agent: environment, random state ... */
	PHASE_COUNT,
};

struct phases {
	uint64_t last_ns; /* CLOCK_MONOTONIC of the end of the last phase */
	uint64_t ns[PHASE_COUNT];
};

const char *phase_name(enum phase phase); /* "decide" ... */

void phases_begin(struct phases *phases, uint64_t start_ns);
/* The phase has ended now. */
void phases_end(struct phases *phases, enum phase phase);
/* So have all the engine's. */
void phases_end_engine(struct phases *phases, const struct restored *restored);

#define PHASES_LINE_SIZE 256
/* "decide 0.9, load 0.2, ... ms" */
void phases_line(const struct phases *phases, char ret_line[PHASES_LINE_SIZE]);

/* What a checkpoint's pause was made of, as a debug line. */
void phases_log_pause(const struct checkpoint_stats *stats);

#endif
