/* See bench_series.h. */
#include "launcher/bench/bench_series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool bench_series_add(struct bench_series *series, double value)
{
	if (series->count == BENCH_MAX_RUNS)
		return false;
	series->values[series->count++] = value;
	return true;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void bench_series_summarize(const struct bench_series *series, struct bench_summary *ret_summary)
{
	double sorted[BENCH_MAX_RUNS], sum = 0, squares = 0;
	size_t n = series->count;

	*ret_summary = (struct bench_summary){0};
	if (n == 0)
		return;
	memcpy(sorted, series->values, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	for (size_t i = 0; i < n; i++)
		sum += sorted[i];
	for (size_t i = 0; i < n; i++)
		squares += (sorted[i] - sum / (double)n) * (sorted[i] - sum / (double)n);
	*ret_summary = (struct bench_summary){
		.min = sorted[0],
		.median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2,
		.mean = sum / (double)n,
		.stddev = n > 1 ? sqrt(squares / (double)(n - 1)) : 0,
		.p95 = sorted[(95 * n + 99) / 100 - 1],
		.max = sorted[n - 1],
	};
}

void bench_series_ratio(const struct bench_series *base, const struct bench_series *series,
			double ret_ratio[3])
{
	size_t n = base->count < series->count ? base->count : series->count;
	struct bench_summary a, b;

	bench_series_summarize(base, &a);
	bench_series_summarize(series, &b);
	ret_ratio[0] = ret_ratio[2] = ret_ratio[1] = b.median > 0 ? a.median / b.median : 0;
	for (size_t i = 0; i < n; i++) {
		double ratio = series->values[i] > 0 ? base->values[i] / series->values[i] : 0;

		if (ratio < ret_ratio[0])
			ret_ratio[0] = ratio;
		if (ratio > ret_ratio[2])
			ret_ratio[2] = ratio;
	}
}
