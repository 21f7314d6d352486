/* See hooks.h: a hook is a warm-up of one request. */
#include "launcher/warm/hooks.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/report/log.h"
#include "launcher/warm/warmup.h"

int hooks_run(const char *what, const char *const *steps, size_t n, uint64_t timeout_ns,
	      const struct ready_target *target, struct jsnap_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct warmup_options options = {
			.what = what,
			.steps = &steps[i],
			.n_steps = 1,
			.requests = 1,
			.deadline_ns = timeout_ns ? monotonic_ns() + timeout_ns : 0,
		};
		struct warmup_result result = {0};

		rc = warmup_run(&options, target, &result, err);
	}
	return rc;
}

int hooks_check(const struct settings *s, struct jsnap_error *err)
{
	const struct warmup_options steps[] = {
		{.what = "--before-checkpoint",
		 .steps = s->before_checkpoint,
		 .n_steps = s->n_before_checkpoint},
		{.what = "--after-restore",
		 .steps = s->after_restore,
		 .n_steps = s->n_after_restore},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(steps); i++)
		rc = warmup_check(&steps[i], err);
	return rc;
}

void hooks_after_restore(const struct settings *s, const struct ready_target *target)
{
	struct jsnap_error err = {0};
	int rc = 0;

	if (s->n_after_restore) /* what it has closed for a snapshot is open again then */
		rc = agent_client_told(target->agent, s->hook_timeout_ns, &err);
	if (rc != -ECHILD && rc != -ECANCELED)
		rc = hooks_run("--after-restore", s->after_restore, s->n_after_restore,
			       s->hook_timeout_ns, target, &err);
	/* Its end, or that it is asked to end, is no failure of a hook. */
	if (rc < 0 && rc != -ECHILD && rc != -ECANCELED)
		log_warn("%s", err.text);
}
