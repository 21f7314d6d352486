/* See start_time.h. */
#include "launcher/report/start_time.h"

#include "base/io.h"

static uint64_t started_ns;

void start_time_mark(void)
{
	started_ns = monotonic_ns();
}

uint64_t start_time_ns(void)
{
	return started_ns;
}

double start_time_elapsed_ms(void)
{
	return (double)(monotonic_ns() - started_ns) / 1e6;
}
