/* The application's side of snapshot_job.h: quiesce, capture, release. */
#include "launcher/cold/snapshot_job.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "image/image.h"
#include "launcher/supervise/fds.h"
#include "launcher/cold/snapshot_writer.h"
#include "launcher/report/amount.h"
#include "launcher/report/log.h"

#include <string.h>

struct externals {
	struct checkpoint_external list[FDS_MAX_INHERITED + 1];
	char names[FDS_MAX_INHERITED][16];
	size_t count;
};

/* An inherited descriptor that the program has closed or replaced is its own affair. */
static struct externals *find_externals(const struct snapshot_request *r)
{
	struct externals *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->list[e->count++] =
		(struct checkpoint_external){.fd = r->control_fd, .slot = SNAPSHOT_SLOT_CONTROL};
	for (size_t i = 0; i < r->n_inherited && i < FDS_MAX_INHERITED; i++) {
		if (!fds_same_file(r->inherited[i], r->supervise->pid))
			continue;
		snprintf(e->names[i], sizeof(e->names[i]), SNAPSHOT_SLOT_FD "%d", r->inherited[i]);
		e->list[e->count++] =
			(struct checkpoint_external){.fd = r->inherited[i], .slot = e->names[i]};
	}
	return e;
}

/* The application's threads, held by the agent, go on. */
struct release {
	struct agent_client *agent;
	bool done;
	uint64_t ns;
};

static void release(void *ctx)
{
	struct release *release = ctx;

	release->done = true;
	agent_client_resumed(release->agent, NULL);
	release->ns = monotonic_ns();
}

/* Meanwhile signals have their effect on it. */
static void wait_while_read(void *ctx, int fd)
{
	struct pollfd done = {.fd = fd, .events = POLLIN};

	(void)supervise_wait_ending(ctx, &done, 1, 0);
}

static int capture(const struct snapshot_request *r, struct snapshot_writer *w,
		   const struct checkpoint_expected *expected, struct snapshot_job *job,
		   struct release *released, struct jsnap_error *err)
{
	CLEANUP_FREE struct externals *externals = find_externals(r);
	struct checkpoint_options options;

	if (!externals)
		return error_set(err, ENOMEM, "no memory for the list of descriptors");
	options = (struct checkpoint_options){
		.pid = r->supervise->pid,
		.leave_running = r->leave_running,
		.stream_fd = w->hot.fd,
		.stream_offset = w->hot.stream_offset,
		.externals = externals->list,
		.n_externals = externals->count,
		.file_backed = true, /* HotSpot's own memory: see checkpoint/anon_rule.c */
		.arenas_kept = job->prepared.arenas_kept,
		.cpu_level = r->cpu_level,
		.expected = expected,
		.released = release,
		.released_ctx = released,
		.wait = wait_while_read,
		.wait_ctx = r->supervise,
		.policy = {.decide = fd_policy_decide, .ctx = r->policy},
		.stop_by_ns = job->held.held ? job->held_until_ns : 0,
	};
	return checkpoint_capture(&options, &w->manifest, &job->stats, err);
}

/* Whoever forbids a descriptor wants to know where it comes from. */
static void name_opener(const struct snapshot_request *r, struct jsnap_error *err)
{
	CLEANUP_FREE char *stack = NULL;

	if (!r->policy->refused)
		return;
	if (agent_client_opener(r->agent, r->policy->refused_fd, &stack, NULL) == 0 && stack)
		error_hint(err, "it was opened%s", stack);
}

/* The pause as the application sees it: from when the agent began to hold its threads. */
static void count_pause(struct snapshot_job *job, uint64_t held, uint64_t released)
{
	struct checkpoint_stats *stats = &job->stats;
	uint64_t whole = job->held.ns + (released - held);

	if (stats->n_parts < CHECKPOINT_PARTS) {
		stats->parts[stats->n_parts].name = "held before and after";
		stats->parts[stats->n_parts++].ns = whole - stats->pause_ns;
	}
	stats->pause_ns = whole;
}

#define HOLD_SECONDS 60u

/* Its threads stand still for the capture: what they would do between the capture and the refresh
 * after a restore, two restores would do alike. */
