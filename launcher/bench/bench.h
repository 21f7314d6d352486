/*
 * jsnap bench: the same program started again and again, each time in another way, by turns. What
 * was measured is this table; bench_sample.c fills it, the others show it.
 */
#ifndef JSNAP_LAUNCHER_BENCH_H
#define JSNAP_LAUNCHER_BENCH_H

#include "launcher/bench/bench_series.h"
#include "launcher/warm/http.h"
#include "launcher/supervise/supervise.h"
#include "launcher/warm/warmup.h"

#include <stdio.h>

#define BENCH_MAX_VARIANTS 6u

struct bench_variant {
	const char *name, *title; /* "hot", "restore, hot copy" */
	char **argv;
	struct bench_series seconds, rss, pss, shared; /* bytes */
	struct bench_series user, system; /* seconds of processor time, from start to end */
	struct bench_series status;	  /* exit status; 128 + signal */
	double first; /* the very first run, which is not counted when there are warm-up runs */
	struct bench_summary time;
	double ratio[3]; /* times sooner than the first variant */
};

struct bench_table {
	const char *name, *request; /* of the program; URL, or NULL: until it exits */
	unsigned warmups;
	/* Of the snapshot; 0: not known. The pause is that of a program that goes on after it. */
	double pause, image_bytes, pages_bytes;
	struct bench_variant variants[BENCH_MAX_VARIANTS];
	size_t count;
};

/* Fills in time and ratio. */
void bench_table_finish(struct bench_table *table);
void bench_table_text(const struct bench_table *table, FILE *out);
void bench_table_json(const struct bench_table *table, FILE *out); /* hyperfine's format */
void bench_table_svg(const struct bench_table *table, FILE *out);

struct bench_sample_request {
	struct supervise *supervise;
	char *const *argv;
	char *const *env;
	const struct http_url *url;	     /* NULL: time until it exits */
	const struct warmup_options *warmup; /* after the first answer, not timed; NULL: none */
	bool (*over)(void *ctx); /* asked now and then, instead of the program; may be NULL */
	void *over_ctx;
	int null_fd, log_fd; /* its standard input; both its outputs */
	uint64_t timeout_ns;
};

struct bench_sample {
	double seconds;
	double rss, pss, shared; /* bytes, of the process and all below it, after the response */
	double user, system;	 /* of its whole life */
	int status;
};

/*
 * Refuses to start (-EADDRINUSE) while something answers at the URL's port: its answer would be
 * taken for the program's. Starts the program, waits for its first answer with a status below 400
 * (or until `over` says so), looks at its memory, ends it (SIGTERM, then SIGKILL) and returns when
 * it is gone.
 */
int bench_sample(const struct bench_sample_request *request, struct bench_sample *ret_sample,
		 struct jsnap_error *err);

#endif
