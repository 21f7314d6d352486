/*
 * jsnap dump: plumbing. Any single-process program, without a JVM or agent; nothing is known of how
 * it was started.
 *
 * Unless it is to be left running, the program stays stopped until the image is on the disk and is
 * killed only then: a full disk costs nothing but the attempt. The image's lock is held all along,
 * and waited for before anything is stopped.
 */
#include "launcher/verbs/verbs.h"

#include "base/cleanup.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/stream_room.h"
#include "image/image.h"
#include "launcher/report/amount.h"
#include "launcher/report/log.h"
#include "launcher/report/phases.h"
#include "launcher/store/store.h"
#include "launcher/store/trust.h"
#include "launcher/verbs/verb_common.h"
#include "proc/status.h"

#include <signal.h>
#include <string.h>

struct dump {
	const struct settings *settings;
	struct hot stream;
	struct image_header header;
	struct image_seal *seal; /* NULL: a plain image */
};

/* The program is still stopped: if the image can't be written, it goes on. */
static int write_image(void *ctx, const struct manifest *m, struct jsnap_error *err)
{
	struct dump *d = ctx;
	static char what[] = "compressing";
	struct image_write_options options = {.seal = d->seal,
					      .spare_others = true,
					      .progress = amount_progress,
					      .progress_ctx = what};
	int rc = image_write(d->settings->image, m, d->stream.fd, d->stream.stream_offset,
			     &d->header, &options, err);

	log_progress_end();
	return rc;
}

static int dump(struct dump *d, struct checkpoint_stats *ret_stats, struct jsnap_error *err)
{
	const struct settings *s = d->settings;
	CLEANUP_MANIFEST struct manifest m = {0};
	struct checkpoint_options capture = {
		.pid = s->pid,
		.leave_running = s->leave_running,
		.stream_fd = d->stream.fd,
		.stream_offset = d->stream.stream_offset,
		.policy = {.decide = fd_policy_decide, .ctx = (void *)&s->fd_policy}};
	struct proc_status status;
	int rc = manifest_init(&m, err);

	if (rc < 0)
		return rc;
	if (!s->leave_running) {
		capture.commit = write_image;
		capture.commit_ctx = d;
	} else if (proc_status_read(s->pid, 0, &status, NULL) == 0) {
		capture.stream_room =
			stream_room_make(capture.stream_fd, capture.stream_offset, status.vm_rss);
	}
	rc = checkpoint_capture(&capture, &m, ret_stats, err);
	if (rc == 0 && s->leave_running)
		rc = write_image(d, &m, err);
	return rc;
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
	struct dump d = {.settings = settings, .stream = {.fd = -1}};
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};
	struct checkpoint_stats stats = {0};
	int rc;

	if (!settings->pid || !settings->image)
		return error_set(err, EINVAL, "dump needs --pid PID and --image FILE");
	/* An image beyond ulimit -f is an error in words (setrlimit(2)). */
	signal(SIGXFSZ, SIG_IGN);
	log_show_progress();
	rc = store_slot_open(settings, NULL, &slot, err);
	if (rc == 0)
		rc = verb_lock(&slot, STORE_LOCK_EXCLUSIVE, err);
	if (rc == 0)
		rc = image_header_here(settings->pid, &d.header, err);
	if (rc == 0)
		rc = trust_new_seal(settings, &d.seal, err);
	if (rc == 0)
		rc = hot_create(NULL, &d.stream, err);
	if (rc == 0)
		rc = dump(&d, &stats, err);
	hot_close(&d.stream);
	image_seal_free(d.seal);
	if (rc < 0)
		return rc;
	phases_log_pause(&stats);
	report(settings, &stats);
	*ret_status = 0;
	return 0;
}
