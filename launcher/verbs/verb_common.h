/*
 * What the verbs that start a program have in common: the way from settings to a java command, its
 * environment and its place in the store, and the lines they print.
 */
#ifndef JSNAP_LAUNCHER_VERB_COMMON_H
#define JSNAP_LAUNCHER_VERB_COMMON_H

#include "launcher/java/cpu_level.h"
#include "launcher/supervise/environment.h"
#include "launcher/java/java_command.h"
#include "launcher/key/key.h"
#include "launcher/restore/restore_job.h"
#include "launcher/options/settings.h"
#include "launcher/store/store.h"
#include "launcher/supervise/supervise.h"

struct start {
	const struct settings *settings;
	struct supervise supervise;
	struct environment env;
	char *cpu_vars[CPU_LEVEL_MAX_VARS]; /* what --cpu added to it */
	struct java_command command;
	struct key_facts facts; /* after start_find_slot */
	struct store_slot slot;
};

/* Blocks signals, finds java and understands its command line. *ret_status may become 126, 127. */
int start_begin(struct start *start, const struct settings *settings, int *ret_status,
		struct jsnap_error *err);
/* Collects the key's facts and opens the slot (not locked). */
int start_find_slot(struct start *start, struct jsnap_error *err);
void start_end(struct start *start);
#define CLEANUP_START __attribute__((cleanup(start_end)))

/* Waits for whoever works on the snapshot, and says so. */
int verb_lock(struct store_slot *slot, enum store_lock mode, struct jsnap_error *err);

/* To people and to --metrics: "restored NAME KEY in 9.8 ms (tids: clone3)" and "cold start:
 * REASON". */
void verb_report_restored(const struct restore_source *source, const struct restore_job *job);
void verb_report_cold(const char *name, const char *kind, const char *reason);

/* Once the restored process has ended: a snapshot that it ended badly from too soon is marked, and
 * the job is closed. */
void verb_restored_ended(struct restore_job *job);

/* Passes signals on and serves the agent until the restored process ends; its exit status. Closes
 * the job. */
int verb_supervise_restored(struct restore_job *job, int *ret_status, struct jsnap_error *err);

#endif
