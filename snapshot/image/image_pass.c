/* See image_pass.h. */
#include "image/image_pass.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "image/pipeline.h"
#include "image/zstd_frame.h"

#include <string.h>
#include <zstd.h>

int image_reader_read(void *ctx, void *buf, size_t size, struct jsnap_error *err)
{
	struct image_reader *reader = ctx;
	int r = read_full(reader->fd, buf, size);

	if (r == -ENODATA)
		return error_set(err, EBADMSG, "the image is cut off: it ends after byte %llu",
				 (unsigned long long)reader->offset);
	if (r < 0)
		return error_set(err, -r, "read the image at %llu: %s",
				 (unsigned long long)reader->offset, strerror(-r));
	XXH3_64bits_update(reader->hash, buf, size);
	reader->offset += size;
	return 0;
}

static void *pass_worker_new(void *ctx)
{
	(void)ctx;
	return ZSTD_createDCtx();
}

static void pass_worker_free(void *worker)
{
	ZSTD_freeDCtx(worker);
}

/* A zstd frame, and its seal behind it. */
static int take_frame(struct image_reader *reader, struct chunk *c, struct jsnap_error *err)
{
	struct image_disk_seal seal;
	uint32_t checksum;
	int r = zstd_frame_next(image_reader_read, reader, c->raw_size, c->packed,
				ZSTD_compressBound(c->raw_size), &c->packed_size, err);

	if (r < 0)
		return r;
	memcpy(&checksum, c->packed + c->packed_size - sizeof(checksum), sizeof(checksum));
	r = seek_table_add(&reader->table, c->packed_size, c->raw_size, checksum, err);
	if (r < 0 || reader->protection == IMAGE_PLAIN)
		return r;
	r = image_reader_read(reader, &seal, sizeof(seal), err);
	if (r < 0)
		return r;
	if (seal.skippable_magic != IMAGE_MAGIC_SEAL || seal.skippable_size != sizeof(seal.mac))
		return error_set(err, EBADMSG, "a seal does not follow where it must");
	memcpy(c->packed + c->packed_size, &seal, sizeof(seal));
	return seek_table_add(&reader->table, sizeof(seal), 0, SEEK_CHECKSUM_EMPTY, err);
}

static int take_encrypted(struct image_reader *reader, struct chunk *c, struct jsnap_error *err)
{
	size_t most = ZSTD_compressBound(c->raw_size) + SEAL_TAG_SIZE;
	struct seek_head head;
	int r = image_reader_read(reader, &head, sizeof(head), err);

	if (r < 0)
		return r;
	if (head.skippable_magic != IMAGE_MAGIC_ENCRYPTED || head.skippable_size <= SEAL_TAG_SIZE ||
	    head.skippable_size > most)
		return error_set(err, EBADMSG, "an encrypted chunk does not begin where it must");
	c->packed_size = head.skippable_size;
	r = image_reader_read(reader, c->packed, c->packed_size, err);
	return r < 0 ? r
		     : seek_table_add(&reader->table, sizeof(head) + c->packed_size, 0,
				      SEEK_CHECKSUM_EMPTY, err);
}

static int pass_produce(void *ctx, struct chunk *c, struct jsnap_error *err)
{
	struct image_pass *p = ctx;
	struct image_reader *reader = p->reader;
	uint64_t at = c->index * reader->frame_size, offset = reader->offset;
	int r;

	if (at >= p->size)
		return 0;
	c->raw_size = p->size - at < reader->frame_size ? p->size - at : reader->frame_size;
	r = reader->protection == IMAGE_ENCRYPTED ? take_encrypted(reader, c, err)
						  : take_frame(reader, c, err);
	if (r < 0) {
		error_context(err, "%s, chunk %llu, byte %llu of the image", p->what,
			      (unsigned long long)c->index, (unsigned long long)offset);
		return r;
	}
	c->zero = reader->protection != IMAGE_ENCRYPTED && c->raw_size == reader->frame_size &&
		  c->packed_size == p->zero_size && memcmp(c->packed, p->zero, p->zero_size) == 0;
	/* what is known to be zeros must still be known to belong here */
	c->done = c->zero && !reader->seal;
	return 1;
}

