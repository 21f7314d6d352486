/*
 * jsnap bench: cold start against restore, by turns, each the command line a user would type. What
 * it starts it ends; its store is a temporary folder unless one was named.
 */
#include "launcher/verbs/verbs.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "conf/schema.h"
#include "launcher/bench/bench_run.h"
#include "launcher/store/trust.h"
#include "launcher/warm/host_name.h"
#include "launcher/report/log.h"

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_MAX_BYTES	   (1u << 20)
#define LOOK_UP_TIMEOUT_NS 10000000000ull

static const struct {
	const char *name, *title;
	bool restore, hot_copy, dropped;
	const char *train, *use; /* java options, before the archive's path */
	int feature;		 /* of the JDK, at least */
} kinds[] = {
	{.name = "java", .title = "java"},
	{.name = "appcds",
	 .title = "java, AppCDS",
	 .train = "-XX:ArchiveClassesAtExit=",
	 .use = "-XX:SharedArchiveFile=",
	 .feature = 13},
	{.name = "aot",
	 .title = "java, AOT cache",
	 .train = "-XX:AOTCacheOutput=", /* JEP 514 */
	 .use = "-XX:AOTCache=",
	 .feature = 25},
	{.name = "hot", .title = "restore, hot copy", .restore = true, .hot_copy = true},
	{.name = "zstd", .title = "restore, from zstd", .restore = true},
	{.name = "dropped",
	 .title = "restore, cold cache",
	 .restore = true,
	 .hot_copy = true,
	 .dropped = true},
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)type, (void)walk;
	return remove(path);
}

