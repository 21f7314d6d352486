/*
 * The one path that takes a snapshot of a running JVM:
 *
 *   agent: PREPARE -> warmed again -> agent: HOLD -> capture into the hot copy's file -> agent:
 * RESUMED -> a child of jsnap's own compresses and stores the image, then commits the hot copy, and
 * reports.
 *
 * The application is released before anything is compressed. A failure at any step leaves it
 * running and no file; when it comes while writing, what was stored before stays as it was.
 *
 * The writer holds the slot's exclusive lock and goes on when jsnap ends: signals are blocked in
 * it, it has a process group of its own and no descriptor of the application's. So a short program
 * gets its snapshot too, and ends when java would have ended. (As PID 1, whose end is everybody's
 * end, jsnap waits for it.) The next `run` waits for the lock a while.
 */
#ifndef JSNAP_LAUNCHER_SNAPSHOT_JOB_H
#define JSNAP_LAUNCHER_SNAPSHOT_JOB_H

#include "checkpoint/checkpoint.h"
#include "launcher/cold/agent_client.h"
#include "launcher/policy/fd_policy.h"
#include "launcher/java/java_command.h"
#include "launcher/key/key.h"
#include "launcher/store/store.h"
#include "launcher/supervise/supervise.h"

#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_SLOT_CONTROL "control"
#define SNAPSHOT_SLOT_FD      "fd:" /* "fd:N": descriptor N as the caller gave it */

struct snapshot_request {
	struct supervise *supervise;
	struct agent_client *agent;
	int control_fd;	      /* its number in the JVM */
	const int *inherited; /* descriptors from 3 on that the caller gave the JVM */
	size_t n_inherited;
	struct store_slot *slot;	 /* exclusively locked; the lock goes over to the writer */
	const struct settings *settings; /* for the image's key, which the writer reads */
	bool hot_copy;
	const struct key_facts *facts;
	const struct java_command *command;
	unsigned cpu_level; /* as checkpoint_options has it */
	struct fd_policy *policy;
	bool leave_running; /* else the JVM is gone after the capture */
	bool background;    /* compress with low priority */
	/* Warms the program anew after its heap was collected, which takes from it what its code
	 * had by being used; NULL: it stays as it is. */
	int (*warm_again)(void *ctx, struct jsnap_error *err);
	void *warm_again_ctx;
};

struct snapshot_result { /* from the writer */
	int rc;
	struct jsnap_error error;
	struct jsnap_error hot_error; /* code 0 unless the hot copy alone is missing */
	uint64_t image_bytes, write_ns;
};

struct snapshot_progress {	      /* of the writer, in memory shared with it */
	_Atomic uint64_t done, total; /* bytes of the page stream; 0 until it compresses */
};

struct snapshot_job { /* all zeros: no writer */
	pid_t writer;
	struct snapshot_progress *progress; /* NULL: not known */
	int result_fd;
	struct supervise_helper *helper;
	struct checkpoint_stats stats;
	struct agent_prepared prepared;
	struct agent_held held;
	uint64_t held_until_ns; /* CLOCK_MONOTONIC; at least */
};

/* Returns once the application goes on (or is gone) and the writer works. */
int snapshot_take(const struct snapshot_request *request, struct snapshot_job *ret_job,
		  struct jsnap_error *err);
/* Shows how far the writer is (log_progress). */
void snapshot_show_progress(const struct snapshot_job *job);
/* When result_fd is readable: takes the result and forgets the writer. The writer's failure (its
 * death included) is the return value. */
int snapshot_collect(struct snapshot_job *job, struct snapshot_result *ret_result,
		     struct jsnap_error *err);

#endif
