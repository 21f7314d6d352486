/*
 * A snapshot opened for restoring: manifest, and a page stream that can be mapped.
 *
 * The image is opened and its header verified in any case. Manifest and pages come from the hot
 * copy when it was made from this very image file, unmodified since; else from the image,
 * decompressed into a new hot copy, or into anonymous memory when there is to be none (or the
 * folder can't be written). That is the second step: what the manifest rules out never gets there.
 */
#ifndef JSNAP_LAUNCHER_RESTORE_SOURCE_H
#define JSNAP_LAUNCHER_RESTORE_SOURCE_H

#include "image/image.h"
#include "launcher/store/store.h"

#include <stdbool.h>

struct restore_source {
	const struct settings *settings;
	const struct store_slot *slot; /* NULL: there is no place for a hot copy */
	struct image *image;
	int image_fd;
	struct hot hot;			 /* fd -1: none yet */
	const struct manifest *manifest; /* the hot copy's or the image's */
	const struct image_header *header;
};

/* Opens and verifies header and manifest, by the settings' rules (trust.h), the latter only of an
 * image for this architecture. Takes over `fd` (a file or a pipe), on failure too; settings and
 * slot (or NULL) have to outlive the source. */
int restore_source_open(const struct settings *settings, const struct store_slot *slot, int fd,
			struct restore_source *ret_source, struct jsnap_error *err);

/* Makes the page stream available, and forgets the image's keys. */
int restore_source_load(struct restore_source *source, struct jsnap_error *err);

void restore_source_close(struct restore_source *source);
#define CLEANUP_RESTORE_SOURCE __attribute__((cleanup(restore_source_close)))

#endif
