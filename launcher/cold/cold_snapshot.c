/* The way to a snapshot (cold.h): a table of phases, each with what it waits for. */
#include "launcher/cold/cold.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "image/image.h"
#include "launcher/java/cpu_level.h"
#include "launcher/warm/hooks.h"
#include "launcher/report/log.h"
#include "launcher/report/metrics.h"
#include "launcher/store/trust.h"

#include <string.h>

#define SETTLE_NS     5000000000ull /* after the warm-up: compilers and their like */
#define END_NOTICE_NS 1000000000ull
/* After the heap's collection: requests to each page, the time for them, and for the last. */
#define AGAIN	    20
#define AGAIN_NS    2000000000ull
#define ONE_MORE_NS 10000000000ull

static struct ready_target target_of(struct cold *cold)
{
	return (struct ready_target){.supervise = cold->supervise,
				     .agent = &cold->agent,
				     .relay = &cold->relay,
				     .env = cold->env->vars};
}

static int phase_hello(struct cold *cold, uint64_t deadline, struct jsnap_error *err)
{
	(void)deadline;
	return agent_client_hello(&cold->agent, err);
}

static int phase_ready(struct cold *cold, uint64_t deadline, struct jsnap_error *err)
{
	const struct ready_target target = target_of(cold);
	int rc = ready_wait(&cold->ready, &target, deadline, err);

	if (rc == 0) {
		double ms = (double)(monotonic_ns() - cold->started_ns) / 1e6;

		log_debug("ready after %.1f s", ms / 1e3);
		metrics_ready(cold->name, ms);
	}
	return rc;
}

static int phase_warm(struct cold *cold, uint64_t deadline, struct jsnap_error *err)
{
	const struct settings *s = cold->settings;
	const struct ready_target target = target_of(cold);
	const struct warmup_options options = {.what = "warm-up",
					       .steps = s->warmup,
					       .n_steps = s->n_warmup,
					       .requests = s->warmup_requests,
					       .answer_ns = WARMUP_REQUEST_TIMEOUT_NS,
					       .steady = s->warmup_steady,
					       .time_ns = s->warmup_time_ns,
					       .until_asked = true,
					       .deadline_ns = deadline};
	struct warmup_result result = {0};
	int rc;

	/* It waits for its snapshot: nobody could be answered. */
	if (cold->agent.requested) {
		if (s->n_warmup)
			log_info("the program asks for its snapshot itself: --warmup is left out");
		return 0;
	}
	rc = warmup_run(&options, &target, &result, err);
	if (rc == 0 && s->n_warmup)
		log_debug("warm after %llu requests%s", (unsigned long long)result.requests,
			  result.out_of_time ? " (--warmup-time was up)" : "");
	if (rc == 0 && result.unanswered)
		log_warn("--warmup-time was up before %s had answered once: in this the snapshot "
			 "will not be warm",
			 result.unanswered);
	return rc;
}

/* A program that is never quiet gets its snapshot all the same: its conditions were met. */
static int phase_settle(struct cold *cold, uint64_t deadline, struct jsnap_error *err)
{
	const struct ready_target target = target_of(cold);
	int rc;

	(void)deadline;
	if (cold->agent.requested)
		return 0;
	rc = ready_wait_quiet(&target, monotonic_ns() + SETTLE_NS, err);
	if (rc == -ETIMEDOUT)
		log_debug("%s; the snapshot is taken now", err->text);
	return rc == -ETIMEDOUT ? 0 : rc;
}

/* Where two jsnaps started the same program, one takes the snapshot. */
static int phase_lock(struct cold *cold, uint64_t deadline, struct jsnap_error *err)
{
	char reason[256];
	int rc = store_lock(cold->slot, STORE_LOCK_EXCLUSIVE, false, err);

	(void)deadline;
	if (rc == -EWOULDBLOCK)
		return error_set(err, EALREADY,
				 "another jsnap is taking this snapshot, or a "
				 "program is being restored from it");
	if (rc < 0 || cold->settings->no_restore)
		return rc;
	{
		CLEANUP_CLOSE int fd = store_open_image(cold->slot, NULL);
		CLEANUP_IMAGE struct image *image = NULL;

		if (fd < 0 || trust_open_image(cold->settings, fd, &image, NULL) < 0)
			return 0;
		if (!cold->replace &&
		    key_compare(image_manifest(image), cold->facts, reason, sizeof(reason)) == 0)
			return error_set(err, EALREADY, "another jsnap has taken it meanwhile");
	}
	return 0;
}

static const struct {
	const char *goal; /* in words, after "before" */
	int (*run)(struct cold *cold, uint64_t deadline, struct jsnap_error *err);
} phases[] = {
	{"it was ready", phase_hello},
	{"it was ready", phase_ready},
	{"it was warm", phase_warm},
	{"it was quiet", phase_settle},
	{"the snapshot was taken", phase_lock},
};

/* As an application's users would ask: a failure costs no snapshot, but the program's end does. No
 * answer is left half given: the snapshot would have it. */
static int warm_again(void *ctx, struct jsnap_error *err)
{
	struct cold *cold = ctx;
	const struct settings *s = cold->settings;
	const struct ready_target target = target_of(cold);
	const struct warmup_options options = {
		.what = "second warm-up",
		.steps = s->warmup,
		.n_steps = s->n_warmup,
		.pages_alone = true,
		.requests = s->warmup_requests < AGAIN ? s->warmup_requests : AGAIN,
		.answer_ns = ONE_MORE_NS,
		.time_ns = AGAIN_NS,
		.finish = true};
	struct warmup_result result = {0};
	int rc = warmup_run(&options, &target, &result, err);

	if (rc == -ECHILD || rc == -ECANCELED)
		return rc;
	if (rc < 0)
		log_debug("%s", err->text);
	else
		log_debug("warmed again by %llu requests", (unsigned long long)result.requests);
	rc = ready_wait_quiet(&target, monotonic_ns() + AGAIN_NS, err);
	if (rc == -ECHILD || rc == -ECANCELED)
		return rc;
	if (rc < 0)
		log_debug("%s; the snapshot is taken now", err->text);
	return 0;
}

