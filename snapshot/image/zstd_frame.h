/*
 * Where a zstd frame ends, found by reading it (RFC 8878, sections 3.1.1 and 3.1.1.2): from a pipe
 * the seek table is not there yet. Internal to snapshot/image.
 */
#ifndef JSNAP_IMAGE_ZSTD_FRAME_H
#define JSNAP_IMAGE_ZSTD_FRAME_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Reads exactly `size` bytes; -errno with the error set when it cannot. */
typedef int (*zstd_frame_read)(void *ctx, void *buf, size_t size, struct jsnap_error *err);

/*
 * Reads one frame into `packed` (`cap` bytes), not a byte more. -EBADMSG unless it is a frame with
 * content checksum, without dictionary, that declares exactly `content_size` bytes.
 */
int zstd_frame_next(zstd_frame_read read, void *ctx, uint64_t content_size, unsigned char *packed,
		    size_t cap, size_t *ret_size, struct jsnap_error *err);

#endif
