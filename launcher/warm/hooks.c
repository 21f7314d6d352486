/* See hooks.h: a hook is a warm-up of one request. */
#include "launcher/warm/hooks.h"

#include "base/io.h"
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