/* What hooks have closed can't be asked, and nobody answers who waits for his snapshot. */
static bool can_warm_again(const struct cold *cold)
{
	return cold->settings->n_warmup && !cold->settings->n_before_checkpoint &&
	       !cold->agent.requested;
}

/* `again`: warm_again, or NULL for a program that is to be stored as it is. */
static int take(struct cold *cold, bool leave_running, bool background,
		int (*again)(void *ctx, struct jsnap_error *err), struct jsnap_error *err)
{
	const struct snapshot_request request = {
		.supervise = cold->supervise,
		.agent = &cold->agent,
		.control_fd = cold->control_number,
		.inherited = cold->inherited,
		.n_inherited = cold->n_inherited,
		.slot = cold->slot,
		.settings = cold->settings,
		.hot_copy = trust_keeps_copy(cold->settings, trust_protection(cold->settings)),
		.facts = cold->facts,
		.command = cold->command,
		.cpu_level = cpu_level_of(cold->settings->cpu),
		.policy = &cold->policy,
		.leave_running = leave_running,
		.background = background,
		.warm_again = again,
		.warm_again_ctx = cold,
	};
	const struct ready_target target = target_of(cold);
	const struct settings *s = cold->settings;
	/* The user's own preparations; the first that fails costs the snapshot. */
	int rc = hooks_run("--before-checkpoint", s->before_checkpoint, s->n_before_checkpoint,
			   s->hook_timeout_ns, &target, err);

	if (rc == 0)
		rc = snapshot_take(&request, &cold->job, err);
	/* What was prepared is undone, with and without a snapshot. */
	if ((rc < 0 || leave_running) && rc != -ECHILD && rc != -ECANCELED)
		hooks_after_restore(s, &target);
	return rc;
}

/*
 * The end of a program shows first as the end of its control channel, a moment later as its status;
 * the status is what people want to hear of.
 */
static int explain(struct cold *cold, int rc, const char *goal, struct jsnap_error *err)
{
	struct supervise *s = cold->supervise;
	char words[sizeof(err->text)];

	if ((rc == -ENODATA || rc == -EPIPE || rc == -ECONNRESET) &&
	    supervise_pause(s, END_NOTICE_NS) == -ECHILD)
		rc = supervise_explain(s, -ECHILD, err);
	if (rc != -ECHILD)
		return rc;
	snprintf(words, sizeof(words), "%s", err->text);
	return error_set(err, ECHILD, "%s before %s", words, goal);
}

int cold_snapshot(struct cold *cold, bool leave_running, bool background, struct jsnap_error *err)
{
	uint64_t timeout = cold->settings->timeout_ns;
	uint64_t deadline = timeout ? monotonic_ns() + timeout : 0;
	const char *goal = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(phases); i++) {
		goal = phases[i].goal;
		rc = phases[i].run(cold, deadline, err);
	}
	if (rc == 0)
		rc = take(cold, leave_running, background, can_warm_again(cold) ? warm_again : NULL,
			  err);
	if (rc == 0)
		return 0;
	rc = explain(cold, rc, goal, err);
	store_unlock(cold->slot);
	if (cold->agent.requested)
		agent_client_resumed(&cold->agent, rc == -EALREADY ? NULL : err->text);
	return rc;
}

void cold_after_restore(struct cold *cold)
{
	const struct ready_target target = target_of(cold);

	hooks_after_restore(cold->settings, &target);
}

int cold_snapshot_now(struct cold *cold, struct jsnap_error *err)
{
	int rc;

	if (!cold->facts || !cold->slot || !cold->slot->image)
		return error_set(err, ENOTSUP, "no snapshots are kept of this program");
	if (cold->job.result_fd >= 0)
		return error_set(err, EBUSY,
				 "the last snapshot is still being written; try again later");
	rc = store_lock(cold->slot, STORE_LOCK_EXCLUSIVE, false, err);
	if (rc == -EWOULDBLOCK)
		return error_set(err, EBUSY,
				 "another jsnap is taking this snapshot, or a program is being "
				 "restored from it; try again later");
	if (rc == 0)
		rc = take(cold, true, true, NULL, err);
	if (rc < 0)
		store_unlock(cold->slot);
	return rc;
}

int cold_await_image(struct cold *cold, struct snapshot_result *ret_result, struct jsnap_error *err)
{
	struct supervise *s = cold->supervise;

	for (;;) {
		struct pollfd fd = {.fd = cold->job.result_fd, .events = POLLIN};
		int rc;

		/* One that goes on has the terminal for itself. */
		if (s->ended || !cold->settings->keep_running)
			snapshot_show_progress(&cold->job);
		rc = s->ended ? poll(&fd, 1, LOG_PROGRESS_NS / 1000000)
			      : supervise_wait_ending(s, &fd, 1, monotonic_ns() + LOG_PROGRESS_NS);
		if (rc > 0 && fd.revents)
			return snapshot_collect(&cold->job, ret_result, err);
		if (rc < 0 && rc != -ECHILD && !(s->ended && errno == EINTR))
			return supervise_explain(s, rc, err);
	}
}
