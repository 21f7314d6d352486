/* See quiet.h. */
#include "launcher/warm/quiet.h"

/* The newest sample that is at least a window older than `now`, or NULL. */
static const struct quiet_sample *window_start(const struct quiet *quiet, uint64_t now)
{
	for (size_t back = 1; back <= quiet->count; back++) {
		const struct quiet_sample *s =
			&quiet->samples[(quiet->next + QUIET_SAMPLES - back) % QUIET_SAMPLES];

		if (now - s->time_ns >= QUIET_WINDOW_NS)
			return s;
	}
	return NULL;
}

bool quiet_add(struct quiet *quiet, const struct quiet_sample *sample, unsigned *ret_cpu_percent)
{
	const struct quiet_sample *start = window_start(quiet, sample->time_ns);
	uint64_t elapsed = start ? sample->time_ns - start->time_ns : 0;
	uint64_t cpu = start ? sample->cpu_ns - start->cpu_ns : 0;
	bool is_quiet = start && cpu * 100 <= elapsed * QUIET_CPU_PERCENT &&
			sample->classes - start->classes <= QUIET_CLASSES &&
			sample->compiles - start->compiles <= QUIET_COMPILES;

	if (ret_cpu_percent)
		*ret_cpu_percent = start ? (unsigned)(cpu * 100 / elapsed) : 0;
	quiet->samples[quiet->next] = *sample;
	quiet->next = (quiet->next + 1) % QUIET_SAMPLES;
	if (quiet->count < QUIET_SAMPLES)
		quiet->count++;
	return is_quiet;
}
