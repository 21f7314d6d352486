/* See zstd_frame.h. */
#include "image/zstd_frame.h"

#include <errno.h>
#include <string.h>

#define FRAME_MAGIC    0xFD2FB528u
#define FIXED_PART     5u /* magic, frame header descriptor */
#define CHECKSUM_SIZE  4u
#define BLOCK_SIZE_MAX (128u << 10)

struct frame {
	zstd_frame_read read;
	void *ctx;
	unsigned char *packed;
	size_t size, cap;
};

static int take(struct frame *f, size_t size, struct jsnap_error *err)
{
	int r;

	if (size > f->cap - f->size)
		return error_set(err, EBADMSG, "a frame is longer than its content could need");
	r = f->read(f->ctx, f->packed + f->size, size, err);
	if (r == 0)
		f->size += size;
	return r;
}

static int take_header(struct frame *f, uint64_t content_size, struct jsnap_error *err)
{
	static const uint8_t content_bytes[4] = {1, 2, 4, 8};
	unsigned descriptor, bytes, window;
	uint64_t declared = 0;
	uint32_t magic;
	int r = take(f, FIXED_PART, err);

	if (r < 0)
		return r;
	memcpy(&magic, f->packed, sizeof(magic));
	descriptor = f->packed[4];
	if (magic != FRAME_MAGIC)
		return error_set(err, EBADMSG, "a zstd frame does not begin where it must");
	/* Bit 5: single segment, no window byte. Without it, size code 0 means no content size. */
	window = !(descriptor & 0x20);
	if ((descriptor & 0x0f) != 0x04 || (window && descriptor >> 6 == 0))
		return error_set(err, EBADMSG,
				 "a zstd frame without checksum or content size, or with a "
				 "dictionary (descriptor %#x)",
				 descriptor);
	bytes = content_bytes[descriptor >> 6];
	r = take(f, window + bytes, err);
	if (r < 0)
		return r;
	memcpy(&declared, f->packed + FIXED_PART + window, bytes);
	if (bytes == 2)
		declared += 256;
	if (declared != content_size)
		return error_set(err, EBADMSG, "a frame declares %llu bytes where %llu are due",
				 (unsigned long long)declared, (unsigned long long)content_size);
	return 0;
}

/* 1: it was the last block */
static int take_block(struct frame *f, struct jsnap_error *err)
{
	uint32_t header = 0, size;
	int r = take(f, 3, err);

	if (r < 0)
		return r;
	memcpy(&header, f->packed + f->size - 3, 3);
	size = header >> 3;
	switch (header >> 1 & 3) {
	case 0: /* raw */
	case 2: /* compressed */
		break;
	case 1: /* one byte, repeated */
		size = 1;
		break;
	default:
		return error_set(err, EBADMSG, "a zstd block of the reserved type");
	}
	if (size > BLOCK_SIZE_MAX)
		return error_set(err, EBADMSG, "a zstd block of %u bytes", size);
	r = take(f, size, err);
	return r < 0 ? r : (int)(header & 1);
}

int zstd_frame_next(zstd_frame_read read, void *ctx, uint64_t content_size, unsigned char *packed,
		    size_t cap, size_t *ret_size, struct jsnap_error *err)
{
	struct frame f = {.read = read, .ctx = ctx, .packed = packed, .cap = cap};
	int r = take_header(&f, content_size, err);

	while (r == 0)
		r = take_block(&f, err);
	if (r > 0)
		r = take(&f, CHECKSUM_SIZE, err);
	if (r == 0)
		*ret_size = f.size;
	return r;
}
