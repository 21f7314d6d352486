/*
 * From an opened snapshot to a running, refreshed and supervised process: the host is compared and
 * the engine validates, by the manifest alone; then the pages are loaded, the engine restores, and
 * the agent (where there is one) refreshes what the process knows of the world. On failure nothing
 * of it is left, and where the manifest is the reason nothing was written.
 */
#ifndef JSNAP_LAUNCHER_RESTORE_JOB_H
#define JSNAP_LAUNCHER_RESTORE_JOB_H

#include "launcher/cold/agent_client.h"
#include "launcher/report/phases.h"
#include "launcher/restore/restore_source.h"
#include "launcher/options/settings.h"
#include "launcher/supervise/supervise.h"
#include "restore/restore.h"

struct restore_job {
	struct supervise *supervise;
	const struct settings *settings;
	char *const *env;  /* what the process is to see; NULL: what it had */
	char *const *args; /* new ones; NULL: none were given */
	size_t n_args;
	struct agent_payload *sample; /* NULL, or the agent's answer with samples of random
					 numbers; the program's threads then stay held */
	/* The image's, where its working set is kept and a mark that it is bad; NULL: nowhere. */
	const struct store_slot *slot;
	struct phases phases; /* begun by the caller */

	struct agent_client agent; /* after restore_job_run: fd -1 without an agent */
	struct restored restored;
	struct image_id id;  /* of the image */
	uint64_t running_ns; /* CLOCK_MONOTONIC of when it was */
};

/* job->agent.fd is -1 and restored all zeros on entry. Loads the source. */
int restore_job_run(struct restore_job *job, struct restore_source *source,
		    struct jsnap_error *err);
/* Ends the restored process at once. */
void restore_job_kill(struct restore_job *job);
/* After the end of the restored process. */
void restore_job_close(struct restore_job *job);

/* "NAME KEY" of a snapshot for a line to people: notes, else the program's name and the image's id.
 * Writes at most `size` bytes each. */
void restore_job_name(const struct restore_source *source, char *name, size_t name_size, char *key,
		      size_t key_size);

#endif
