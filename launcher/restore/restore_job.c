/* See restore_job.h. */
#include "launcher/restore/restore_job.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "launcher/key/key.h"
#include "launcher/restore/confinement.h"
#include "launcher/supervise/fds.h"
#include "launcher/restore/heap_limit.h"
#include "launcher/restore/held_threads.h"
#include "launcher/report/log.h"
#include "launcher/restore/read_ahead.h"
#include "launcher/restore/recorder.h"
#include "launcher/cold/snapshot_job.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define END_TIMEOUT_NS 5000000000ull

void restore_job_name(const struct restore_source *source, char *name, size_t name_size, char *key,
		      size_t key_size)
{
	const struct manifest *m = source->manifest;
	const char *note = manifest_note(m, "name");

	snprintf(name, name_size, "%s", note ? note : m->n_threads ? m->threads[0].comm : "?");
	note = manifest_note(m, "key");
	if (note)
		snprintf(key, key_size, "%s", note);
	else
		snprintf(key, key_size, "%016llx%016llx", (unsigned long long)source->header->id.hi,
			 (unsigned long long)source->header->id.lo);
}

struct inherits {
	struct restore_inherit *list;
	size_t count;
	int null_fd, control_fd; /* owned */
};

static void inherits_free(struct inherits *i)
{
	free(i->list);
	cleanup_close(&i->null_fd);
	cleanup_close(&i->control_fd);
}

/* The caller's descriptor for a slot; /dev/null where the caller has none. */
static int descriptor_for(const char *slot, const struct inherits *i)
{
	static const char *const standard[] = {"stdin", "stdout", "stderr"};
	size_t prefix = strlen(SNAPSHOT_SLOT_FD);

	for (int fd = 0; fd < 3; fd++)
		if (strcmp(slot, standard[fd]) == 0)
			return fd;
	if (strcmp(slot, SNAPSHOT_SLOT_CONTROL) == 0)
		return i->control_fd;
	if (strncmp(slot, SNAPSHOT_SLOT_FD, prefix) == 0) {
		int fd = atoi(slot + prefix);
		int flags = fd > 2 ? fcntl(fd, F_GETFD) : -1;

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			return fd;
	}
	return i->null_fd;
}

static bool has_slot(const struct inherits *i, const char *slot)
{
	for (size_t n = 0; n < i->count; n++)
		if (strcmp(i->list[n].slot, slot) == 0)
			return true;
	return false;
}

static int find_inherits(const struct manifest *m, struct restore_job *job, struct inherits *i,
			 struct jsnap_error *err)
{
	i->list = calloc(m->n_files + 1, sizeof(*i->list));
	if (!i->list)
		return error_set(err, ENOMEM, "no memory for %u descriptors", m->n_files);
	i->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (i->null_fd < 0)
		return error_errno(err, "open /dev/null");
	for (uint32_t n = 0; n < m->n_files; n++) {
		const char *slot = manifest_str(m, m->files[n].name);

		if (m->files[n].kind != M_FILE_INHERIT || has_slot(i, slot))
			continue;
		if (strcmp(slot, SNAPSHOT_SLOT_CONTROL) == 0) {
			int rc =
				agent_client_open(job->supervise, &job->agent, &i->control_fd, err);

			if (rc < 0)
				return rc;
		}
		i->list[i->count++] =
			(struct restore_inherit){.slot = slot, .fd = descriptor_for(slot, i)};
	}
	return 0;
}

/* False: there is none yet, or none of this image. */
static bool load_working_set(const struct restore_job *job, const struct restore_source *source,
			     struct working_set *set)
{
	struct jsnap_error problem = {0};
	int rc;

	if (!job->slot)
		return false;
	rc = working_set_load(job->slot->pages, &source->header->id, set, &problem);
	if (rc < 0)
		log_debug("no working set: %s", problem.text);
	return rc == 0;
}

static void record_working_set(const struct restore_job *job, const struct restore_source *source)
{
	const struct recorder recorder = {.manifest = source->manifest,
					  .id = &source->header->id,
					  .slot = job->slot,
					  .settings = job->settings,
					  .pid = job->restored.pid};

	struct jsnap_error problem = {0};

	/* It goes with the hot copy: without a place for that there is none for it. A program
	 * without an agent is somebody's plumbing, and nobody of ours stays beside it. */
	if (!job->slot || !source->hot.path || job->agent.fd < 0)
		return;
	if (store_place(job->slot, PLACE_PAGES, &problem) < 0)
		log_warn("no working set is kept: %s", problem.text);
	else
		recorder_start(&recorder);
}

/* What the manifest alone decides: before a byte of the page stream is decompressed. */
static int check(const struct restore_job *job, const struct restore_source *source,
		 struct jsnap_error *err)
{
	const struct settings *s = job->settings;
	struct machine machine;
	const struct restore_options options = {.manifest = source->manifest,
						.stream_fd = -1,
						.machine = &machine,
						.say = log_debug,
						.vouch = key_vouches,
						.listen_map = s->listen_map,
						.n_listen_map = s->n_listen_map};
	int rc = confinement_check_here(source->header, source->manifest, s->lsm, err);

	if (rc < 0)
		return rc;
	machine_here(fault_system_root(), &machine);
	rc = heap_limit_check(source->manifest, machine.memory_limit, err);
	return rc < 0 ? rc : restore_validate(&options, err);
}

