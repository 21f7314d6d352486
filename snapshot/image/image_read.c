/*
 * Reading an image from front to back, from a file or a pipe (docs/image-format.md, "What is
 * verified, and when").
 *
 * Invariants: nothing is read with a capability effective; every byte read goes through
 * image_reader_read(), which hashes and counts it; every frame read gets an entry in the seek table
 * that the file's own is compared with at the end. The state after the manifest is kept, so that a
 * file (not a pipe) can be extracted or verified repeatedly.
 */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/privilege.h"
#include "image/image_pass.h"

#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

struct image {
	struct image_reader reader;
	struct image_seal *seal; /* the reader's too */
	struct image_header header;
	struct manifest manifest;

	void (*progress)(void *ctx, uint64_t done, uint64_t total); /* may be NULL */
	void *progress_ctx;

	off_t start; /* of the image in the file; -1: it cannot seek */
	bool stream_read;
	uint64_t stream_at; /* the reader's state when the page stream begins */
	size_t stream_entries;
	XXH3_state_t *stream_hash;
};

static int read_bytes(struct image *image, void *buf, size_t size, struct jsnap_error *err)
{
	return image_reader_read(&image->reader, buf, size, err);
}

/* The header's frame: *ret_frame is owned. */
static int read_header_frame(struct image *image, char **ret_frame, size_t *ret_size,
			     struct jsnap_error *err)
{
	CLEANUP_FREE char *frame = malloc(IMAGE_HEADER_MAX);
	struct seek_head head;
	int r;

	if (!frame)
		return error_set(err, ENOMEM, "no memory for the image's header");
	r = read_bytes(image, &head, sizeof(head), err);
	if (r < 0)
		return r;
	if (head.skippable_magic != IMAGE_MAGIC_HEADER ||
	    head.skippable_size > IMAGE_HEADER_MAX - sizeof(head))
		return error_set(err, EBADMSG,
				 "damaged, or not a jsnap image: it does not begin with a header");
	memcpy(frame, &head, sizeof(head));
	r = read_bytes(image, frame + sizeof(head), head.skippable_size, err);
	if (r < 0)
		return r;
	*ret_size = sizeof(head) + head.skippable_size;
	*ret_frame = STEAL_PTR(frame);
	return 0;
}

/* Nothing but the header is known yet, and nothing of it has been used. */
static int check_trust(struct image *image, const struct image_trust *trust, const void *frame,
		       struct jsnap_error *err)
{
	const struct image_disk_header *disk = frame;
	struct image_header *h = &image->header;
	uint8_t due[SEAL_MAC_SIZE];
	int r;

	if (h->protection < trust->required)
		return error_set(err, EKEYREJECTED, "the image is %s, and must be %s to be used",
				 image_protection_name(h->protection),
				 image_protection_name(trust->required));
	if (h->protection == IMAGE_PLAIN)
		return 0;
	if (!trust->key && h->protection == IMAGE_SIGNED)
		return 0;
	if (!trust->key) {
		error_set(err, ENOKEY, "the image is encrypted, and there is no key for it");
		return error_hint(err, "--image-key FILE names it");
	}
	r = image_seal_open(trust->key, h, &image->seal, err);
	if (r < 0)
		return r;
	image_seal_header_mac(image->seal, disk, offsetof(struct image_disk_header, mac), due);
	if (!image_seal_same(due, disk->mac))
		return error_set(err, EBADMSG,
				 "image header: damaged, or not what the holder of the key wrote");
	image->reader.seal = image->seal;
	h->authentic = true;
	return 0;
}

static int open_header(struct image *image, const struct image_trust *trust,
		       struct jsnap_error *err)
{
	CLEANUP_FREE char *frame = NULL;
	size_t size = 0;
	int r = read_header_frame(image, &frame, &size, err);

	if (r == 0)
		r = image_header_decode(frame, size, &image->header, &image->reader.frame_size,
					err);
	if (r == 0)
		r = check_trust(image, trust, frame, err);
	image->reader.protection = image->header.protection;
	if (r == 0)
		r = seek_table_add(&image->reader.table, size, 0, SEEK_CHECKSUM_EMPTY, err);
	return r;
}

