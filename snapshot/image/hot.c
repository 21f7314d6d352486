/*
 * The hot copy (docs/image-format.md, "The hot copy"): an image uncompressed, to be mapped.
 *
 * Invariant: a file under its final name is complete, synced and read-only, and its modification
 * time is the whole second that its header records. Any later write moves that time.
 */
#include "image/image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/privilege.h"
#include "image/image_format.h"
#include "image/image_seal.h"
#include "image/manifest_tables.h"
#include "image/tempfile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>

#define HOT_VERSION 4u
#define HOT_HEADER  4096u
#define HOT_CHUNK   (1u << 20) /* bytes of the stream that one hash of the table covers */
#define HOT_ALIGN   (2ull << 20)

struct hot_header {
	char magic[8];
	uint32_t version, chunk;
	struct image_id id;
	uint64_t manifest_size, stream_offset, stream_size;
	int64_t mtime; /* seconds */
	uint64_t table_hash;
	uint64_t image_size;
	int64_t image_mtime_ns;
	uint64_t keyed;		    /* 1: `mac` and the table are the key's */
	uint8_t mac[SEAL_MAC_SIZE]; /* of this header with zeros here and in `hash`, manifest, table
				     */
	char zero[HOT_HEADER - 136];
	uint64_t hash;
};

_Static_assert(sizeof(struct hot_header) == HOT_HEADER, "format");

static uint64_t table_size(uint64_t stream_size)
{
	return (stream_size + HOT_CHUNK - 1) / HOT_CHUNK * sizeof(uint64_t);
}

int image_origin(int fd, const struct image_header *header, struct image_origin *ret_origin,
		 struct jsnap_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "fstat of the image");
	*ret_origin = (struct image_origin){.id = header->id,
					    .size = (uint64_t)st.st_size,
					    .mtime_ns = file_time_ns(st.st_mtim)};
	return 0;
}

int hot_create(const char *path, struct hot *ret_hot, struct jsnap_error *err)
{
	struct hot hot = {.fd = -1, .stream_offset = HOT_STREAM_OFFSET};
	int r;

	if (!path) {
		hot.fd = memfd_create("jsnap-stream", MFD_CLOEXEC);
		if (hot.fd < 0)
			return error_errno(err, "memfd_create");
		*ret_hot = hot;
		return 0;
	}
	hot.path = strdup(path);
	if (!hot.path)
		return error_set(err, ENOMEM, "no memory for a file name");
	r = tempfile_create(path, &hot.fd, &hot.temporary, err);
	if (r < 0) {
		free(hot.path);
		error_context(err, "hot copy");
		return r;
	}
	*ret_hot = hot;
	return 0;
}

void hot_close(struct hot *hot)
{
	if (hot->temporary)
		unlink(hot->temporary);
	free(hot->temporary);
	free(hot->path);
	cleanup_close(&hot->fd);
	manifest_free(&hot->manifest);
	*hot = (struct hot){.fd = -1};
}

/* Hashes `size` bytes of the stream; holes are not read: `zeros` is the hash of a whole chunk of
 * them. *data_end and *data_start remember the stretch of data found last. */
struct hasher {
	int fd;
	const struct image_seal *seal;
	uint64_t data_start, data_end, zeros;
	unsigned char *buffer; /* HOT_CHUNK bytes */
};

static bool hasher_in_hole(struct hasher *h, uint64_t start, uint64_t end)
{
	if (start >= h->data_end) {
		off_t at = lseek(h->fd, (off_t)start, SEEK_DATA);

		h->data_start = at >= 0 ? (uint64_t)at : errno == ENXIO ? UINT64_MAX : start;
		at = at >= 0 ? lseek(h->fd, at, SEEK_HOLE) : -1;
		h->data_end = at >= 0 ? (uint64_t)at : UINT64_MAX;
	}
	return end <= h->data_start;
}

static uint64_t hash_chunk(const struct image_seal *seal, const void *data, size_t size)
{
	return seal ? image_seal_hot_hash(seal, data, size) : XXH3_64bits(data, size);
}

static int hasher_chunk(struct hasher *h, uint64_t offset, size_t size, uint64_t *ret_hash,
			struct jsnap_error *err)
{
	int r;

	if (size == HOT_CHUNK && hasher_in_hole(h, offset, offset + size)) {
		*ret_hash = h->zeros;
		return 0;
	}
	r = pread_full(h->fd, h->buffer, size, (off_t)offset);
	if (r < 0)
		return error_set(err, -r, "read the page stream at %llu: %s",
				 (unsigned long long)offset, strerror(-r));
	*ret_hash = hash_chunk(h->seal, h->buffer, size);
	return 0;
}