static int check_and_load(struct restore_job *job, struct restore_source *source,
			  struct jsnap_error *err)
{
	int rc = check(job, source, err);

	phases_end(&job->phases, PHASE_VALIDATE);
	if (rc < 0)
		return rc;
	rc = restore_source_load(source, err);
	phases_end(&job->phases, PHASE_LOAD);
	return rc;
}

static int start_process(struct restore_job *job, const struct restore_source *source,
			 const struct working_set *set, struct namespaces *begun,
			 struct jsnap_error *err)
{
	CLEANUP_FREE uint32_t *held = NULL;
	__attribute__((cleanup(inherits_free))) struct inherits i = {.null_fd = -1,
								     .control_fd = -1};
	const struct settings *s = job->settings;
	struct restore_options options;
	bool at_once;
	char cwd[PATH_MAX];
	int rc = find_inherits(source->manifest, job, &i, err);

	if (rc < 0)
		return rc;
	options = (struct restore_options){
		.manifest = source->manifest,
		.begun = begun,
		.stream_fd = source->hot.fd,
		.stream_offset = source->hot.stream_offset,
		.tids = s->tids,
		.walk_budget_ns = s->walk_budget_ns,
		.say = log_debug,
		.inherits = i.list,
		.n_inherits = i.count,
		/* A Java program's working folder is its caller's; any other's is its own. */
		.cwd = i.control_fd >= 0 ? getcwd(cwd, sizeof(cwd)) : NULL,
		.listen_map = s->listen_map,
		.n_listen_map = s->n_listen_map,
		.working_set = set,
		.hold_ns = HELD_THREADS_NS,
		.await_let_in = i.control_fd >= 0,
		.stop_fd = job->supervise->end_fd,
	};
	options.held = held = held_threads(source->manifest, &options.n_held);
	at_once = supervise_end_at_once(job->supervise, false);
	rc = restore_process(&options, &job->restored, err);
	/* Nothing of it is left: what asked to end meanwhile has its effect now. */
	if (rc < 0)
		supervise_end_at_once(job->supervise, at_once);
	if (rc == 0)
		phases_end_engine(&job->phases, &job->restored);
	return rc;
}

/* The restored process has no memory of failures: it goes, and is reaped here. */
void restore_job_kill(struct restore_job *job)
{
	uint64_t deadline = monotonic_ns() + END_TIMEOUT_NS;

	kill(job->restored.pid, SIGKILL);
	while (supervise_wait_ending(job->supervise, NULL, 0, deadline) > 0)
		;
	restore_job_close(job);
}

/*
 * Asked to end meanwhile, the process has the signal already and does as it likes: no failure.
 */
static int refresh(struct restore_job *job, struct jsnap_error *err)
{
	const struct agent_restored what = {.env = job->env,
					    .args = job->args,
					    .n_args = job->n_args,
					    .props = job->settings->set_property,
					    .n_props = job->settings->n_set_property,
					    .reseed = job->settings->reseed,
					    .catch_up = job->settings->catch_up};
	const char *late = fault_value(FAULT_REFRESH_LATE);
	int rc = fault_fail(FAULT_REFRESH, EREMOTEIO, err);

	if (late)
		usleep((useconds_t)atoi(late) * 1000);
	if (rc == 0)
		rc = agent_client_restored(&job->agent, &what, job->sample, err);

	if (rc == -ECANCELED || (rc == -ECHILD && job->supervise->ending_signal))
		return 0;
	return rc;
}

int restore_job_run(struct restore_job *job, struct restore_source *source, struct jsnap_error *err)
{
	CLEANUP_WORKING_SET struct working_set set = {0};
	struct namespaces *begun = restore_begin(job->settings->tids);
	bool recorded = load_working_set(job, source, &set);
	int rc;

	if (recorded && source->hot.fd >= 0 && read_ahead(&source->hot, &set))
		log_debug("the hot copy is not in the page cache: read ahead");
	rc = check_and_load(job, source, err);
	if (rc == 0)
		rc = start_process(job, source, &set, begun, err);
	restore_abandon(begun);
	if (rc < 0) {
		agent_client_close(&job->agent);
		return rc;
	}
	job->id = source->header->id;
	job->running_ns = monotonic_ns();
	job->supervise->namespace_init = job->restored.init_pid;
	rc = supervise_adopt(job->supervise, job->restored.pid, err);
	if (rc == 0 && job->agent.fd >= 0)
		rc = refresh(job, err);
	else if (rc == 0 && job->sample)
		rc = error_set(err, ENOTSUP, "there is no agent in it: it is not a Java program's");
	if (rc < 0) {
		restore_job_kill(job);
		return error_context(err, "refresh the restored process");
	}
	restore_let_in(&job->restored);
	phases_end(&job->phases, PHASE_REFRESH);
	if (!recorded)
		record_working_set(job, source);
	return 0;
}

void restore_job_close(struct restore_job *job)
{
	agent_client_close(&job->agent);
	restore_let_in(&job->restored);
	/* A number that was reaped may already be somebody else's. */
	if (!job->supervise->namespace_init)
		job->restored.init_pid = 0;
	if (job->restored.pid)
		restore_cleanup(&job->restored);
	job->restored = (struct restored){0};
}