static int open_manifest(struct image *image, struct jsnap_error *err)
{
	struct image_pass pass = {.reader = &image->reader,
				  .size = image->header.manifest_size,
				  .what = "manifest",
				  .section = IMAGE_SECTION_MANIFEST,
				  .out_fd = -1,
				  .to_memory = true};
	struct image_id id;
	int r;

	pass.memory_cap = 1;
	pass.memory = malloc(pass.memory_cap);
	if (!pass.memory)
		return error_set(err, ENOMEM, "no memory for the manifest");
	r = image_pass_run(&pass, 0, err);
	if (r == 0) {
		image_id_of(pass.memory, pass.memory_size, image->seal, &id);
		if (id.lo != image->header.id.lo || id.hi != image->header.id.hi)
			r = error_set(err, EBADMSG, "the manifest is not the one the header names");
	}
	if (r == 0)
		r = manifest_load(pass.memory, pass.memory_size, &image->manifest, err);
	if (r < 0) {
		free(pass.memory);
		return r;
	}
	if (image->manifest.process->stream_size != image->header.stream_size)
		return error_set(err, EBADMSG, "header and manifest name different stream sizes");
	return 0;
}

static int damaged(int r, struct jsnap_error *err)
{
	if (r == -EBADMSG)
		error_hint(err, "an image cannot be repaired: copy it again, or take a new one");
	return r;
}

int image_open_header(int fd, const struct image_trust *trust, struct image **ret_image,
		      struct jsnap_error *err)
{
	static const struct image_trust none;
	CLEANUP_PRIVILEGE uint64_t effective = 0;
	struct image *image;
	int r = privilege_suspend(&effective, err);

	if (r < 0)
		return r;
	image = calloc(1, sizeof(*image));
	if (!image)
		return error_set(err, ENOMEM, "no memory to read an image");
	image->reader.fd = fd;
	image->start = lseek(fd, 0, SEEK_CUR);
	image->reader.hash = XXH3_createState();
	image->stream_hash = XXH3_createState();
	if (!image->reader.hash || !image->stream_hash) {
		r = error_set(err, ENOMEM, "no memory to read an image");
	} else {
		XXH3_64bits_reset(image->reader.hash);
		r = open_header(image, trust ? trust : &none, err);
	}
	if (r < 0) {
		image_close(image);
		return damaged(r, err);
	}
	*ret_image = image;
	return 0;
}

int image_read_manifest(struct image *image, struct jsnap_error *err)
{
	CLEANUP_PRIVILEGE uint64_t effective = 0;
	int r = privilege_suspend(&effective, err);

	if (r < 0)
		return r;
	r = open_manifest(image, err);
	if (r < 0)
		return damaged(r, err);
	XXH3_copyState(image->stream_hash, image->reader.hash);
	image->stream_at = image->reader.offset;
	image->stream_entries = image->reader.table.count;
	return 0;
}

int image_open(int fd, const struct image_trust *trust, struct image **ret_image,
	       struct jsnap_error *err)
{
	struct image *image;
	int r = image_open_header(fd, trust, &image, err);

	if (r < 0)
		return r;
	r = image_read_manifest(image, err);
	if (r < 0) {
		image_close(image);
		return r;
	}
	*ret_image = image;
	return 0;
}

void image_close(struct image *image)
{
	if (!image)
		return;
	if (image->reader.hash)
		XXH3_freeState(image->reader.hash);
	if (image->stream_hash)
		XXH3_freeState(image->stream_hash);
	image_seal_free(image->seal);
	seek_table_free(&image->reader.table);
	manifest_free(&image->manifest);
	free(image);
}

const struct image_header *image_header(const struct image *image)
{
	return &image->header;
}

const struct manifest *image_manifest(const struct image *image)
{
	return &image->manifest;
}

const struct image_seal *image_seal(const struct image *image)
{
	return image->seal;
}

void image_watch(struct image *image, void (*progress)(void *ctx, uint64_t done, uint64_t total),
		 void *ctx)
{
	image->progress = progress;
	image->progress_ctx = ctx;
}

void image_forget_keys(struct image *image)
{
	image_seal_free(image->seal);
	image->seal = NULL;
	image->reader.seal = NULL;
}

int image_read_header(int fd, struct image_header *ret_header, struct jsnap_error *err)
{
	char frame[sizeof(struct image_disk_header)];
	uint32_t frame_size, size;
	ssize_t n;

	do
		n = pread(fd, frame, sizeof(frame), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, "read the image's header");
	if (n < 8)
		return error_set(err, EBADMSG, "image header: %zd bytes are too few", n);
	memcpy(&size, frame + 4, sizeof(size));
	if (size == sizeof(frame) - 8 && n == sizeof(frame))
		return image_header_decode(frame, sizeof(frame), ret_header, &frame_size, err);
	return error_set(err, EBADMSG, "not a jsnap image of format version %u, or cut off",
			 IMAGE_FORMAT_VERSION);
}

