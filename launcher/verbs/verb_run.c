/* jsnap run: restore when there is a valid snapshot, else start cold and take one. */
#include "launcher/verbs/verbs.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "launcher/cold/cold.h"
#include "launcher/report/log.h"
#include "launcher/report/metrics.h"
#include "launcher/store/probation.h"
#include "launcher/restore/restore_job.h"
#include "launcher/key/run_decision.h"
#include "launcher/report/start_time.h"
#include "launcher/verbs/verb_common.h"

#include <string.h>

/* A writer that is about to finish is worth waiting for, as long as a cold start takes anyway. */
#define WRITER_WAIT_NS 3000000000ull
#define WRITER_LOOK_US 5000

struct run {
	struct start start;
	const struct settings *settings;
	struct run_facts facts;
	struct run_decision decision;
	struct jsnap_error problem; /* what facts.store_problem or image_problem point to */
	struct jsnap_error failure;
	char stale[512];
};

/* Key and slot; a store that can't be used is a reason to start cold, not to fail. */
static void find_slot(struct run *run)
{
	int rc = start_find_slot(&run->start, &run->problem);

	if (rc < 0)
		run->facts.store_problem = run->problem.text;
}

/*
 * Shared, for reading. Whoever has it exclusively takes, replaces or removes the snapshot: the
 * writer that outlives an earlier run, as a rule. -EWOULDBLOCK when it takes too long.
 */
static int lock_snapshot(struct run *run)
{
	struct store_slot *slot = &run->start.slot;
	uint64_t limit = WRITER_WAIT_NS, timeout = run->settings->timeout_ns, deadline;
	int rc = store_lock(slot, STORE_LOCK_SHARED, false, &run->problem);

	if (rc != -EWOULDBLOCK || run->settings->no_restore)
		return rc;
	if (timeout && timeout < limit)
		limit = timeout;
	log_info("another jsnap is writing this snapshot: waiting for it, at most %.1f s",
		 (double)limit / 1e9);
	deadline = monotonic_ns() + limit;
	while (rc == -EWOULDBLOCK && monotonic_ns() < deadline) {
		usleep(WRITER_LOOK_US);
		rc = store_lock(slot, STORE_LOCK_SHARED, false, &run->problem);
	}
	return rc;
}

/* Locks the slot and opens what is in it. */
static void look_at_snapshot(struct run *run, struct restore_source *source)
{
	struct store_slot *slot = &run->start.slot;
	int rc = lock_snapshot(run);

	if (rc == -EWOULDBLOCK) {
		run->facts.locked = true;
		return;
	}
	if (rc < 0) {
		run->facts.store_problem = run->problem.text;
		return;
	}
	rc = store_open_image(slot, &run->problem);
	if (rc >= 0)
		rc = restore_source_open(run->settings, slot, rc, source, &run->problem);
	run->facts.image = rc < 0 ? rc : 0;
	run->facts.image_problem = run->problem.text;
	if (rc == 0 && probation_bad(slot, &source->header->id, run->stale, sizeof(run->stale)))
		run->facts.bad = run->stale;
	else if (rc == 0 && key_compare(source->manifest, &run->start.facts, run->stale,
					sizeof(run->stale)) != 0)
		run->facts.stale = run->stale;
}

/* Its number in the program; -1 in one without an agent. */
static int control_number(const struct manifest *m)
{
	for (uint32_t i = 0; i < m->n_fds; i++) {
		const struct m_file *file = &m->files[m->fds[i].file];

		if (file->kind == M_FILE_INHERIT &&
		    strcmp(manifest_str(m, file->name), SNAPSHOT_SLOT_CONTROL) == 0)
			return m->fds[i].fd;
	}
	return -1;
}

/* As a program that was started cold: it may ask for a snapshot, and so may others. */
static int supervise_restored(struct run *run, struct restore_job *job, int control,
			      int *ret_status, struct jsnap_error *err)
{
	CLEANUP_COLD struct cold cold = {.settings = run->settings,
					 .command = &run->start.command,
					 .env = &run->start.env,
					 .supervise = &run->start.supervise,
					 .facts = &run->start.facts,
					 .slot = &run->start.slot,
					 .replace = true,
					 .unwanted = run->settings->no_checkpoint};
	struct jsnap_error problem = {0};
	int rc;

	if (fault_on(FAULT_PROBATION))
		kill(job->restored.pid, SIGSEGV);
	cold_init(&cold);
	cold.started_ns = monotonic_ns();
	if (cold_check(&cold, &problem) < 0)
		log_warn("%s", problem.text);
	if (cold_adopt(&cold, &job->agent, control, &problem) < 0)
		log_warn("no snapshot of the restored program can be taken: %s", problem.text);
	cold_after_restore(&cold);
	store_remove_temporaries(&run->start.slot); /* whoever restores always takes no snapshot */
	rc = cold_supervise(&cold, ret_status, err);
	verb_restored_ended(job);
	return rc;
}

