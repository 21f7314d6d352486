/* The times of one variant and what is said of them. Pure. */
#ifndef JSNAP_LAUNCHER_BENCH_SERIES_H
#define JSNAP_LAUNCHER_BENCH_SERIES_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_MAX_RUNS 1000u

struct bench_series {
	double values[BENCH_MAX_RUNS]; /* in the order measured */
	size_t count;
};

struct bench_summary {
	double min, median, mean, stddev, p95, max; /* all 0 for an empty series */
};

/* False when there is no room for another. */
bool bench_series_add(struct bench_series *series, double value);
/* stddev is the sample's (n - 1); p95 the nearest rank, so that it is a value that was measured. */
void bench_series_summarize(const struct bench_series *series, struct bench_summary *ret_summary);
/* base[i] / series[i], run by run: least, of the medians, greatest. 0 where there is none. */
void bench_series_ratio(const struct bench_series *base, const struct bench_series *series,
			double ret_ratio[3]);

#endif
