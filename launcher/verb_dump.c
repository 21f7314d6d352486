/*
 * jsnap dump: plumbing. Any single-process program, without a JVM or agent; nothing is known of how
 * it was started.
 *
 * Unless it is to be left running, the program is stopped (SIGSTOP) before the capture and killed
 * only when the image is on the disk: a full disk costs nothing but the attempt.
 */
#include "launcher/verbs.h"

#include "base/cleanup.h"
#include "checkpoint/checkpoint.h"
#include "image/image.h"
#include "launcher/log.h"
#include "proc/status.h"

#include <signal.h>
#include <string.h>

static int write_image(const struct settings *s, const struct image_header *header,
		       struct checkpoint_stats *ret_stats, struct jsnap_error *err)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	CLEANUP_HOT struct hot stream = {.fd = -1};
	struct image_header filled = *header;
	struct image_write_options options = {0};
	struct checkpoint_options capture = {.pid = s->pid, .leave_running = true};
	int rc = manifest_init(&m, err);

	if (rc == 0)
		rc = hot_create(NULL, &stream, err);
	if (rc < 0)
		return rc;
	capture.stream_fd = stream.fd;
	capture.stream_offset = stream.stream_offset;
	rc = checkpoint_capture(&capture, &m, ret_stats, err);
	if (rc < 0)
		return rc;
	return image_write(s->image, &m, stream.fd, stream.stream_offset, &filled, &options, err);
}

static void report(const struct settings *s, const struct checkpoint_stats *stats)
{
	const struct log_field fields[] = {
		{.key = "event", .value = "dumped"},
		{.key = "image", .value = s->image},
		{.key = "pid", .number = (double)s->pid},
		{.key = "threads", .number = stats->threads},
		{.key = "pause_ms", .number = (double)stats->pause_ns / 1e6},
		{.key = "pages_bytes", .number = (double)stats->stored_bytes},
	};

	log_event(LOG_LEVEL_INFO, fields, ARRAY_SIZE(fields),
		  "dumped process %d (%u threads, %.1f MB) to %s", (int)s->pid, stats->threads,
		  (double)stats->stored_bytes / 1e6, s->image);
}

int verb_dump(const struct settings *settings, int *ret_status, struct jsnap_error *err)
{
	struct checkpoint_stats stats = {0};
	struct image_header header;
	struct proc_stat stat;
	bool was_stopped;
	int rc;

	if (!settings->pid || !settings->image)
		return error_set(err, EINVAL, "dump needs --pid PID and --image FILE");
	rc = proc_stat_read(settings->pid, &stat, err);
	if (rc == 0)
		rc = image_header_here(settings->pid, &header, err);
	if (rc < 0)
		return rc;
	was_stopped = stat.state == 'T';
	if (!settings->leave_running && kill(settings->pid, SIGSTOP) < 0)
		return error_errno(err, "stop process %d", (int)settings->pid);
	rc = write_image(settings, &header, &stats, err);
	if (!settings->leave_running)
		kill(settings->pid, rc == 0 ? SIGKILL : was_stopped ? 0 : SIGCONT);
	if (rc < 0)
		return rc;
	report(settings, &stats);
	*ret_status = 0;
	return 0;
}
