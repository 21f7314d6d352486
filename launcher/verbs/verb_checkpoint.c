/* jsnap checkpoint: start, warm, take the snapshot, end. For image builds: its failure is one. */
#include "launcher/verbs/verbs.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/cold/cold.h"
#include "launcher/report/log.h"
#include "launcher/report/metrics.h"
#include "launcher/verbs/verb_common.h"

#define END_PATIENCE_NS 30000000000ull

/* The program was started for the snapshot alone: without one it has to go, as SIGTERM asks it. */
static void end_program(struct cold *cold)
{
	struct supervise *s = cold->supervise;
	uint64_t deadline = monotonic_ns() + END_PATIENCE_NS;
	int status, rc = 0;

	if (s->ended)
		return;
	if (!s->ending_signal)
		kill(s->pid, SIGTERM);
	do {
		rc = supervise_wait_ending(s, NULL, 0, deadline);
	} while (rc > 0);
	if (rc == 0) {
		log_warn("the program does not end on SIGTERM; killing it");
		kill(s->pid, SIGKILL);
	}
	(void)cold_supervise(cold, &status, NULL);
}

static int await_image(struct cold *cold, struct jsnap_error *err)
{
	const struct checkpoint_stats stats = cold->job.stats;
	struct snapshot_result result = {0};
	int rc = cold_await_image(cold, &result, err);

	if (rc == 0)
		cold_report(cold, &stats, &result);
	return rc;
}

static int take(struct start *start, struct cold *cold, int *ret_status, struct jsnap_error *err)
{
	bool keep = start->settings->keep_running;
	int rc;

	cold_init(cold);
	cold->agent.strict = true;
	rc = cold_check(cold, err);
	if (rc == 0)
		rc = cold_start(cold, true, ret_status, err);
	if (rc < 0)
		return rc;
	rc = cold_snapshot(cold, keep, keep, err);
	if (rc == 0)
		rc = await_image(cold, err);
	if (rc < 0) {
		metrics_snapshot_failed(cold->name);
		end_program(cold);
		/* Somebody stopped the whole undertaking. */
		if (start->supervise.ending_signal) {
			*ret_status = 128 + start->supervise.ending_signal;
			log_info("no snapshot: %s", err->text);
			return 0;
		}
		return error_context(err, "no snapshot");
	}
	if (keep)
		return cold_supervise(cold, ret_status, err);
	end_program(cold);
	*ret_status = 0;
	return 0;
}

int verb_checkpoint(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_START struct start start = {.slot.lock_fd = -1};
	int rc;

	if (settings->pid)
		return demand_snapshot(settings->pid, settings->timeout_ns, ret_status, err);
	rc = start_begin(&start, settings, ret_status, err);
	if (rc < 0)
		return rc;
	log_show_progress();
	supervise_end_at_once(&start.supervise, true);
	if (start.command.no_snapshot)
		return error_set(err, EINVAL, "there is nothing to take a snapshot of: %s",
				 start.command.no_snapshot);
	rc = java_command_check_program(&start.command, err);
	if (rc == 0)
		rc = start_find_slot(&start, err);
	if (rc == 0) {
		CLEANUP_COLD struct cold cold = {.settings = settings,
						 .command = &start.command,
						 .env = &start.env,
						 .supervise = &start.supervise,
						 .facts = &start.facts,
						 .slot = &start.slot,
						 .replace = true};

		rc = take(&start, &cold, ret_status, err);
	}
	return rc;
}
