/* See bench.h: the table for people, and as JSON. */
#include "launcher/bench/bench.h"

#include "launcher/report/json.h"

void bench_table_finish(struct bench_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct bench_variant *v = &table->variants[i];

		bench_series_summarize(&v->seconds, &v->time);
		bench_series_ratio(&table->variants[0].seconds, &v->seconds, v->ratio);
	}
}

static double median(const struct bench_series *series)
{
	struct bench_summary summary;

	bench_series_summarize(series, &summary);
	return summary.median;
}

void bench_table_text(const struct bench_table *table, FILE *out)
{
	fprintf(out, "%s, %s, %zu runs each by turns after %u not counted\n\n", table->name,
		table->request ? table->request : "until it ends",
		table->count ? table->variants[0].seconds.count : 0, table->warmups);
	fprintf(out, "%-24s %9s %9s %9s %9s %9s  %-18s %7s %7s %7s\n", "ms, MB", "median", "min",
		"max", "p95", "first", "times sooner", "RSS", "PSS", "shared");
	for (size_t i = 0; i < table->count; i++) {
		const struct bench_variant *v = &table->variants[i];
		char ratio[64] = "";

		if (i)
			snprintf(ratio, sizeof(ratio), "%.1f (%.1f-%.1f)", v->ratio[1], v->ratio[0],
				 v->ratio[2]);
		fprintf(out, "%-24s %9.1f %9.1f %9.1f %9.1f %9.1f  %-18s %7.1f %7.1f %7.1f\n",
			v->title, v->time.median * 1e3, v->time.min * 1e3, v->time.max * 1e3,
			v->time.p95 * 1e3, v->first * 1e3, ratio, median(&v->rss) / 1e6,
			median(&v->pss) / 1e6, median(&v->shared) / 1e6);
	}
	if (table->image_bytes > 0)
		fprintf(out,
			"\nsnapshot: image %.1f MB of %.1f MB in pages; the program stood still "
			"for %.1f ms and went on\n",
			table->image_bytes / 1e6, table->pages_bytes / 1e6, table->pause * 1e3);
}

static void write_series(struct json *json, const char *key, const struct bench_series *series)
{
	json_open(json, key, '[');
	for (size_t i = 0; i < series->count; i++)
		json_real(json, NULL, series->values[i]);
	json_close(json, ']');
}

static void write_variant(struct json *json, const struct bench_table *table,
			  const struct bench_variant *v)
{
	struct bench_summary user, system;

	json_open(json, NULL, '{');
	json_string(json, "command", v->title);
	json_real(json, "mean", v->time.mean);
	json_real(json, "stddev", v->time.stddev);
	json_real(json, "median", v->time.median);
	bench_series_summarize(&v->user, &user);
	bench_series_summarize(&v->system, &system);
	/* Of the whole life of the process, its end included: hyperfine's are too. */
	json_real(json, "user", user.mean);
	json_real(json, "system", system.mean);
	json_real(json, "min", v->time.min);
	json_real(json, "max", v->time.max);
	json_real(json, "p95", v->time.p95);
	json_real(json, "first", v->first);
	json_real(json, "times_sooner", v->ratio[1]);
	write_series(json, "times", &v->seconds);
	write_series(json, "memory_usage_byte", &v->rss);
	write_series(json, "pss_byte", &v->pss);
	write_series(json, "shared_byte", &v->shared);
	json_open(json, "exit_codes", '[');
	for (size_t i = 0; i < v->status.count; i++)
		json_number(json, NULL, (int64_t)v->status.values[i]);
	json_close(json, ']');
	json_open(json, "parameters", '{');
	json_string(json, "variant", v->name);
	json_string(json, "program", table->name);
	json_close(json, '}');
	json_close(json, '}');
}

void bench_table_json(const struct bench_table *table, FILE *out)
{
	struct json json = {.out = out};

	json_open(&json, NULL, '{');
	json_open(&json, "results", '[');
	for (size_t i = 0; i < table->count; i++)
		write_variant(&json, table, &table->variants[i]);
	json_close(&json, ']');
	json_open(&json, "snapshot", '{');
	json_real(&json, "pause", table->pause);
	json_number(&json, "image_bytes", (int64_t)table->image_bytes);
	json_number(&json, "pages_bytes", (int64_t)table->pages_bytes);
	json_close(&json, '}');
	json_close(&json, '}');
}