/* To where the page stream begins: nothing to do the first time. */
static int rewind_to_stream(struct image *image, struct jsnap_error *err)
{
	if (!image->stream_read) {
		image->stream_read = true;
		return 0;
	}
	if (image->start < 0)
		return error_set(err, ESPIPE, "the image came through a pipe and was read already");
	if (lseek(image->reader.fd, image->start + (off_t)image->stream_at, SEEK_SET) < 0)
		return error_errno(err, "seek to the page stream");
	XXH3_copyState(image->reader.hash, image->stream_hash);
	image->reader.offset = image->stream_at;
	image->reader.table.count = image->stream_entries;
	return 0;
}

static int read_trailer(struct image *image, struct jsnap_error *err)
{
	struct image_disk_trailer found, due = {.skippable_magic = IMAGE_MAGIC_TRAILER,
						.skippable_size = sizeof(due) - 8,
						.magic = "JSNAPEND",
						.offset = image->reader.offset,
						.hash = XXH3_64bits_digest(image->reader.hash)};
	int r = read_bytes(image, &found, sizeof(found), err);

	if (r < 0)
		return r;
	if (memcmp(&found, &due, sizeof(due)) != 0)
		return error_set(err, EBADMSG,
				 "the image is damaged: the checksum over its %llu bytes differs",
				 (unsigned long long)due.offset);
	return seek_table_add(&image->reader.table, sizeof(found), 0, SEEK_CHECKSUM_EMPTY, err);
}

static int read_same(struct image *image, const void *due, size_t size, struct jsnap_error *err)
{
	const char *expected = due;
	char buffer[4096];

	while (size) {
		size_t n = size < sizeof(buffer) ? size : sizeof(buffer);
		int r = read_bytes(image, buffer, n, err);

		if (r < 0)
			return r;
		if (memcmp(buffer, expected, n) != 0)
			return error_set(err, EBADMSG,
					 "the image's seek table is damaged: it does not match the "
					 "frames");
		expected += n;
		size -= n;
	}
	return 0;
}

static int read_end(struct image *image, struct jsnap_error *err)
{
	struct seek_head head;
	struct seek_foot foot;
	char extra;
	int r = read_trailer(image, err);

	if (r < 0)
		return r;
	seek_table_ends(&image->reader.table, &head, &foot);
	r = read_same(image, &head, sizeof(head), err);
	if (r == 0)
		r = read_same(image, image->reader.table.entries,
			      image->reader.table.count * sizeof(*image->reader.table.entries),
			      err);
	if (r == 0)
		r = read_same(image, &foot, sizeof(foot), err);
	if (r < 0)
		return r;
	r = read_full(image->reader.fd, &extra, 1);
	if (r == 0)
		return error_set(err, EBADMSG, "there are bytes after the image's end at %llu",
				 (unsigned long long)image->reader.offset);
	if (r != -ENODATA)
		return error_set(err, -r, "read after the image's end: %s", strerror(-r));
	return 0;
}

static int reserve_size(int fd, uint64_t size, struct jsnap_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "fstat of the page stream's file");
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < size && ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, "extend the page stream's file to %llu bytes",
				   (unsigned long long)size);
	return 0;
}

static int read_stream(struct image *image, int out_fd, uint64_t out_offset, unsigned threads,
		       struct jsnap_error *err)
{
	struct image_pass pass = {.reader = &image->reader,
				  .size = image->header.stream_size,
				  .what = "page stream",
				  .section = IMAGE_SECTION_STREAM,
				  .out_fd = out_fd,
				  .out_offset = out_offset,
				  .progress = image->progress,
				  .progress_ctx = image->progress_ctx};
	CLEANUP_PRIVILEGE uint64_t effective = 0;
	int r = privilege_suspend(&effective, err);

	if (r < 0)
		return r;
	if (image->header.authentic && !image->seal)
		return error_set(err, ENOKEY, "the image's keys are forgotten already");
	r = rewind_to_stream(image, err);
	if (r == 0)
		r = image_pass_run(&pass, threads, err);
	if (r == 0)
		r = read_end(image, err);
	return damaged(r, err);
}

int image_extract(struct image *image, int out_fd, uint64_t out_offset, unsigned threads,
		  struct jsnap_error *err)
{
	int r = read_stream(image, out_fd, out_offset, threads, err);

	return r < 0 ? r : reserve_size(out_fd, out_offset + image->header.stream_size, err);
}

int image_verify(struct image *image, unsigned threads, struct jsnap_error *err)
{
	return read_stream(image, -1, 0, threads, err);
}