static int hash_stream(int fd, uint64_t offset, uint64_t size, const struct image_seal *seal,
		       uint64_t **ret_table, struct jsnap_error *err)
{
	CLEANUP_FREE unsigned char *buffer = calloc(1, HOT_CHUNK);
	CLEANUP_FREE uint64_t *table = malloc(table_size(size) + 1);
	struct hasher h = {.fd = fd, .seal = seal, .buffer = buffer};

	if (!buffer || !table)
		return error_set(err, ENOMEM, "no memory for the hot copy's table");
	h.zeros = hash_chunk(seal, buffer, HOT_CHUNK);
	for (uint64_t at = 0; at < size; at += HOT_CHUNK) {
		size_t n = size - at < HOT_CHUNK ? size - at : HOT_CHUNK;
		int r = hasher_chunk(&h, offset + at, n, &table[at / HOT_CHUNK], err);

		if (r < 0)
			return r;
	}
	*ret_table = STEAL_PTR(table);
	return 0;
}

/* What a key vouches for: the stream through the table. */
static void make_mac(const struct image_seal *seal, const struct hot_header *header,
		     const void *manifest, const uint64_t *table, uint8_t ret_mac[SEAL_MAC_SIZE])
{
	struct hot_header blank = *header;
	const struct seal_part parts[] = {{&blank, sizeof(blank)},
					  {manifest, header->manifest_size},
					  {table, table_size(header->stream_size)}};

	memset(blank.mac, 0, sizeof(blank.mac));
	blank.hash = 0;
	image_seal_hot_mac(seal, parts, ARRAY_SIZE(parts), ret_mac);
}

static int commit_write(struct hot *hot, struct hot_header *header, const void *manifest,
			const struct image_seal *seal, struct jsnap_error *err)
{
	uint64_t end = hot->stream_offset + header->stream_size;
	CLEANUP_FREE uint64_t *table = NULL;
	struct stat st;
	int r;

	if (fstat(hot->fd, &st) < 0)
		return error_errno(err, "fstat");
	if ((uint64_t)st.st_size < end)
		return error_set(err, ENODATA, "the page stream is cut off at %llu, %llu are due",
				 (unsigned long long)st.st_size, (unsigned long long)end);
	if (ftruncate(hot->fd, (off_t)end) < 0)
		return error_errno(err, "cut it to %llu bytes", (unsigned long long)end);
	r = hash_stream(hot->fd, hot->stream_offset, header->stream_size, seal, &table, err);
	if (r < 0)
		return r;
	header->table_hash = XXH3_64bits(table, table_size(header->stream_size));
	if (seal)
		make_mac(seal, header, manifest, table, header->mac);
	header->hash = XXH3_64bits(header, sizeof(*header) - sizeof(header->hash));
	r = pwrite_full(hot->fd, table, table_size(header->stream_size), (off_t)end);
	if (r == 0)
		r = pwrite_full(hot->fd, manifest, header->manifest_size, HOT_HEADER);
	if (r == 0)
		r = pwrite_full(hot->fd, header, sizeof(*header), 0);
	if (r < 0)
		return error_set(err, -r, "write: %s", strerror(-r));
	return 0;
}

static int commit_publish(struct hot *hot, int64_t mtime, struct jsnap_error *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = mtime}};

	if (futimens(hot->fd, times) < 0 || fchmod(hot->fd, 0400) < 0)
		return error_errno(err, "set time and mode");
	return tempfile_publish(hot->fd, hot->temporary, hot->path,
				hot->spare_others ? PLACE_HOT : PLACE_ANY, err);
}

static int commit_prepare(struct hot *hot, const struct manifest *m,
			  const struct image_origin *origin, const struct image_seal *seal,
			  void **ret_manifest, struct hot_header *ret_header,
			  struct jsnap_error *err)
{
	CLEANUP_FREE void *data = NULL;
	struct image_id own;
	size_t size;
	int r;