/* Writes the stretches of pages that are not zero. */
static int write_sparse(int fd, const unsigned char *data, size_t size, uint64_t offset)
{
	size_t start, end = 0;

	while (end < size) {
		for (start = end; start < size; start += IMAGE_PAGE)
			if (!image_is_zero(data + start, IMAGE_PAGE))
				break;
		for (end = start; end < size; end += IMAGE_PAGE)
			if (image_is_zero(data + end, IMAGE_PAGE) ||
			    (end > start && (offset + end) % HOT_WRITE_STEP == 0))
				break;
		if (end > start) {
			int r = pwrite_full(fd, data + start, end - start, (off_t)(offset + start));

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Leaves in c->packed a frame that is known to be the writer's, of this image and this place. */
static int check_seal(const struct image_pass *p, struct chunk *c, struct jsnap_error *err)
{
	const struct image_seal *seal = p->reader->seal;
	struct seal_place place = {p->section, c->index};
	struct image_disk_seal found;
	uint8_t due[SEAL_MAC_SIZE];
	bool good;

	if (seal->protection == IMAGE_ENCRYPTED) {
		good = image_seal_decrypt(seal, place, c->packed, c->packed_size);
		c->packed_size -= SEAL_TAG_SIZE;
	} else {
		memcpy(&found, c->packed + c->packed_size, sizeof(found));
		image_seal_chunk_mac(seal, place, c->packed, c->packed_size, due);
		good = image_seal_same(due, found.mac);
	}
	return good ? 0
		    : error_set(err, EBADMSG,
				"%s, chunk %llu: damaged, or not what the holder of the key wrote",
				p->what, (unsigned long long)c->index);
}

static int pass_work(void *ctx, void *worker, struct chunk *c, struct jsnap_error *err)
{
	struct image_pass *p = ctx;
	uint64_t at = c->index * p->reader->frame_size;
	size_t n;
	int r = p->reader->seal ? check_seal(p, c, err) : 0;

	if (r < 0 || c->zero)
		return r;
	n = ZSTD_decompressDCtx(worker, c->raw, c->raw_size, c->packed, c->packed_size);
	if (ZSTD_isError(n) || n != c->raw_size)
		return error_set(err, EBADMSG, "%s, chunk %llu: damaged: %s", p->what,
				 (unsigned long long)c->index,
				 ZSTD_isError(n) ? ZSTD_getErrorName(n) : "too short");
	if (p->to_memory)
		return 0;
	c->zero = image_is_zero(c->raw, c->raw_size);
	if (c->zero || p->out_fd < 0)
		return 0;
	r = write_sparse(p->out_fd, c->raw, c->raw_size, p->out_offset + at);
	if (r < 0)
		return error_set(err, -r, "write the page stream at %llu: %s",
				 (unsigned long long)(p->out_offset + at), strerror(-r));
	return 0;
}

static int pass_consume(void *ctx, struct chunk *c, struct jsnap_error *err)
{
	struct image_pass *p = ctx;

	if (p->progress)
		p->progress(p->progress_ctx, c->index * p->reader->frame_size + c->raw_size,
			    p->size);
	if (!p->to_memory) {
		if (c->zero && !p->zero_size && p->reader->protection != IMAGE_ENCRYPTED &&
		    c->packed_size <= sizeof(p->zero) && c->raw_size == p->reader->frame_size) {
			memcpy(p->zero, c->packed, c->packed_size);
			p->zero_size = c->packed_size;
		}
		return 0;
	}
	if (c->raw_size > p->memory_cap - p->memory_size) {
		size_t cap = p->memory_cap * 2 + c->raw_size;
		char *grown;

		if (cap > p->size)
			cap = p->size;
		grown = realloc(p->memory, cap);
		if (!grown)
			return error_set(err, ENOMEM, "no memory for %zu bytes of the manifest",
					 cap);
		p->memory = grown;
		p->memory_cap = cap;
	}
	memcpy(p->memory + p->memory_size, c->raw, c->raw_size);
	p->memory_size += c->raw_size;
	return 0;
}

int image_pass_run(struct image_pass *p, unsigned threads, struct jsnap_error *err)
{
	uint32_t frame_size = p->reader->frame_size;
	size_t largest = p->size < frame_size ? p->size : frame_size;
	const struct pipeline pipeline = {
		.produce = pass_produce,
		.work = pass_work,
		.consume = pass_consume,
		.worker_new = pass_worker_new,
		.worker_free = pass_worker_free,
		.raw_cap = largest ? largest : 1,
		.packed_cap = ZSTD_compressBound(largest) + IMAGE_PACKED_EXTRA,
	};

	threads = pipeline_threads(threads, image_n_frames(p->size, frame_size));
	return pipeline_run(&pipeline, p, threads, err);
}
