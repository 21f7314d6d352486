/* See phases.h. */
#include "launcher/report/phases.h"

#include "base/io.h"
#include "launcher/report/log.h"

#include <stdio.h>
#include <string.h>

_Static_assert(PHASE_PLAN + RESTORE_PHASES == PHASE_REFRESH, "the engine's phases are a part");

const char *phase_name(enum phase phase)
{
	static const char *const names[] = {
		[PHASE_DECIDE] = "decide",     [PHASE_LOAD] = "load",
		[PHASE_VALIDATE] = "validate", [PHASE_PLAN] = "plan",
		[PHASE_CLONE] = "clone",       [PHASE_FILES] = "files",
		[PHASE_MAP] = "map",	       [PHASE_THREADS] = "threads",
		[PHASE_RELEASE] = "release",   [PHASE_REFRESH] = "refresh",
	};

	return names[phase];
}

void phases_begin(struct phases *phases, uint64_t start_ns)
{
	*phases = (struct phases){.last_ns = start_ns};
}

void phases_end(struct phases *phases, enum phase phase)
{
	uint64_t now = monotonic_ns();

	phases->ns[phase] = now - phases->last_ns;
	phases->last_ns = now;
}

void phases_end_engine(struct phases *phases, const struct restored *restored)
{
	memcpy(phases->ns + PHASE_PLAN, restored->phase_ns, sizeof(restored->phase_ns));
	phases->last_ns = monotonic_ns();
}

void phases_line(const struct phases *phases, char ret_line[PHASES_LINE_SIZE])
{
	size_t used = 0;

	for (int i = 0; i < PHASE_COUNT && used < PHASES_LINE_SIZE; i++)
		used += (size_t)snprintf(ret_line + used, PHASES_LINE_SIZE - used, "%s%s %.2f",
					 i ? ", " : "", phase_name((enum phase)i),
					 (double)phases->ns[i] / 1e6);
	if (used < PHASES_LINE_SIZE)
		snprintf(ret_line + used, PHASES_LINE_SIZE - used, " ms");
}

void phases_log_pause(const struct checkpoint_stats *stats)
{
	char line[1024] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < stats->n_parts && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s %.2f",
					 i ? ", " : "", stats->parts[i].name,
					 (double)stats->parts[i].ns / 1e6);
	log_debug("pause of %.2f ms: %s", (double)stats->pause_ns / 1e6, line);
}
