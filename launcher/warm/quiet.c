/* See quiet.h. */
#include "launcher/warm/quiet.h"

/* The newest sample that is at least `windows` older than `now`, or NULL. */
static const struct quiet_sample *window_start(const struct quiet *quiet, uint64_t now,
					       unsigned windows)
{
	for (size_t back = 1; back <= quiet->count; back++) {
		const struct quiet_sample *s =
			&quiet->samples[(quiet->next + QUIET_SAMPLES - back) % QUIET_SAMPLES];

		if (now - s->time_ns >= windows * QUIET_WINDOW_NS)
			return s;
	}
	return NULL;
}

/* From `start`, `windows` long, to `end`. */
static bool levelled_off(const struct quiet_sample *start, const struct quiet_sample *end,
			 unsigned windows)
{
	return start && end->classes - start->classes <= (uint64_t)windows * QUIET_CLASSES &&
	       end->compiles - start->compiles <= (uint64_t)windows * QUIET_COMPILES;
}

bool quiet_add(struct quiet *quiet, const struct quiet_sample *sample, unsigned *ret_cpu_percent)
{
	const struct quiet_sample *start = window_start(quiet, sample->time_ns, 1);
	uint64_t elapsed = start ? sample->time_ns - start->time_ns : 0;
	uint64_t cpu = start ? sample->cpu_ns - start->cpu_ns : 0;
	bool is_quiet = levelled_off(start, sample, 1) && cpu * 100 <= elapsed * QUIET_CPU_PERCENT;

	if (!is_quiet && sample->serves)
		is_quiet = levelled_off(window_start(quiet, sample->time_ns, QUIET_SERVING), sample,
					QUIET_SERVING);

	if (ret_cpu_percent)
		*ret_cpu_percent = start ? (unsigned)(cpu * 100 / elapsed) : 0;
	quiet->samples[quiet->next] = *sample;
	quiet->next = (quiet->next + 1) % QUIET_SAMPLES;
	if (quiet->count < QUIET_SAMPLES)
		quiet->count++;
	return is_quiet;
}
