/*
 * One snapshot that a verb looks at: found, checked for owner and mode, header and manifest
 * verified.
 */
#ifndef JSNAP_LAUNCHER_OPENED_H
#define JSNAP_LAUNCHER_OPENED_H

#include "image/image.h"
#include "launcher/store/store.h"

struct opened {
	struct store_slot slot; /* under the shared lock where there is one to be had */
	int fd;
	struct image *image;
};

/* `word` as store_find takes it; "-": standard input, without a slot, read once. */
int opened_find(const struct settings *settings, const char *word, struct opened *ret_opened,
		struct jsnap_error *err);
/* The image at this path. */
int opened_open(const struct settings *settings, const char *path, struct opened *ret_opened,
		struct jsnap_error *err);
void opened_close(struct opened *opened);
#define CLEANUP_OPENED __attribute__((cleanup(opened_close)))

#endif
