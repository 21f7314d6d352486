/* See metrics.h. */
#include "launcher/report/metrics.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/report/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NAME_MAX_BYTES 256

static struct {
	const char *path;
	bool failed; /* and said so */
	char name[NAME_MAX_BYTES];
	struct metrics values;
} current;

void metrics_setup(const char *path)
{
	current.path = path && *path ? path : NULL;
	current.values = (struct metrics){.name = "", .start_time = time(NULL)};
}

static void write_label(const char *key, const char *value, FILE *out)
{
	fprintf(out, "%s=\"", key);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

/* `label` NULL: the name is its only label. */
static void write_sample(const struct metrics *m, const char *metric, const char *label,
			 const char *value, double sample, FILE *out)
{
	fprintf(out, "%s{", metric);
	write_label("name", m->name, out);
	if (label) {
		fputc(',', out);
		write_label(label, value, out);
	}
	fprintf(out, "} %.15g\n", sample);
}

/* One metric with one sample. */
static void write_metric(const struct metrics *m, const char *metric, const char *type,
			 const char *help, const char *label, const char *value, double sample,
			 FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
	write_sample(m, metric, label, value, sample, out);
}

static void write_phases(const struct metrics *m, FILE *out)
{
	fputs("# HELP jsnap_restore_phase_seconds Where the time of the restore went.\n"
	      "# TYPE jsnap_restore_phase_seconds gauge\n",
	      out);
	for (int i = 0; i < PHASE_COUNT; i++)
		write_sample(m, "jsnap_restore_phase_seconds", "phase", phase_name((enum phase)i),
			     m->phase_seconds[i], out);
}

static void write_snapshot(const struct metrics *m, FILE *out)
{
	write_metric(m, "jsnap_snapshots_total", "counter", "Snapshots taken.", NULL, NULL,
		     m->snapshots, out);
	write_metric(m, "jsnap_snapshot_failures_total", "counter",
		     "Snapshots that were wanted and not taken.", NULL, NULL, m->snapshot_failures,
		     out);
	if (!m->snapshots)
		return;
	write_metric(m, "jsnap_snapshot_pause_seconds", "gauge",
		     "How long the program stood still for the snapshot.", NULL, NULL,
		     m->pause_seconds, out);
	write_metric(m, "jsnap_snapshot_write_seconds", "gauge",
		     "How long writing the image took, beside the program.", NULL, NULL,
		     m->write_seconds, out);
	write_metric(m, "jsnap_snapshot_pages_bytes", "gauge", "Memory in the snapshot.", NULL,
		     NULL, (double)m->pages_bytes, out);
	write_metric(m, "jsnap_snapshot_image_bytes", "gauge", "Size of the image.", NULL, NULL,
		     (double)m->image_bytes, out);
}

void metrics_write(const struct metrics *m, FILE *out)
{
	write_metric(m, "jsnap_start_time_seconds", "gauge", "When jsnap was started, Unix time.",
		     NULL, NULL, (double)m->start_time, out);
	if (m->restored_tids) {
		write_metric(m, "jsnap_restores_total", "counter",
			     "Starts from a snapshot, by the way to the original TIDs.", "tids",
			     m->restored_tids, 1, out);
		write_metric(m, "jsnap_restore_seconds", "gauge",
			     "From jsnap's start until the restored program ran.", NULL, NULL,
			     m->restore_seconds, out);
		write_phases(m, out);
	}
	if (m->walk.numbers) {
		write_metric(m, "jsnap_walk_numbers", "gauge",
			     "PIDs that the walk to the original TIDs was to use up.", NULL, NULL,
			     (double)m->walk.numbers, out);
		write_metric(m, "jsnap_walk_expected_seconds", "gauge",
			     "What the walk was expected to take, before it began.", NULL, NULL,
			     (double)m->walk.expected_ns / 1e9, out);
	}
	if (m->cold_kind)
		write_metric(m, "jsnap_cold_starts_total", "counter",
			     "Starts without a snapshot, by the kind of reason.", "reason",
			     m->cold_kind, 1, out);
	if (m->ready_seconds > 0)
		write_metric(m, "jsnap_cold_start_seconds", "gauge",
			     "From the start of java until it was ready.", NULL, NULL,
			     m->ready_seconds, out);
	write_snapshot(m, out);
}

/* Read by other users: mode 0644 as far as the umask allows. Not synced: it is of the moment. */
static int replace_file(const char *path, const void *text, size_t size)
{
	CLEANUP_FREE char *temporary = NULL;
	CLEANUP_CLOSE int fd = -1;
	int rc;

	if (asprintf(&temporary, "%s.%d.tmp", path, (int)getpid()) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = write_full(fd, text, size);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(temporary);
	return rc;
}

static void update(void)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	FILE *out;
	int rc;

	if (!current.path)
		return;
	out = open_memstream(&text, &size);
	if (!out)
		return;
	metrics_write(&current.values, out);
	rc = text_stream_end(out, &text);
	if (rc == 0)
		rc = replace_file(current.path, text, size);
	if (rc < 0 && !current.failed)
		log_warn("no metrics in %s: %s", current.path, strerror(-rc));
	current.failed = rc < 0;
}

static void set_name(const char *name)
{
	snprintf(current.name, sizeof(current.name), "%s", name);
	current.values.name = current.name;
}

void metrics_restored(const char *name, const struct restored *restored, double ms,
		      const struct phases *phases)
{
	set_name(name);
	current.values.restored_tids = tids_way_name(restored->tids);
	current.values.walk = restored->walk;
	current.values.restore_seconds = ms / 1e3;
	for (int i = 0; i < PHASE_COUNT; i++)
		current.values.phase_seconds[i] = (double)phases->ns[i] / 1e9;
	update();
}

void metrics_cold(const char *name, const char *kind)
{
	set_name(name);
	current.values.cold_kind = kind;
	update();
}

void metrics_ready(const char *name, double ms)
{
	set_name(name);
	current.values.ready_seconds = ms / 1e3;
	update();
}

void metrics_snapshot(const char *name, double pause_ms, double write_ms, uint64_t pages_bytes,
		      uint64_t image_bytes)
{
	set_name(name);
	current.values.snapshots++;
	current.values.pause_seconds = pause_ms / 1e3;
	current.values.write_seconds = write_ms / 1e3;
	current.values.pages_bytes = pages_bytes;
	current.values.image_bytes = image_bytes;
	update();
}

void metrics_snapshot_failed(const char *name)
{
	set_name(name);
	current.values.snapshot_failures++;
	update();
}
