/* The metrics file: its text, that it is replaced whole, and that one which can't be is no harm. */
#include "launcher/report/metrics.h"

#include "check.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[16384];

static void has(const char *line)
{
	if (!strstr(text, line)) {
		fprintf(stderr, "no line '%s' in:\n%s", line, text);
		exit(1);
	}
}

static void load(const char *path)
{
	FILE *f = fopen(path, "re");

	CHECK(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
}

static unsigned entries(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void test_text(void)
{
	const struct metrics m = {.name = "a\"b\\c\nd", .start_time = 1700000000};
	FILE *out = fmemopen(text, sizeof(text), "w");

	CHECK(out);
	metrics_write(&m, out);
	fclose(out);
	has("jsnap_start_time_seconds{name=\"a\\\"b\\\\c\\nd\"} 1700000000\n");
	has("# TYPE jsnap_snapshots_total counter\n");
	CHECK(!strstr(text, "restores_total"));
	CHECK(!strstr(text, "cold_start"));
	CHECK(!strstr(text, "pause"));
}

static void test_file(const char *folder)
{
	const struct phases phases = {.ns = {[PHASE_DECIDE] = 900000, [PHASE_REFRESH] = 1500000}};
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/app.prom", folder);
	umask(022);
	metrics_setup(path);
	CHECK_EQ(entries(folder), 0);
	metrics_cold("app", "stale");
	load(path);
	has("jsnap_cold_starts_total{name=\"app\",reason=\"stale\"} 1\n");
	has("jsnap_snapshots_total{name=\"app\"} 0\n");
	metrics_ready("app", 1500);
	metrics_snapshot_failed("app");
	metrics_snapshot("app", 33, 250, 25000000, 5000000);
	load(path);
	has("jsnap_cold_start_seconds{name=\"app\"} 1.5\n");
	has("jsnap_snapshots_total{name=\"app\"} 1\n");
	has("jsnap_snapshot_failures_total{name=\"app\"} 1\n");
	has("jsnap_snapshot_pause_seconds{name=\"app\"} 0.033\n");
	has("jsnap_snapshot_write_seconds{name=\"app\"} 0.25\n");
	has("jsnap_snapshot_pages_bytes{name=\"app\"} 25000000\n");
	has("jsnap_snapshot_image_bytes{name=\"app\"} 5000000\n");
	metrics_setup(path);
	metrics_restored("app", &(struct restored){.tids = TIDS_CLONE3}, 9.5, &phases);
	load(path);
	has("jsnap_restores_total{name=\"app\",tids=\"clone3\"} 1\n");
	CHECK(!strstr(text, "walk"));
	metrics_restored("app", &(struct restored){.tids = TIDS_WALK, .walk = {250, 5000000}}, 9.5,
			 &phases);
	load(path);
	has("jsnap_restores_total{name=\"app\",tids=\"walk\"} 1\n");
	has("jsnap_walk_numbers{name=\"app\"} 250\n");
	has("jsnap_walk_expected_seconds{name=\"app\"} 0.005\n");
	has("jsnap_restore_seconds{name=\"app\"} 0.0095\n");
	has("jsnap_restore_phase_seconds{name=\"app\",phase=\"decide\"} 0.0009\n");
	has("jsnap_restore_phase_seconds{name=\"app\",phase=\"map\"} 0\n");
	has("jsnap_restore_phase_seconds{name=\"app\",phase=\"refresh\"} 0.0015\n");
	CHECK(!strstr(text, "jsnap_cold_starts_total"));
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0644);
	CHECK_EQ(entries(folder), 1);
	CHECK_EQ(unlink(path), 0);
	/* A folder of that name cannot be replaced by a file. */
	CHECK_EQ(mkdir(path, 0700), 0);
	metrics_snapshot_failed("app");
	CHECK_EQ(entries(folder), 1);
	CHECK_EQ(rmdir(path), 0);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char folder[64];

	snprintf(folder, sizeof(folder), "%.40s/jsnap-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(folder));
	test_text();
	test_file(folder);
	CHECK_EQ(rmdir(folder), 0);
	return 0;
}
