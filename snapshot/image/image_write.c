/*
 * Writing an image, front to back (docs/image-format.md). The page stream is read by the workers
 * that compress it; holes are not read at all.
 */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "image/image_format.h"
#include "image/pipeline.h"
#include "image/tempfile.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>
#include <zstd.h>

#define LEVEL_DEFAULT 3

struct writer {
	int fd, level;
	uint64_t offset; /* bytes written */
	XXH3_state_t *hash;
	struct seek_table table;
	unsigned char *zero; /* the frame of a whole chunk of zeros */
	size_t zero_size;

	const struct image_seal *seal;
	uint64_t section;	     /* which of the two is being written */
	const unsigned char *memory; /* what is cut into chunks: bytes, or a range of a file */
	int in_fd;
	uint64_t in_offset, in_size;
	uint64_t data_start, data_end; /* the stretch of data around or after what was asked last */

	const struct image_write_options *options;
};

static int emit(struct writer *w, const void *data, size_t size, struct jsnap_error *err)
{
	int r = write_full(w->fd, data, size);

	if (r < 0)
		return error_set(err, -r, "write the image at %llu: %s",
				 (unsigned long long)w->offset, strerror(-r));
	XXH3_64bits_update(w->hash, data, size);
	w->offset += size;
	return 0;
}

static int emit_skippable(struct writer *w, const void *data, size_t size, struct jsnap_error *err)
{
	int r = emit(w, data, size, err);

	return r < 0 ? r : seek_table_add(&w->table, size, 0, SEEK_CHECKSUM_EMPTY, err);
}

static void *writer_worker_new(void *ctx)
{
	struct writer *w = ctx;
	ZSTD_CCtx *cctx = ZSTD_createCCtx();

	if (!cctx)
		return NULL;
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, w->level);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, 1);
	return cctx;
}

static void writer_worker_free(void *worker)
{
	ZSTD_freeCCtx(worker);
}

/* True when [start, end) of the input is known to be a hole. Where holes cannot be asked for
 * (lseek(2): EINVAL), everything is data. */
static bool in_hole(struct writer *w, uint64_t start, uint64_t end)
{
	if (start >= w->data_end) {
		off_t at = lseek(w->in_fd, (off_t)start, SEEK_DATA);

		w->data_start = at >= 0 ? (uint64_t)at : errno == ENXIO ? UINT64_MAX : start;
		w->data_end = UINT64_MAX;
		if (at >= 0) {
			at = lseek(w->in_fd, at, SEEK_HOLE);
			if (at >= 0)
				w->data_end = (uint64_t)at;
		}
	}
	return end <= w->data_start;
}

static int writer_produce(void *ctx, struct chunk *c, struct jsnap_error *err)
{
	struct writer *w = ctx;
	uint64_t at = c->index * IMAGE_FRAME_SIZE;

	(void)err;
	if (at >= w->in_size)
		return 0;
	c->raw_size = w->in_size - at < IMAGE_FRAME_SIZE ? w->in_size - at : IMAGE_FRAME_SIZE;
	c->zero = !w->memory && in_hole(w, w->in_offset + at, w->in_offset + at + c->raw_size);
	return 1;
}

/* Compresses to `packed`, c->packed_size bytes. */
static int pack(struct writer *w, ZSTD_CCtx *cctx, struct chunk *c, unsigned char *packed,
		struct jsnap_error *err)
{
	if (c->zero && w->zero && c->raw_size == IMAGE_FRAME_SIZE) {
		memcpy(packed, w->zero, w->zero_size);
		c->packed_size = w->zero_size;
		return 0;
	}
	if (c->zero)
		memset(c->raw, 0, c->raw_size);
	c->packed_size = ZSTD_compress2(cctx, packed, ZSTD_compressBound(IMAGE_FRAME_SIZE), c->raw,
					c->raw_size);
	if (ZSTD_isError(c->packed_size))
		return error_set(err, EIO, "compress chunk %llu: %s", (unsigned long long)c->index,
				 ZSTD_getErrorName(c->packed_size));
	return 0;
}

/* An encrypted chunk is a skippable frame; a signed one is followed by another with its code. */
static int pack_sealed(struct writer *w, ZSTD_CCtx *cctx, struct chunk *c, struct jsnap_error *err)
{
	struct seal_place place = {w->section, c->index};
	struct image_disk_seal seal = {.skippable_magic = IMAGE_MAGIC_SEAL,
				       .skippable_size = sizeof(seal.mac)};
	struct seek_head head = {.skippable_magic = IMAGE_MAGIC_ENCRYPTED};
	int r;

	if (w->seal->protection == IMAGE_SIGNED) {
		r = pack(w, cctx, c, c->packed, err);
		if (r < 0)
			return r;
		image_seal_chunk_mac(w->seal, place, c->packed, c->packed_size, seal.mac);
		memcpy(c->packed + c->packed_size, &seal, sizeof(seal));
		return 0;
	}
	r = pack(w, cctx, c, c->packed + sizeof(head), err);
	if (r < 0)
		return r;
	image_seal_encrypt(w->seal, place, c->packed + sizeof(head), c->packed_size);
	c->packed_size += SEAL_TAG_SIZE;
	head.skippable_size = (uint32_t)c->packed_size;
	memcpy(c->packed, &head, sizeof(head));
	c->packed_size += sizeof(head);
	return 0;
}