static int hold(const struct snapshot_request *r, struct snapshot_job *job, struct jsnap_error *err)
{
	const char *late = fault_value(FAULT_HOLD_LATE);
	unsigned int seconds = late ? 1 : HOLD_SECONDS;
	int rc;

	job->held_until_ns = monotonic_ns() + seconds * 1000000000ull;
	rc = agent_client_hold(r->agent, seconds, &job->held, err);
	if (rc == 0 && !job->held.held)
		log_warn("the JVM does not let jsnap hold the program's threads (a debugger may "
			 "have that right): what runs first after a restore may see the old "
			 "environment, and share random numbers with another restore");
	if (late)
		usleep((useconds_t)atoi(late) * 1000);
	return rc;
}

/*
 * A full collection has the VM enter each compiled method by a barrier once more (HotSpot's
 * BarrierSetNMethod; JDK 25's G1: CodeCache::arm_all_nmethods), and that executes CPUID, which
 * takes 4 us and more in a virtual machine: some hundred methods make half of a restored program's
 * first answer. Whose resources have closed themselves can't be asked.
 */
static int warm_again(const struct snapshot_request *r, const struct agent_prepared *prepared,
		      struct jsnap_error *err)
{
	int rc;

	if (!r->warm_again || prepared->told)
		return 0;
	rc = r->warm_again(r->warm_again_ctx, err);
	/* What it has opened and loaded meanwhile is to be known, too. */
	return rc < 0 ? rc
		      : agent_client_prepare_again(r->agent, r->settings->hook_timeout_ns, err);
}

/* From PREPARE on the agent waits for RESUMED, whatever comes. */
static int quiesce_and_capture(const struct snapshot_request *r, struct snapshot_writer *w,
			       struct snapshot_job *job, struct jsnap_error *err)
{
	CLEANUP_CHECKPOINT_EXPECTED struct checkpoint_expected expected = {0};
	struct release released = {.agent = r->agent};
	uint64_t held = 0;
	int rc = agent_client_prepare(r->agent, r->settings->hook_timeout_ns, &job->prepared, err);

	r->policy->refused = false;
	if (rc == 0)
		rc = warm_again(r, &job->prepared, err);
	if (rc == 0)
		rc = image_header_here(r->supervise->pid, &w->header, err);
	if (rc == 0 && r->leave_running)
		checkpoint_expect(r->supervise->pid, &expected);
	if (rc == 0)
		rc = hold(r, job, err);
	held = monotonic_ns();
	if (rc == 0)
		rc = capture(r, w, &expected, job, &released, err);
	if (rc < 0)
		name_opener(r, err);
	if (rc < 0 && !released.done)
		agent_client_resumed(r->agent, err->text);
	if (rc == 0 && released.done)
		count_pause(job, held, released.ns);
	return rc;
}

int snapshot_take(const struct snapshot_request *request, struct snapshot_job *ret_job,
		  struct jsnap_error *err)
{
	CLEANUP_SNAPSHOT_WRITER struct snapshot_writer writer = {.request = request, .hot.fd = -1};
	struct snapshot_job job = {.result_fd = -1};
	int rc = manifest_init(&writer.manifest, err);

	if (rc == 0)
		rc = hot_create(request->hot_copy ? request->slot->hot : NULL, &writer.hot, err);
	writer.hot.spare_others = request->slot->spare_others;
	if (rc == 0)
		rc = quiesce_and_capture(request, &writer, &job, err);
	if (rc == 0)
		rc = snapshot_writer_start(&writer, &job, err);
	if (rc < 0)
		return rc;
	*ret_job = job;
	return 0;
}

void snapshot_show_progress(const struct snapshot_job *job)
{
	static char what[] = "compressing";

	if (job->progress && job->progress->total)
		amount_progress(what, job->progress->done, job->progress->total);
	else
		log_progress("%s", what);
}

int snapshot_collect(struct snapshot_job *job, struct snapshot_result *ret_result,
		     struct jsnap_error *err)
{
	struct snapshot_result result;
	int rc = read_full(job->result_fd, &result, sizeof(result));

	log_progress_end();
	close(steal_fd(&job->result_fd));
	supervise_forget(job->helper);
	snapshot_progress_free(job->progress);
	*job = (struct snapshot_job){.result_fd = -1};
	if (rc < 0)
		return error_set(err, EIO, "the process that wrote the image was killed");
	if (result.rc < 0) {
		if (err)
			*err = result.error;
		return result.rc;
	}
	*ret_result = result;
	return 0;
}