static void bench_end(struct bench *b)
{
	for (size_t i = 0; i < BENCH_MAX_VARIANTS; i++)
		words_free(&b->words[i]);
	cleanup_close(&b->null_fd);
	cleanup_close(&b->log_fd);
	if (*b->folder)
		nftw(b->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	start_end(&b->start);
}

static int make_places(struct bench *b, struct jsnap_error *err)
{
	const char *tmp = environment_get(&b->start.env, "TMPDIR");
	ssize_t n = readlink("/proc/self/exe", b->self, sizeof(b->self) - 1);
	int length;

	if (n < 0)
		return error_errno(err, "read /proc/self/exe");
	/* Not /tmp, which may be memory: nothing could be dropped from the page cache there. */
	length = snprintf(b->folder, sizeof(b->folder), "%s/jsnap-bench-XXXXXX",
			  tmp && *tmp == '/' ? tmp : "/var/tmp");
	if (length < 0 || (size_t)length >= sizeof(b->folder)) {
		*b->folder = '\0';
		return error_set(err, ENAMETOOLONG, "the path in TMPDIR is too long");
	}
	if (!mkdtemp(b->folder)) {
		error_errno(err, "make the folder %s", b->folder);
		*b->folder = '\0';
		return -err->code;
	}
	snprintf(b->store, sizeof(b->store), "%s/store", b->folder);
	snprintf(b->metrics, sizeof(b->metrics), "%s/metrics", b->folder);
	snprintf(b->log, sizeof(b->log), "%s/log", b->folder);
	b->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	b->log_fd = open(b->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (b->null_fd < 0 || b->log_fd < 0)
		return error_errno(err, "open %s", b->log);
	return 0;
}

/* The first page named, of those that warm and of those that tell it is ready. */
static int find_url(struct bench *b, struct jsnap_error *err)
{
	const struct settings *s = b->start.settings;
	const char *found = NULL;
	int rc;

	for (size_t i = 0; !found && i < s->n_warmup; i++)
		found = strncmp(s->warmup[i], "http://", 7) == 0 ? s->warmup[i] : NULL;
	for (size_t i = 0; !found && i < s->n_ready; i++)
		found = strncmp(s->ready[i], "http://", 7) == 0 ? s->ready[i] : NULL;
	b->has_url = found != NULL;
	b->table.request = found;
	if (!found)
		return 0;
	rc = http_url_parse(found, &b->url, err);
	return rc < 0 ? rc
		      : host_name_look_up(&b->start.supervise, &b->url,
					  monotonic_ns() + LOOK_UP_TIMEOUT_NS, err);
}

/* The end of what the last program said, on one line, for an error. */
static int explain(const struct bench *b, const char *what, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;

	if (read_file(b->log, LOG_MAX_BYTES, &text, &size) == 0 && size)
		error_hint(err, "it said: %s", text + (size > 400 ? size - 400 : 0));
	return error_context(err, "%s", what);
}

/* False: there is no snapshot yet. */
static bool read_metrics(void *ctx)
{
	struct bench *b = ctx;
	CLEANUP_FREE char *text = NULL;
	char *rest, *line;

	if (read_file(b->metrics, 65536, &text, NULL) < 0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const char *value = strrchr(line, ' ');

		if (*line == '#' || !value)
			continue;
		if (strncmp(line, "jsnap_snapshot_pause_seconds{", 29) == 0)
			b->table.pause = strtod(value, NULL);
		else if (strncmp(line, "jsnap_snapshot_image_bytes{", 27) == 0)
			b->table.image_bytes = strtod(value, NULL);
		else if (strncmp(line, "jsnap_snapshot_pages_bytes{", 27) == 0)
			b->table.pages_bytes = strtod(value, NULL);
	}
	return b->table.image_bytes > 0;
}

enum until { UNTIL_ANSWER, UNTIL_WARM, UNTIL_SNAPSHOT };

static int sample(struct bench *b, const char *what, struct words *words, enum until until,
		  struct bench_sample *ret_sample, struct jsnap_error *err)
{
	const struct settings *s = b->start.settings;
	const struct warmup_options warmup = {.steps = s->warmup,
					      .answer_ns = WARMUP_REQUEST_TIMEOUT_NS,
					      .n_steps = s->n_warmup,
					      .requests = s->warmup_requests,
					      .time_ns = s->warmup_time_ns};
	bool asked = b->has_url && until != UNTIL_SNAPSHOT;
	uint64_t timeout = s->timeout_ns;
	const struct bench_sample_request request = {
		.supervise = &b->start.supervise,
		.argv = words->items,
		.env = b->start.env.vars,
		.url = asked ? &b->url : NULL,
		.warmup = asked && until == UNTIL_WARM ? &warmup : NULL,
		.over = until == UNTIL_SNAPSHOT ? read_metrics : NULL,
		.over_ctx = b,
		.null_fd = b->null_fd,
		.log_fd = b->log_fd,
		.timeout_ns = timeout ? timeout : 3600000000000ull,
	};
	int rc;

	if (ftruncate(b->log_fd, 0) < 0)
		return error_errno(err, "empty %s", b->log);
	rc = bench_sample(&request, ret_sample, err);
	return rc < 0 ? explain(b, what, err) : 0;
}

/* Of a program that goes on, as `jsnap run` takes it too: the pause is one that somebody waits for.
 */
static int take_snapshot(struct bench *b, struct jsnap_error *err)
{
	CLEANUP_WORDS struct words words = {0};
	const char *image = b->start.settings->image;
	struct bench_sample unused;
	int rc;

	if (image && access(image, F_OK) == 0)
		return 0;
	rc = bench_jsnap_words(b, SCHEMA_VERB_CHECKPOINT, true, &words);
	if (rc < 0)
		return error_set(err, -rc, "out of memory");
	return sample(b, "take the snapshot", &words, UNTIL_SNAPSHOT, &unused, err);
}

/* With the warm-up that the snapshot gets; without an archive java would start as ever, and say so
 * nowhere. */
static int train(struct bench *b, const char *archive, struct words *words, struct jsnap_error *err)
{
	CLEANUP_FREE char *path = NULL;
	struct bench_sample unused;
	int rc = sample(b, "train the archive", words, UNTIL_WARM, &unused, err);

	if (rc < 0)
		return rc;
	if (asprintf(&path, "%s/%s", b->folder, archive) < 0)
		return path = NULL, error_set(err, ENOMEM, "out of memory");
	if (access(path, R_OK) < 0) {
		error_set(err, ENOENT, "the JDK made no archive %s", path);
		return explain(b, "train the archive", err);
	}
	return 0;
}

static int prepare_variant(struct bench *b, size_t i, struct jsnap_error *err)
{
	const size_t kind = b->kind[i];
	CLEANUP_WORDS struct words training = {0};
	struct bench_variant *v = &b->table.variants[i];
	int rc = 0;

	if (kinds[kind].restore)
		rc = bench_jsnap_words(b, SCHEMA_VERB_RUN, kinds[kind].hot_copy, &b->words[i]);
	else
		rc = bench_java_words(b, kinds[kind].use, kinds[kind].name, &b->words[i]);
	if (rc == 0 && kinds[kind].train)
		rc = bench_java_words(b, kinds[kind].train, kinds[kind].name, &training);
	if (rc < 0)
		return error_set(err, -rc, "out of memory");
	if (training.count)
		rc = train(b, kinds[kind].name, &training, err);
	v->name = kinds[kind].name;
	v->title = kinds[kind].title;
	v->argv = b->words[i].items;
	return rc;
}

/* A cold start must never be taken for a restore. */
static int check_restored(const struct bench *b, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;

	if (read_file(b->log, LOG_MAX_BYTES, &text, NULL) == 0 && strstr(text, "jsnap: restored "))
		return 0;
	error_set(err, ESTALE, "it was not restored");
	return explain(b, "restore", err);
}

static int run_once(struct bench *b, size_t i, bool counted, struct jsnap_error *err)
{
	struct bench_variant *v = &b->table.variants[i];
	struct bench_sample one;
	int rc;

	if (kinds[b->kind[i]].restore)
		bench_set_cache(b, kinds[b->kind[i]].dropped);
	rc = sample(b, v->title, &b->words[i], UNTIL_ANSWER, &one, err);
	if (rc == 0 && kinds[b->kind[i]].restore)
		rc = check_restored(b, err);
	if (rc < 0)
		return rc;
	if (v->first <= 0)
		v->first = one.seconds;
	if (!counted)
		return 0;
	bench_series_add(&v->seconds, one.seconds);
	bench_series_add(&v->rss, one.rss);
	bench_series_add(&v->pss, one.pss);
	bench_series_add(&v->shared, one.shared);
	bench_series_add(&v->user, one.user);
	bench_series_add(&v->system, one.system);
	bench_series_add(&v->status, one.status);
	return 0;
}

static void progress(const char *fmt, unsigned round, unsigned rounds, const char *title)
{
	if (!log_can_erase())
		return;
	fprintf(stderr, fmt, round, rounds, title);
}

/* Rounds start with another variant each, so that none always comes after the same. */
static int run_rounds(struct bench *b, unsigned runs, struct jsnap_error *err)
{
	unsigned rounds = b->table.warmups + runs;
	int rc = 0;

	for (unsigned round = 0; rc == 0 && round < rounds; round++)
		for (size_t k = 0; rc == 0 && k < b->table.count; k++) {
			size_t i = (k + round) % b->table.count;

			progress("\r\033[Kround %u of %u: %s", round + 1, rounds,
				 b->table.variants[i].title);
			rc = run_once(b, i, round >= b->table.warmups, err);
		}
	progress("\r\033[K", 0, 0, "");
	return rc;
}

/* An encrypted snapshot has none unless that is asked for: its restores would be those from zstd,
 * under another name. */
static bool keeps_copy(const struct settings *s)
{
	return trust_keeps_copy(s, trust_protection(s));
}

static int choose(struct bench *b, struct jsnap_error *err)
{
	const struct settings *s = b->start.settings;

	for (size_t n = 0; n < s->n_variants; n++) {
		size_t kind = 0;

		while (kind < ARRAY_SIZE(kinds) && strcmp(kinds[kind].name, s->variants[n]) != 0)
			kind++;
		if (kind == ARRAY_SIZE(kinds) || b->table.count == BENCH_MAX_VARIANTS)
			return error_set(err, EINVAL, "--variant %s", s->variants[n]);
		if (b->start.command.jdk.feature < kinds[kind].feature)
			return error_set(err, ENOTSUP, "--variant %s needs JDK %d, this is %d",
					 kinds[kind].name, kinds[kind].feature,
					 b->start.command.jdk.feature);
		if (kinds[kind].hot_copy && s->hot_copy && !keeps_copy(s))
			return error_set(err, ENOTSUP,
					 "--variant %s needs a hot copy, and there is none of "
					 "encrypted snapshots; --encrypted-hot-copy on keeps one",
					 kinds[kind].name);
		b->kind[b->table.count++] = kind;
	}
	if (b->table.count)
		return 0;
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		if (!kinds[kind].train && (keeps_copy(s) || !kinds[kind].hot_copy))
			b->kind[b->table.count++] = kind;
	return 0;
}

static int export(const struct bench_table *table, const char *path,
		  void (*write_it)(const struct bench_table *, FILE *), struct jsnap_error *err)
{
	FILE *out = path ? fopen(path, "we") : NULL;

	if (!path)
		return 0;
	if (!out)
		return error_errno(err, "write %s", path);
	write_it(table, out);
	return fclose(out) == 0 ? 0 : error_errno(err, "write %s", path);
}

static int measure(struct bench *b, struct jsnap_error *err)
{
	const struct settings *s = b->start.settings;
	int rc = choose(b, err);
	bool restores = false;

	if (rc == 0)
		rc = make_places(b, err);
	if (rc == 0)
		rc = find_url(b, err);
	for (size_t i = 0; i < b->table.count; i++)
		restores |= kinds[b->kind[i]].restore;
	if (rc == 0 && restores)
		rc = take_snapshot(b, err);
	for (size_t i = 0; rc == 0 && i < b->table.count; i++)
		rc = prepare_variant(b, i, err);
	if (rc == 0)
		rc = run_rounds(b, (unsigned)s->runs, err);
	if (rc < 0)
		return rc;
	bench_table_finish(&b->table);
	bench_table_text(&b->table, stdout);
	rc = export(&b->table, s->export_json, bench_table_json, err);
	return rc < 0 ? rc : export(&b->table, s->export_svg, bench_table_svg, err);
}

int verb_bench(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	__attribute__((cleanup(bench_end))) struct bench b = {
		.start = {.slot.lock_fd = -1}, .null_fd = -1, .log_fd = -1};
	int rc = start_begin(&b.start, settings, ret_status, err);

	if (rc == 0)
		rc = java_command_check_program(&b.start.command, err);
	if (rc < 0)
		return rc;
	b.table.name = b.start.command.name;
	b.table.warmups = (unsigned)settings->warmup_runs;
	rc = measure(&b, err);
	if (rc < 0 && b.start.supervise.ending_signal) {
		*ret_status = 128 + b.start.supervise.ending_signal;
		return 0;
	}
	*ret_status = rc < 0 ? EXIT_JSNAP_FAILED : 0;
	return rc;
}