static int writer_work(void *ctx, void *worker, struct chunk *c, struct jsnap_error *err)
{
	struct writer *w = ctx;
	uint64_t at = c->index * IMAGE_FRAME_SIZE;
	int r = 0;

	if (w->memory)
		memcpy(c->raw, w->memory + at, c->raw_size);
	else if (!c->zero)
		r = pread_full(w->in_fd, c->raw, c->raw_size, (off_t)(w->in_offset + at));
	if (r < 0)
		return error_set(err, -r, "read the page stream at %llu: %s",
				 (unsigned long long)at, strerror(-r));
	if (!c->zero)
		c->zero = image_is_zero(c->raw, c->raw_size);
	return w->seal ? pack_sealed(w, worker, c, err) : pack(w, worker, c, c->packed, err);
}

/* A chunk's frame, and what sealing has made of it. */
static int emit_chunk(struct writer *w, const struct chunk *c, struct jsnap_error *err)
{
	uint32_t checksum; /* a frame ends with the low half of XXH64 of its content, RFC 8878 */
	int r;

	if (w->seal && w->seal->protection == IMAGE_ENCRYPTED)
		return emit_skippable(w, c->packed, c->packed_size, err);
	r = emit(w, c->packed, c->packed_size, err);
	if (r < 0)
		return r;
	memcpy(&checksum, c->packed + c->packed_size - sizeof(checksum), sizeof(checksum));
	r = seek_table_add(&w->table, c->packed_size, c->raw_size, checksum, err);
	if (r == 0 && w->seal)
		r = emit_skippable(w, c->packed + c->packed_size, sizeof(struct image_disk_seal),
				   err);
	return r;
}

static int writer_consume(void *ctx, struct chunk *c, struct jsnap_error *err)
{
	const struct image_write_options *o;
	struct writer *w = ctx;
	int r = emit_chunk(w, c, err);

	o = w->options;
	if (r == 0 && !w->memory && o && o->progress)
		o->progress(o->progress_ctx, c->index * IMAGE_FRAME_SIZE + c->raw_size, w->in_size);
	return r;
}

static int emit_chunks(struct writer *w, struct jsnap_error *err)
{
	static const struct pipeline p = {
		.produce = writer_produce,
		.work = writer_work,
		.consume = writer_consume,
		.worker_new = writer_worker_new,
		.worker_free = writer_worker_free,
		.raw_cap = IMAGE_FRAME_SIZE,
		.packed_cap = ZSTD_COMPRESSBOUND(IMAGE_FRAME_SIZE) + IMAGE_PACKED_EXTRA,
	};
	unsigned threads = w->options ? w->options->threads : 0;

	threads = pipeline_threads(threads, image_n_frames(w->in_size, IMAGE_FRAME_SIZE));
	return pipeline_run(&p, w, threads, err);
}

static int make_zero_frame(struct writer *w, struct jsnap_error *err)
{
	CLEANUP_FREE unsigned char *raw = calloc(1, IMAGE_FRAME_SIZE);
	CLEANUP_FREE unsigned char *packed = malloc(ZSTD_COMPRESSBOUND(IMAGE_FRAME_SIZE));
	ZSTD_CCtx *cctx = writer_worker_new(w);
	struct chunk c = {.raw = raw, .packed = packed, .raw_size = IMAGE_FRAME_SIZE};
	int r;

	if (!raw || !packed || !cctx)
		r = error_set(err, ENOMEM, "no memory to compress a chunk");
	else
		r = pack(w, cctx, &c, packed, err);
	ZSTD_freeCCtx(cctx);
	if (r < 0)
		return r;
	w->zero = STEAL_PTR(packed);
	w->zero_size = c.packed_size;
	return 0;
}

static int emit_end(struct writer *w, struct jsnap_error *err)
{
	struct image_disk_trailer trailer = {.skippable_magic = IMAGE_MAGIC_TRAILER,
					     .skippable_size = sizeof(trailer) - 8,
					     .magic = "JSNAPEND",
					     .offset = w->offset,
					     .hash = XXH3_64bits_digest(w->hash)};
	struct seek_head head;
	struct seek_foot foot;
	int r = emit_skippable(w, &trailer, sizeof(trailer), err);

	if (r < 0)
		return r;
	seek_table_ends(&w->table, &head, &foot);
	r = emit(w, &head, sizeof(head), err);
	if (r == 0)
		r = emit(w, w->table.entries, w->table.count * sizeof(*w->table.entries), err);
	return r < 0 ? r : emit(w, &foot, sizeof(foot), err);
}