static int restore(struct run *run, struct restore_source *source, struct restore_job *job,
		   struct jsnap_error *err)
{
	const struct settings *s = run->settings;
	int rc;

	*job = (struct restore_job){.supervise = &run->start.supervise,
				    .settings = s,
				    .env = s->env_refresh ? run->start.env.vars : NULL,
				    .slot = &run->start.slot,
				    .agent.fd = -1};
	phases_begin(&job->phases, start_time_ns());
	phases_end(&job->phases, PHASE_DECIDE);
	rc = restore_job_run(job, source, err);
	if (rc == 0)
		verb_report_restored(source, job);
	return rc;
}

/* 1 when the program was restored, ran and ended; 0 when it is to be started cold. */
static int try_restore(struct run *run, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_RESTORE_SOURCE struct restore_source source = {.image_fd = -1, .hot.fd = -1};
	struct restore_job job;
	int rc, control;

	if (!run->facts.no_snapshot && !run->facts.store_problem)
		look_at_snapshot(run, &source);
	run_decide(&run->facts, &run->decision);
	if (run->decision.action != RUN_RESTORE)
		return 0;
	rc = restore(run, &source, &job, &run->failure);
	store_unlock(&run->start.slot);
	if (rc == 0) {
		control = control_number(source.manifest);
		restore_source_close(&source);
		rc = supervise_restored(run, &job, control, ret_status, err);
		return rc < 0 ? rc : 1;
	}
	run->facts.failure = rc;
	run->facts.failure_text = run->failure.text;
	run->facts.on_failure = run->settings->on_restore_failure;
	run_decide(&run->facts, &run->decision);
	if (run->decision.action == RUN_FAIL)
		return error_set(err, -rc, "%s; --on-restore-failure cold would start it anew",
				 run->decision.reason);
	return 0;
}

static void log_no_snapshot(int rc, const struct jsnap_error *problem)
{
	/* Somebody else has it, or nobody wanted it: nothing went wrong. */
	if (rc == -EALREADY || rc == -ECHILD || rc == -ECANCELED)
		log_info("no snapshot: %s", problem->text);
	else
		log_warn("no snapshot: %s", problem->text);
}

static int run_cold(struct run *run, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_COLD struct cold cold = {.settings = run->settings,
					 .command = &run->start.command,
					 .env = &run->start.env,
					 .supervise = &run->start.supervise,
					 .facts = &run->start.facts,
					 .slot = &run->start.slot,
					 .replace = run->facts.failure != 0 || run->facts.bad,
					 .unwanted = !run->decision.take};
	struct jsnap_error problem = {0};
	bool take = run->decision.take;
	int rc;

	cold_init(&cold);
	rc = cold_check(&cold, err);
	if (rc < 0)
		return rc;
	store_unlock(&run->start.slot);
	verb_report_cold(cold.name, run->decision.kind, run->decision.reason);
	/* Without a snapshot too: what the application asks for is then answered. */
	rc = cold_start(&cold, take || (!run->facts.no_snapshot && cold_agent_exists()), ret_status,
			err);
	if (rc < 0)
		return rc;
	if (take) {
		rc = cold_snapshot(&cold, true, true, &problem);
		if (rc < 0) {
			log_no_snapshot(rc, &problem);
			metrics_snapshot_failed(cold.name);
		}
	}
	return cold_supervise(&cold, ret_status, err);
}

static void run_end(struct run *run)
{
	start_end(&run->start);
}

int verb_run(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	__attribute__((cleanup(run_end))) struct run run = {.settings = settings};
	int rc = start_begin(&run.start, settings, ret_status, err);

	if (rc < 0)
		return rc;
	supervise_end_at_once(&run.start.supervise, true);
	run.facts.no_snapshot = run.start.command.no_snapshot;
	run.facts.no_restore = settings->no_restore;
	run.facts.no_checkpoint = settings->no_checkpoint;
	if (!run.facts.no_snapshot)
		find_slot(&run);
	rc = try_restore(&run, ret_status, err);
	if (rc == 0)
		rc = run_cold(&run, ret_status, err);
	return rc < 0 ? rc : 0;
}
