/*
 * --metrics FILE: what became of this start, for the text file collector of a Prometheus node
 * exporter (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * One file for one jsnap, rewritten whole at each event under a temporary name and renamed, so that
 * no reader sees half of it. Counters begin at zero with the process, as Prometheus expects. Labels
 * take few values: the program's name, the kind of reason, the way to TIDs; never free text. A file
 * that cannot be written is worth a warning, and no reason to fail.
 */
#ifndef JSNAP_LAUNCHER_METRICS_H
#define JSNAP_LAUNCHER_METRICS_H

#include "launcher/report/phases.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct metrics {
	const char *name; /* of the program */
	int64_t start_time;

	const char *restored_tids; /* NULL unless it was restored */
	double restore_seconds;
	double phase_seconds[PHASE_COUNT];
	struct restore_walk walk;

	const char *cold_kind; /* NULL unless it was started cold; run_decision.kind */
	double ready_seconds;  /* 0 until it was ready */

	unsigned snapshots, snapshot_failures;
	double pause_seconds, write_seconds; /* of the snapshot taken last */
	uint64_t pages_bytes, image_bytes;
};

/* path NULL: there is to be no file. */
void metrics_setup(const char *path);

void metrics_restored(const char *name, const struct restored *restored, double ms,
		      const struct phases *phases);
void metrics_cold(const char *name, const char *kind);
void metrics_ready(const char *name, double ms);
void metrics_snapshot(const char *name, double pause_ms, double write_ms, uint64_t pages_bytes,
		      uint64_t image_bytes);
void metrics_snapshot_failed(const char *name);

/* The text, for the file and for tests. */
void metrics_write(const struct metrics *m, FILE *out);

#endif