static int emit_all(struct writer *w, const void *manifest, const struct image_header *header,
		    int stream_fd, uint64_t stream_offset, struct jsnap_error *err)
{
	struct image_disk_header disk;
	int r;

	image_header_encode(header, IMAGE_FRAME_SIZE, w->seal, &disk);
	r = emit_skippable(w, &disk, sizeof(disk), err);
	if (r < 0)
		return r;
	w->section = IMAGE_SECTION_MANIFEST;
	w->memory = manifest;
	w->in_size = header->manifest_size;
	r = emit_chunks(w, err);
	if (r < 0)
		return r;
	w->section = IMAGE_SECTION_STREAM;
	w->memory = NULL;
	w->in_fd = stream_fd;
	w->in_offset = stream_offset;
	w->in_size = header->stream_size;
	r = make_zero_frame(w, err);
	if (r == 0)
		r = emit_chunks(w, err);
	if (r == 0)
		r = fault_fail(FAULT_IMAGE_WRITE, ENOSPC, err);
	return r < 0 ? r : emit_end(w, err);
}

static int write_file(const char *path, const void *manifest, const struct image_header *header,
		      int stream_fd, uint64_t stream_offset,
		      const struct image_write_options *options, struct jsnap_error *err)
{
	struct writer w = {.level = options && options->level ? options->level : LEVEL_DEFAULT,
			   .options = options,
			   .seal = options ? options->seal : NULL};
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL)}};
	CLEANUP_FREE char *temporary = NULL;
	CLEANUP_CLOSE int fd = -1;
	int r;

	w.hash = XXH3_createState();
	if (!w.hash)
		return error_set(err, ENOMEM, "no memory for a hash");
	XXH3_64bits_reset(w.hash);
	r = tempfile_create(path, &fd, &temporary, err);
	w.fd = fd;
	if (r == 0)
		r = emit_all(&w, manifest, header, stream_fd, stream_offset, err);
	if (r == 0 && futimens(fd, times) < 0)
		r = error_errno(err, "set its time");
	if (r == 0 && options && options->origin)
		r = image_origin(fd, header, options->origin, err);
	if (r == 0)
		r = tempfile_publish(fd, temporary, path,
				     options && options->spare_others ? PLACE_IMAGE : PLACE_ANY,
				     err);
	if (r < 0 && temporary)
		unlink(temporary);
	XXH3_freeState(w.hash);
	seek_table_free(&w.table);
	free(w.zero);
	return r;
}

/* A stream that ends early would read as a hole, and be stored as zeros. */
static int check_stream_size(int fd, uint64_t offset, uint64_t size, struct jsnap_error *err)
{
	struct stat st;

	if (!size)
		return 0;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "fstat of the page stream");
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size >= size &&
	    (uint64_t)st.st_size - size >= offset)
		return 0;
	return error_set(err, ENODATA,
			 "the page stream's file ends at %llu, before the stream's %llu bytes at "
			 "%llu",
			 (unsigned long long)st.st_size, (unsigned long long)size,
			 (unsigned long long)offset);
}

int image_manifest_id(const struct manifest *m, const struct image_seal *seal,
		      struct image_id *ret_id, struct jsnap_error *err)
{
	CLEANUP_FREE void *data = NULL;
	size_t size;
	int r = manifest_save(m, &data, &size, err);

	if (r == 0)
		image_id_of(data, size, seal, ret_id);
	return r;
}

int image_write(const char *path, const struct manifest *m, int stream_fd, uint64_t stream_offset,
		struct image_header *header, const struct image_write_options *options,
		struct jsnap_error *err)
{
	struct image_header full = *header;
	CLEANUP_FREE void *manifest = NULL;
	struct timespec now;
	size_t size;
	int r = manifest_check(m, err);

	if (r == 0)
		r = check_stream_size(stream_fd, stream_offset, m->process->stream_size, err);
	if (r == 0)
		r = manifest_save(m, &manifest, &size, err);
	if (r < 0) {
		error_context(err, "image %s", path);
		return r;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	full.version = IMAGE_FORMAT_VERSION;
	full.manifest_size = size;
	full.stream_size = m->process->stream_size;
	image_id_of(manifest, size, options ? options->seal : NULL, &full.id);
	if (options && options->seal) {
		full.protection = options->seal->protection;
		memcpy(full.key_id, options->seal->key_id, sizeof(full.key_id));
		memcpy(full.salt, options->seal->salt, sizeof(full.salt));
	}
	full.created_realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	r = write_file(path, manifest, &full, stream_fd, stream_offset, options, err);
	if (r < 0) {
		error_context(err, "image %s", path);
		return r;
	}
	*header = full;
	return 0;
}
