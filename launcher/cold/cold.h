/*
 * A java started cold by jsnap: start, the way to a snapshot (ready, warm, quiet, taken), and the
 * supervision until its end.
 */
#ifndef JSNAP_LAUNCHER_COLD_H
#define JSNAP_LAUNCHER_COLD_H

#include "launcher/cold/agent_client.h"
#include "launcher/cold/demand.h"
#include "launcher/supervise/environment.h"
#include "launcher/java/java_command.h"
#include "launcher/key/key.h"
#include "launcher/warm/ready.h"
#include "launcher/options/settings.h"
#include "launcher/cold/snapshot_job.h"
#include "launcher/store/store.h"
#include "launcher/supervise/supervise.h"
#include "launcher/warm/warmup.h"

#include <stdbool.h>
#include <stdint.h>

struct cold {
	/* Given. */
	const struct settings *settings;
	const struct java_command *command;
	const struct environment *env;
	struct supervise *supervise;
	const struct key_facts *facts; /* NULL unless a snapshot is wanted, and the next too */
	struct store_slot *slot;
	bool replace;  /* the snapshot that is there is at fault, however true it looks */
	bool unwanted; /* requests of the application's own are answered, and nothing is taken */

	/* Its own. */
	struct agent_client agent;
	int control_fd;	    /* the agent's end, until java has it */
	int control_number; /* its number in the JVM */
	struct relay relay;
	struct ready ready;
	struct fd_policy
		policy; /* of descriptors: the settings' rules, java's file of them, defaults */
	uint64_t started_ns;
	int *inherited;
	size_t n_inherited;
	struct snapshot_job job;
	struct demand demand; /* from `jsnap checkpoint --pid` */
	char name[STORE_MAX_NAME + 1];
};

/* Clears what is cold's own. */
void cold_init(struct cold *cold);
void cold_close(struct cold *cold);
#define CLEANUP_COLD __attribute__((cleanup(cold_close)))

/* Checks --ready, --warmup and the rules for descriptors, before anything is started. */
int cold_check(struct cold *cold, struct jsnap_error *err);

/* Starts java; with the agent when `with_agent`. *ret_status becomes 126 or 127 when java could not
 * be executed. */
int cold_start(struct cold *cold, bool with_agent, int *ret_status, struct jsnap_error *err);

/* Takes over a restored program instead, whose control channel is `agent` (then cold's) under
 * `control_number` in it. */
int cold_adopt(struct cold *cold, struct agent_client *agent, int control_number,
	       struct jsnap_error *err);

/*
 * Waits until it is ready, warms it and takes the snapshot; the image is then being written
 * (cold->job). The error says why there is none: -ECHILD the program ended by itself, -ECANCELED it
 * was asked to end, -EALREADY another jsnap has taken the snapshot meanwhile ...
 */
int cold_snapshot(struct cold *cold, bool leave_running, bool background, struct jsnap_error *err);

/* Whether there is an agent to start java with. */
bool cold_agent_exists(void);

/* Runs the --after-restore hooks of a restored program; a failure is a line in the log. */
void cold_after_restore(struct cold *cold);

/* A snapshot of the program as it is, to replace the one there is: -EBUSY when one is being
 * written, -ENOTSUP when this program gets none. */
int cold_snapshot_now(struct cold *cold, struct jsnap_error *err);

/* Waits until the image is written; only then. -ECHILD when the application ended first does not
 * stop it. */
int cold_await_image(struct cold *cold, struct snapshot_result *ret_result,
		     struct jsnap_error *err);

/* Serves agent and writer and passes signals on until the application ends; its exit status. */
int cold_supervise(struct cold *cold, int *ret_status, struct jsnap_error *err);

/* The line, and the metrics, that say what became of the snapshot. */
void cold_report(const struct cold *cold, const struct checkpoint_stats *stats,
		 const struct snapshot_result *result);

#endif