	if (!hot->path || !hot->temporary)
		return error_set(err, EINVAL, "it has no name or is committed already");
	r = manifest_check(m, err);
	if (r == 0)
		r = manifest_save(m, &data, &size, err);
	if (r < 0)
		return r;
	image_id_of(data, size, seal, &own);
	if (own.lo != origin->id.lo || own.hi != origin->id.hi)
		return error_set(err, EINVAL, "the manifest is not the one the image has");
	if (hot->stream_offset % HOT_ALIGN || size > hot->stream_offset - HOT_HEADER)
		return error_set(err, E2BIG,
				 "the manifest's %zu bytes do not fit below the stream at %llu",
				 size, (unsigned long long)hot->stream_offset);
	memset(ret_header, 0, sizeof(*ret_header));
	memcpy(ret_header->magic, PLACE_HOT_MAGIC, PLACE_MAGIC_SIZE);
	ret_header->version = HOT_VERSION;
	ret_header->chunk = HOT_CHUNK;
	ret_header->id = origin->id;
	ret_header->image_size = origin->size;
	ret_header->image_mtime_ns = origin->mtime_ns;
	ret_header->keyed = seal != NULL;
	ret_header->manifest_size = size;
	ret_header->stream_offset = hot->stream_offset;
	ret_header->stream_size = m->process->stream_size;
	ret_header->mtime = time(NULL);
	*ret_manifest = STEAL_PTR(data);
	return 0;
}

int hot_commit(struct hot *hot, const struct manifest *m, const struct image_origin *origin,
	       const struct image_seal *seal, struct jsnap_error *err)
{
	CLEANUP_FREE void *manifest = NULL;
	struct hot_header header;
	int r = commit_prepare(hot, m, origin, seal, &manifest, &header, err);

	if (r == 0)
		r = commit_write(hot, &header, manifest, seal, err);
	if (r == 0)
		r = commit_publish(hot, header.mtime, err);
	if (r < 0) {
		error_context(err, "hot copy %s", hot->path ? hot->path : "(unnamed)");
		return r;
	}
	free(hot->temporary);
	hot->temporary = NULL;
	hot->origin = *origin;
	return 0;
}

static int check_file(const struct stat *st, struct jsnap_error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, EINVAL, "not a regular file");
	if (st->st_uid != geteuid())
		return error_set(err, EPERM, "it belongs to user %u, not to user %u", st->st_uid,
				 geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, EPERM, "others may write it (mode %04o)",
				 st->st_mode & 07777);
	return 0;
}

static int check_header(const struct hot_header *h, const struct stat *st, struct jsnap_error *err)
{
	if (memcmp(h->magic, PLACE_HOT_MAGIC, PLACE_MAGIC_SIZE) != 0)
		return error_set(err, EBADMSG, "not a hot copy");
	if (XXH3_64bits(h, sizeof(*h) - sizeof(h->hash)) != h->hash)
		return error_set(err, EBADMSG, "its header is damaged");
	if (h->version != HOT_VERSION || h->chunk != HOT_CHUNK)
		return error_set(err, ENOTSUP, "it has format version %u, this jsnap reads %u",
				 h->version, HOT_VERSION);
	if (h->stream_size > MANIFEST_STREAM_MAX || h->stream_size % IMAGE_PAGE ||
	    h->stream_offset < HOT_STREAM_OFFSET || h->stream_offset > MANIFEST_STREAM_MAX ||
	    h->stream_offset % HOT_ALIGN || h->manifest_size > h->stream_offset - HOT_HEADER ||
	    h->manifest_size > MANIFEST_SIZE_MAX)
		return error_set(err, EBADMSG, "a size in its header is out of range");
	if ((uint64_t)st->st_size != h->stream_offset + h->stream_size + table_size(h->stream_size))
		return error_set(err, EBADMSG, "it has %lld bytes and must have %llu",
				 (long long)st->st_size,
				 (unsigned long long)(h->stream_offset + h->stream_size +
						      table_size(h->stream_size)));
	if (st->st_mtim.tv_sec != h->mtime || st->st_mtim.tv_nsec != 0)
		return error_set(err, ESTALE, "it was modified after it was made");
	return 0;
}

static int check_mac(int fd, const struct hot_header *h, const void *manifest,
		     const struct image_seal *seal, struct jsnap_error *err)
{
	uint64_t size = table_size(h->stream_size);
	CLEANUP_FREE uint64_t *table = malloc(size + 1);
	uint8_t due[SEAL_MAC_SIZE];
	int r = table ? pread_full(fd, table, size, (off_t)(h->stream_offset + h->stream_size))
		      : -ENOMEM;

	if (r < 0)
		return error_set(err, -r, "read its table: %s", strerror(-r));
	make_mac(seal, h, manifest, table, due);
	if (!image_seal_same(due, h->mac))
		return error_set(err, EBADMSG, "it is not what the holder of the key wrote");
	return 0;
}

static int open_manifest(int fd, const struct hot_header *h, const struct image_seal *seal,
			 struct manifest *ret_m, struct jsnap_error *err)
{
	CLEANUP_FREE void *data = malloc(h->manifest_size ? h->manifest_size : 1);
	struct image_id id;
	int r;

