/*
 * The process that turns a captured page stream into an image (snapshot_job.h).
 */
#ifndef JSNAP_LAUNCHER_SNAPSHOT_WRITER_H
#define JSNAP_LAUNCHER_SNAPSHOT_WRITER_H

#include "image/image.h"
#include "launcher/cold/snapshot_job.h"

/* NULL without memory: then nobody sees how far it is. */
struct snapshot_progress *snapshot_progress_new(void);
void snapshot_progress_free(struct snapshot_progress *progress);

struct snapshot_writer {
	const struct snapshot_request *request;
	struct manifest manifest;
	struct hot hot;
	struct image_header header;
	struct snapshot_progress *progress; /* the job's, once it has begun */
};

/* Forks it; job's writer, result_fd and helper are filled in. The slot's lock is the writer's from
 * here on, and so are the hot copy's temporary file and its removal. */
int snapshot_writer_start(struct snapshot_writer *writer, struct snapshot_job *job,
			  struct jsnap_error *err);
void snapshot_writer_free(struct snapshot_writer *writer);
#define CLEANUP_SNAPSHOT_WRITER __attribute__((cleanup(snapshot_writer_free)))

/* What every image says of its origin, beside the key's facts: notes "command" (the java command
 * line, its words separated by blanks) and "jsnap" (version). */
int snapshot_writer_notes(struct manifest *m, char *const *argv, struct jsnap_error *err);

#endif
