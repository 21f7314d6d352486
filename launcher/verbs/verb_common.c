/* See verb_common.h. */
#include "launcher/verbs/verb_common.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "launcher/supervise/fds.h"
#include "launcher/report/log.h"
#include "launcher/report/metrics.h"
#include "launcher/store/probation.h"
#include "launcher/store/trust.h"
#include "launcher/report/start_time.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

int start_begin(struct start *start, const struct settings *settings, int *ret_status,
		struct jsnap_error *err)
{
	unsigned level = cpu_level_of(settings->cpu);
	int rc = cpu_level_check(level, err);

	if (rc < 0)
		return rc;
	rc = supervise_begin(&start->supervise, err);

	start->settings = settings;
	start->slot.lock_fd = -1;
	if (rc == 0)
		rc = fds_fill_standard(err);
	if (rc == 0)
		rc = environment_of_caller(settings->set_env, settings->n_set_env, &start->env,
					   err);
	if (rc == 0)
		rc = cpu_level_environment(level, settings->scrub_native, &start->env,
					   start->cpu_vars, err);
	if (rc == 0)
		rc = java_command_parse(settings->argv, settings->argc, start->env.vars,
					&start->command, ret_status, err);
	return rc;
}

int start_find_slot(struct start *start, struct jsnap_error *err)
{
	CLEANUP_FREE char *cwd = getcwd(NULL, 0);
	int rc;

	if (!cwd)
		return error_errno(err, "find the working folder");
	rc = trust_check(start->settings, err);
	if (rc < 0)
		return rc;
	rc = key_collect(start->settings, &start->command, cwd, start->env.vars, &start->facts,
			 err);
	if (rc < 0)
		return rc;
	return store_slot_open(start->settings, &start->facts, &start->slot, err);
}

void start_end(struct start *start)
{
	if (start->slot.image)
		store_slot_close(&start->slot);
	key_facts_free(&start->facts);
	java_command_free(&start->command);
	environment_free(&start->env);
	for (size_t i = 0; i < CPU_LEVEL_MAX_VARS; i++)
		free(start->cpu_vars[i]);
	supervise_end(&start->supervise);
}

int verb_lock(struct store_slot *slot, enum store_lock mode, struct jsnap_error *err)
{
	int rc = store_lock(slot, mode, false, err);

	if (rc != -EWOULDBLOCK)
		return rc;
	log_info("another jsnap is working on this snapshot: waiting for it");
	return store_lock(slot, mode, true, err);
}

static void report_phases(const char *name, const struct phases *phases)
{
	struct log_field fields[PHASE_COUNT + 2] = {{.key = "event", .value = "phases"},
						    {.key = "name", .value = name}};
	char line[PHASES_LINE_SIZE];

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	for (int i = 0; i < PHASE_COUNT; i++)
		fields[i + 2] = (struct log_field){.key = phase_name((enum phase)i),
						   .number = (double)phases->ns[i] / 1e6};
	phases_line(phases, line);
	log_event(LOG_LEVEL_DEBUG, fields, ARRAY_SIZE(fields), "restore: %s", line);
}

void verb_report_restored(const struct restore_source *source, const struct restore_job *job)
{
	double ms = start_time_elapsed_ms();
	enum tids_way tids = job->restored.tids;
	char name[256], key[64];

	restore_job_name(source, name, sizeof(name), key, sizeof(key));

	const struct log_field fields[] = {
		{.key = "event", .value = "restored"},
		{.key = "name", .value = name},
		{.key = "key", .value = key},
		{.key = "ms", .number = ms},
		{.key = "tids", .value = tids_way_name(tids)},
	};

	log_event(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields),
		  "restored %s %.12s in %.1f ms (tids: %s)", name, key, ms, tids_way_name(tids));
	report_phases(name, &job->phases);
	metrics_restored(name, &job->restored, ms, &job->phases);
}

void verb_report_cold(const char *name, const char *kind, const char *reason)
{
	const struct log_field fields[] = {
		{.key = "event", .value = "cold"},
		{.key = "name", .value = name},
		{.key = "kind", .value = kind},
		{.key = "reason", .value = reason},
	};

	log_event(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields), "cold start: %s", reason);
	metrics_cold(name, kind);
}

void verb_restored_ended(struct restore_job *job)
{
	const struct supervise *s = job->supervise;
	uint64_t after = monotonic_ns() - job->running_ns;

	if (s->ended && job->slot &&
	    probation_failed(s->wait_status, after, job->settings->probation_ns))
		probation_mark(job->slot, &job->id, s->wait_status, after);
	restore_job_close(job);
}

/* Neither command line nor key of it are known here, and nobody is to take a success for a
 * snapshot. */
static void refuse_snapshot(struct agent_client *agent)
{
	agent->strict = true;
	agent_client_resumed(agent,
			     "the program was brought back by `jsnap restore`, which takes no "
			     "snapshots; `jsnap run` does");
}

int verb_supervise_restored(struct restore_job *job, int *ret_status, struct jsnap_error *err)
{
	struct supervise *s = job->supervise;
	int rc;

	if (fault_on(FAULT_PROBATION))
		kill(job->restored.pid, SIGSEGV);
	do {
		struct pollfd fd = {.fd = job->agent.fd, .events = POLLIN};

		rc = supervise_wait_ending(s, &fd, 1, 0);
		if (rc > 0)
			agent_client_read(&job->agent);
		if (job->agent.requested)
			refuse_snapshot(&job->agent);
	} while (rc >= 0);
	verb_restored_ended(job);
	if (rc != -ECHILD)
		return supervise_explain(s, rc, err);
	*ret_status = supervise_exit_status(s->wait_status);
	return 0;
}