	if (!data)
		return error_set(err, ENOMEM, "no memory for the manifest");
	r = pread_full(fd, data, h->manifest_size, HOT_HEADER);
	if (r < 0)
		return error_set(err, -r, "read its manifest: %s", strerror(-r));
	image_id_of(data, h->manifest_size, seal, &id);
	if (id.lo != h->id.lo || id.hi != h->id.hi)
		return error_set(err, EBADMSG, "its manifest is damaged");
	r = seal ? check_mac(fd, h, data, seal, err) : 0;
	if (r < 0)
		return r;
	r = manifest_load(data, h->manifest_size, ret_m, err);
	if (r < 0)
		return r;
	data = NULL;
	if (ret_m->process->stream_size != h->stream_size) {
		manifest_free(ret_m);
		return error_set(err, EBADMSG, "header and manifest name different stream sizes");
	}
	return 0;
}

static int open_checked(int fd, const struct image_origin *expect, const struct image_seal *seal,
			struct hot *hot, struct jsnap_error *err)
{
	CLEANUP_PRIVILEGE uint64_t effective = 0;
	struct hot_header header;
	struct stat st;
	int r;

	r = privilege_suspend(&effective, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "fstat");
	r = check_file(&st, err);
	if (r < 0)
		return r;
	r = pread_full(fd, &header, sizeof(header), 0);
	if (r < 0)
		return error_set(err, r == -ENODATA ? EBADMSG : -r, "read its header: %s",
				 r == -ENODATA ? "it is too short" : strerror(-r));
	r = check_header(&header, &st, err);
	if (r < 0)
		return r;
	if (expect && (expect->id.lo != header.id.lo || expect->id.hi != header.id.hi))
		return error_set(err, ESTALE, "it was made from another image");
	if (expect &&
	    (expect->size != header.image_size || expect->mtime_ns != header.image_mtime_ns))
		return error_set(err, ESTALE, "its image was modified after it was made");
	if (header.keyed != (seal != NULL))
		return error_set(err, ESTALE, "it was made with%s a key",
				 header.keyed ? "" : "out");
	hot->stream_offset = header.stream_offset;
	hot->origin = (struct image_origin){
		.id = header.id, .size = header.image_size, .mtime_ns = header.image_mtime_ns};
	return open_manifest(fd, &header, seal, &hot->manifest, err);
}

int hot_open(const char *path, const struct image_origin *expect, const struct image_seal *seal,
	     struct hot *ret_hot, struct jsnap_error *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer before it is refused. */
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct hot hot = {.fd = -1};
	int r;

	if (fd < 0)
		return error_errno(err, "hot copy %s", path);
	hot.path = strdup(path);
	r = hot.path ? open_checked(fd, expect, seal, &hot, err)
		     : error_set(err, ENOMEM, "no memory for a file name");
	if (r < 0) {
		free(hot.path);
		error_context(err, "hot copy %s", path);
		if (place_check(path, PLACE_HOT, NULL) > 0)
			error_hint(err, "it can be deleted, and made again from its image");
		return r;
	}
	hot.fd = steal_fd(&fd);
	*ret_hot = hot;
	return 0;
}

static int verify_table(const struct hot *hot, const uint64_t *computed, struct jsnap_error *err)
{
	uint64_t stream_size = hot->manifest.process->stream_size, size = table_size(stream_size);
	CLEANUP_FREE uint64_t *table = malloc(size + 1);
	struct hot_header header;
	int r = table ? pread_full(hot->fd, &header, sizeof(header), 0) : -ENOMEM;

	if (r == 0)
		r = pread_full(hot->fd, table, size, (off_t)(hot->stream_offset + stream_size));
	if (r < 0)
		return error_set(err, -r, "read its table: %s", strerror(-r));
	if (XXH3_64bits(&header, sizeof(header) - sizeof(header.hash)) != header.hash ||
	    XXH3_64bits(table, size) != header.table_hash)
		return error_set(err, EBADMSG, "its table of checksums is damaged");
	for (uint64_t i = 0; i < size / sizeof(*table); i++)
		if (table[i] != computed[i])
			return error_set(err, EBADMSG, "the page stream is damaged in its MiB %llu",
					 (unsigned long long)i);
	return 0;
}

int hot_verify(const struct hot *hot, const struct image_seal *seal, struct jsnap_error *err)
{
	CLEANUP_FREE uint64_t *computed = NULL;
	int r = hash_stream(hot->fd, hot->stream_offset, hot->manifest.process->stream_size, seal,
			    &computed, err);

	if (r == 0)
		r = verify_table(hot, computed, err);
	if (r < 0)
		error_context(err, "hot copy %s", hot->path);
	return r;
}
