/* See snapshot_writer.h. */
#include "launcher/cold/snapshot_writer.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "launcher/supervise/fds.h"
#include "launcher/restore/heap_limit.h"
#include "launcher/store/trust.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define NICE 10

struct snapshot_progress *snapshot_progress_new(void)
{
	void *shared = mmap(NULL, sizeof(struct snapshot_progress), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

void snapshot_progress_free(struct snapshot_progress *progress)
{
	if (progress)
		munmap(progress, sizeof(*progress));
}

static void note_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct snapshot_progress *progress = ctx;

	progress->done = done;
	progress->total = total;
}

void snapshot_writer_free(struct snapshot_writer *writer)
{
	manifest_free(&writer->manifest);
	if (writer->hot.fd >= 0)
		hot_close(&writer->hot);
	writer->hot.fd = -1;
}

int snapshot_writer_notes(struct manifest *m, char *const *argv, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int rc;

	if (!stream)
		return error_set(err, ENOMEM, "no memory for the command line");
	for (size_t i = 0; argv[i]; i++)
		fprintf(stream, "%s%s", i ? " " : "", argv[i]);
	if (text_stream_end(stream, &text) < 0)
		return error_set(err, ENOMEM, "no memory for the command line");
	rc = manifest_set_note(m, "command", text, err);
	return rc < 0 ? rc : manifest_set_note(m, "jsnap", JSNAP_VERSION, err);
}

/* Last: a hot copy without its image would be worth nothing; an image without a hot copy is worth
 * almost all, and the next restore makes one. What belonged to the image before is no use. */
static void make_hot(struct snapshot_writer *w, const struct image_origin *origin,
		     const struct image_seal *seal, struct jsnap_error *err)
{
	const struct store_slot *slot = w->request->slot;
	int rc = 0;

	if (w->request->hot_copy) {
		rc = fault_fail(FAULT_HOT_COMMIT, ENOSPC, err);
		if (rc == 0)
			rc = hot_commit(&w->hot, &w->manifest, origin, seal, err);
	}
	if (rc < 0 || !w->request->hot_copy)
		store_remove_copies(slot, NULL);
}

static int write_image(struct snapshot_writer *w, struct snapshot_result *result)
{
	const struct snapshot_request *r = w->request;
	CLEANUP_IMAGE_SEAL struct image_seal *seal = NULL;
	struct image_origin origin;
	struct image_write_options options = {.spare_others = r->slot->spare_others,
					      .origin = &origin};
	struct jsnap_error *err = &result->error;
	int rc = trust_new_seal(r->settings, &seal, err);

	options.seal = seal;
	if (w->progress) {
		options.progress = note_progress;
		options.progress_ctx = w->progress;
	}
	if (rc == 0)
		rc = key_store(r->facts, &w->manifest, err);
	if (rc == 0)
		rc = snapshot_writer_notes(&w->manifest, r->command->argv, err);
	if (rc == 0)
		rc = heap_limit_store(r->agent->heap_max, &w->manifest, err);
	if (rc == 0 && fault_on(FAULT_WRITER))
		raise(SIGKILL);
	if (rc == 0)
		rc = image_write(r->slot->image, &w->manifest, w->hot.fd, w->hot.stream_offset,
				 &w->header, &options, err);
	if (rc < 0)
		return rc;
	result->image_bytes = origin.size;
	make_hot(w, &origin, seal, &result->hot_error);
	return 0;
}

/* Nobody reads the application's output through this process, and no terminal stops it. */
static void detach(const struct snapshot_writer *w, int result_fd)
{
	int keep[] = {w->hot.fd, result_fd, w->request->slot->lock_fd};
	int null_fd;

	prctl(PR_SET_NAME, "jsnap-writer", 0, 0, 0);
	setpgid(0, 0);
	if (w->request->background)
		setpriority(PRIO_PROCESS, 0, NICE);
	fds_keep_only(keep, ARRAY_SIZE(keep));
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null_fd >= 0 && fd < 3; fd++)
		dup2(null_fd, fd);
}

static _Noreturn void writer_main(struct snapshot_writer *w, int result_fd)
{
	struct snapshot_result result = {0};
	uint64_t started = monotonic_ns();

	detach(w, result_fd);
	result.rc = write_image(w, &result);
	result.write_ns = monotonic_ns() - started;
	hot_close(&w->hot);
	store_unlock(w->request->slot);
	(void)write_full(result_fd, &result, sizeof(result));
	_exit(0);
}

/* The parent's copy goes without removing the temporary file, which the writer still fills. */
static void hand_over_hot(struct hot *hot)
{
	close(steal_fd(&hot->fd));
	free(hot->path);
	free(hot->temporary);
	hot->path = hot->temporary = NULL;
}

int snapshot_writer_start(struct snapshot_writer *writer, struct snapshot_job *job,
			  struct jsnap_error *err)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "create a pipe");
	job->progress = writer->progress = snapshot_progress_new();
	pid = fork();
	if (pid == 0)
		writer_main(writer, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		int rc = error_errno(err, "fork the process that writes the image");

		close(fds[0]);
		snapshot_progress_free(job->progress);
		job->progress = NULL;
		return rc;
	}
	hand_over_hot(&writer->hot);
	close(steal_fd(&writer->request->slot->lock_fd));
	job->writer = pid;
	job->result_fd = fds[0];
	job->helper = supervise_helper(writer->request->supervise, pid);
	return 0;
}
