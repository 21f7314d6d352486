/* jsnap restore: one snapshot, named by key, file or - (standard input), or fail. */
#include "launcher/verbs/verbs.h"

#include "base/cleanup.h"
#include "conf/values.h"
#include "launcher/supervise/environment.h"
#include "launcher/supervise/fds.h"
#include "launcher/report/log.h"
#include "launcher/store/probation.h"
#include "launcher/restore/restore_job.h"
#include "launcher/report/start_time.h"
#include "launcher/verbs/verb_common.h"
#include "launcher/warm/hooks.h"

#include <fcntl.h>
#include <string.h>

struct restore {
	const struct settings *settings;
	struct supervise supervise;
	struct environment env;
	struct store_slot slot; /* image NULL: read from standard input */
	struct restore_source source;
};

static void restore_end(struct restore *r)
{
	restore_source_close(&r->source);
	if (r->slot.image)
		store_slot_close(&r->slot);
	environment_free(&r->env);
	supervise_end(&r->supervise);
}

static int find(struct restore *r, struct jsnap_error *err)
{
	const struct settings *s = r->settings;

	if (s->argc > 1)
		return error_set(err, EINVAL, "restore takes one snapshot, not '%s' too",
				 s->argv[1]);
	if (s->argc && s->image)
		return error_set(err, EINVAL, "both --image %s and '%s' name a snapshot", s->image,
				 s->argv[0]);
	if (s->image)
		return store_slot_of_image(s->image, &r->slot, err);
	if (!s->argc)
		return error_set(err, EINVAL, "restore needs a KEY, a FILE, - or --image FILE");
	return store_find(s, s->argv[0], &r->slot, err);
}

static int open_source(struct restore *r, struct jsnap_error *err)
{
	int fd, rc;

	if (r->settings->argc == 1 && strcmp(r->settings->argv[0], "-") == 0) {
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return error_errno(err, "standard input");
		rc = restore_source_open(r->settings, NULL, fd, &r->source, err);
		return rc < 0 ? error_context(err, "standard input") : 0;
	}
	rc = find(r, err);
	if (rc == 0)
		rc = verb_lock(&r->slot, STORE_LOCK_SHARED, err);
	if (rc < 0)
		return rc;
	fd = store_open_image(&r->slot, err);
	if (fd < 0)
		return fd;
	rc = restore_source_open(r->settings, &r->slot, fd, &r->source, err);
	return rc < 0 ? error_context(err, "%s", r->slot.image) : 0;
}

static int run(struct restore *r, int *ret_status, struct jsnap_error *err)
{
	const struct settings *s = r->settings;
	struct restore_job job = {.supervise = &r->supervise,
				  .settings = s,
				  .env = s->env_refresh ? r->env.vars : NULL,
				  .slot = r->slot.image ? &r->slot : NULL,
				  .args = s->args,
				  .n_args = (size_t)s->n_args,
				  .agent.fd = -1};
	struct relay none = {.report_fd = -1};
	const struct ready_target target = {.supervise = &r->supervise,
					    .agent = &job.agent,
					    .relay = &none,
					    .env = r->env.vars};
	char reason[512];
	int rc;

	if (job.slot && probation_bad(job.slot, &r->source.header->id, reason, sizeof(reason))) {
		error_set(err, ESTALE, "%s", reason);
		return error_hint(err, "remove %s to try it again", job.slot->bad);
	}
	phases_begin(&job.phases, start_time_ns());
	phases_end(&job.phases, PHASE_DECIDE);
	rc = restore_job_run(&job, &r->source, err);
	if (rc < 0)
		return rc;
	verb_report_restored(&r->source, &job);
	restore_source_close(&r->source);
	if (r->slot.image)
		store_unlock(&r->slot);
	hooks_after_restore(s, &target);
	return verb_supervise_restored(&job, ret_status, err);
}

/* For all verbs in a file or a variable it may well be cold; said to this one it is a mistake. */
static int check_settings(const struct settings *s, struct jsnap_error *err)
{
	if (s->on_restore_failure == FAILURE_COLD &&
	    s->values->values[SCHEMA_ON_RESTORE_FAILURE].source == CONF_OPTION) {
		error_set(err, EINVAL,
			  "--on-restore-failure cold: restore knows no command to start cold");
		return error_hint(err, "`jsnap run` does");
	}
	return hooks_check(s, err);
}

int verb_restore(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	__attribute__((cleanup(restore_end))) struct restore r = {
		.settings = settings,
		.source = {.image_fd = -1, .hot.fd = -1},
		.slot.lock_fd = -1,
	};
	int rc = check_settings(settings, err);

	if (rc < 0)
		return rc;
	rc = supervise_begin(&r.supervise, err);
	supervise_end_at_once(&r.supervise, true);
	if (rc == 0)
		rc = fds_fill_standard(err);
	if (rc == 0)
		rc = environment_of_caller(settings->set_env, settings->n_set_env, &r.env, err);
	if (rc == 0)
		rc = open_source(&r, err);
	if (rc == 0)
		rc = run(&r, ret_status, err);
	return rc;
}
