/*
 * The chunks of an image being read: frames in, verified bytes out. Internal to snapshot/image.
 */
#ifndef JSNAP_IMAGE_IMAGE_PASS_H
#define JSNAP_IMAGE_IMAGE_PASS_H

#include "image/image_format.h"

#include <xxhash.h>

/* What every byte read goes through, so that it is counted, hashed and in the seek table. */
struct image_reader {
	int fd;
	uint64_t offset; /* bytes read since the image's start */
	uint32_t frame_size;
	XXH3_state_t *hash; /* of them */
	enum image_protection protection;
	const struct image_seal *seal; /* NULL: seals, if there are any, are not looked at */
	struct seek_table table;       /* of the frames among them */
};

/* zstd_frame_read: exactly `size` bytes; -EBADMSG when the image ends before. */
int image_reader_read(void *reader, void *buf, size_t size, struct jsnap_error *err);

#define IMAGE_ZERO_FRAME_MAX 256u /* bytes of a frame of zeros worth remembering */

/* One pass over manifest or page stream: `size` bytes in chunks. */
struct image_pass {
	struct image_reader *reader;
	uint64_t size;
	const char *what; /* for messages */
	uint64_t section;

	void (*progress)(void *ctx, uint64_t done, uint64_t total); /* bytes; may be NULL */
	void *progress_ctx;

	int out_fd; /* page stream: where it goes, or -1 */
	uint64_t out_offset;
	bool to_memory; /* manifest: into `memory` (malloc'ed, with memory_cap), which grows */
	char *memory;	/* with what was decompressed; touched by the caller's thread only */
	size_t memory_size, memory_cap;

	unsigned char zero[IMAGE_ZERO_FRAME_MAX]; /* a frame known to hold a chunk of zeros */
	size_t zero_size;
};

/* Verifies content checksum and seal of every chunk before it is used. Pages of zeros are not
 * written.
 */
int image_pass_run(struct image_pass *pass, unsigned threads, struct jsnap_error *err);

#endif
