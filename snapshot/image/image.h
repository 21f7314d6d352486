/*
 * The image: one file that `zstd -t` accepts (docs/image-format.md). Skippable frame with the
 * header; zstd frames with the manifest; zstd frames of about 1 MiB with the page stream, each with
 * its content checksum; seek table in the zstd seekable format. `zstd -dc FILE` prints the manifest
 * and then the page stream.
 *
 * Reading works on a pipe as well as on a file; every byte is covered by a checksum that is
 * verified before the byte is used. Nothing here needs a privilege. With a key (image_key.h) images
 * are signed, or encrypted: zstd then sees frames that it skips.
 */
#ifndef JSNAP_IMAGE_IMAGE_H
#define JSNAP_IMAGE_IMAGE_H

#include "image/image_key.h"
#include "image/manifest.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IMAGE_FORMAT_VERSION 3u

struct image_id { /* XXH3-128 of the manifest; a keyed hash of it in an encrypted image */
	uint64_t lo, hi;
};

struct image_origin { /* ties a hot copy to the image file that it was made from */
	struct image_id id;
	uint64_t size;	  /* of the file, bytes */
	int64_t mtime_ns; /* its modification time; a whole second as image_write leaves it */
};

#define IMAGE_ARCH_SIZE 16u

struct image_header { /* decoded */
	uint32_t version;
	char arch[IMAGE_ARCH_SIZE]; /* "x86_64" */
	char kernel[64];	    /* uname release */
	char machine[64];	    /* node name */
	char lsm[256];		    /* /sys/kernel/security/lsm, "" when unreadable */
	char lsm_label[512];	    /* /proc/PID/attr/current of the process, "" when none */
	uint64_t manifest_size;	    /* bytes, uncompressed */
	uint64_t stream_size;	    /* bytes, uncompressed */
	struct image_id id;
	uint64_t created_realtime_ns;
	enum image_protection protection;
	uint8_t key_id[IMAGE_KEY_ID_SIZE]; /* zeros when it is plain, like salt */
	uint8_t salt[IMAGE_SALT_SIZE];
	bool authentic; /* image_open had the key, and it fits */
};

struct image_write_options {
	int level;	  /* zstd level; 0: the default (3) */
	unsigned threads; /* compressing threads; 0: one for each processor this process may use,
			   * not more than 8; 64 at most */
	void (*progress)(void *ctx, uint64_t done,
			 uint64_t total); /* bytes of the stream; may be NULL */
	void *progress_ctx;
	const struct image_seal *seal; /* NULL: a plain image */
	bool spare_others;	       /* place.h: what is no image is not replaced */
	struct image_origin *origin;   /* NULL, or filled in: of the very file that was written,
					* whatever takes its name afterwards */
};

/*
 * Writes image `path` (mode 0600, through a temporary file beside it, fsync'ed, renamed). The page
 * stream is m->process->stream_size bytes at `stream_offset` of `stream_fd`. `header` gives arch,
 * kernel, machine, lsm and lsm_label (see image_header_here); the rest is filled in and returned.
 * Its modification time is a whole second, so that any later write is seen by it (image_origin).
 * On failure no file is left and what was under `path` is untouched. Moves the file offset of
 * stream_fd (it looks for holes). -ENODATA when that file ends before the stream does.
 */
int image_write(const char *path, const struct manifest *m, int stream_fd, uint64_t stream_offset,
		struct image_header *header, const struct image_write_options *options,
		struct jsnap_error *err);

/* The id that image_write would give this manifest with this seal (or NULL). */
int image_manifest_id(const struct manifest *m, const struct image_seal *seal,
		      struct image_id *ret_id, struct jsnap_error *err);

/* Of this system, as it is in a header. */
int image_arch_here(char ret_arch[IMAGE_ARCH_SIZE], struct jsnap_error *err);

/* Fills arch, kernel, machine, lsm from this system and lsm_label from /proc/PID/attr/current. */
int image_header_here(pid_t pid, struct image_header *ret_header, struct jsnap_error *err);
/* The same of a recorded machine: files below `root`, the process as self. */
int image_header_at(const char *root, pid_t pid, struct image_header *ret_header,
		    struct jsnap_error *err);

/* The header alone, verified, by pread(2) at the start of a file: cheap, for listing snapshots and
 * for learning the id that hot_open expects. */
int image_read_header(int fd, struct image_header *ret_header, struct jsnap_error *err);

/* Of the open file that has this header. */
int image_origin(int fd, const struct image_header *header, struct image_origin *ret_origin,
		 struct jsnap_error *err);

struct image; /* an image being read */

/*
 * Reads and verifies header and manifest, from fd's current offset on and not a byte more. `fd`
 * stays the caller's, must stay open and unmoved, and may be a pipe. -EBADMSG: damaged, forged or
 * not an image; -ENOTSUP: of another format version. By `trust` (NULL: as all zeros), before
 * anything but the header is read: -ENOKEY when the image is encrypted and there is no key;
 * -EKEYREJECTED when it has another key, or less protection than is required. `trust` and its key
 * are not needed afterwards: the image has keys of its own, until image_forget_keys.
 */
int image_open(int fd, const struct image_trust *trust, struct image **ret_image,
	       struct jsnap_error *err);
/*
 * image_open in two steps, for who may know the manifest from elsewhere (hot_open): until the
 * second has succeeded there is neither image_manifest nor a page stream.
 */
int image_open_header(int fd, const struct image_trust *trust, struct image **ret_image,
		      struct jsnap_error *err);
int image_read_manifest(struct image *image, struct jsnap_error *err);
void image_close(struct image *image);
static inline void cleanup_image(struct image **image)
{
	image_close(*image);
}
#define CLEANUP_IMAGE __attribute__((cleanup(cleanup_image)))

const struct image_header *image_header(const struct image *image);
/* What it was opened with; NULL without a key. Of the image's life, until image_forget_keys. */
const struct image_seal *image_seal(const struct image *image);
/* Wipes them: a process that is made from here on has no trace of them. The page stream of a sealed
 * image cannot be read any more then (-ENOKEY). */
void image_forget_keys(struct image *image);
const struct manifest *image_manifest(const struct image *image); /* owned by the image */

/* Whoever extracts or verifies it is told how much of the page stream has been read; from the
 * calling thread, after each chunk. */
void image_watch(struct image *image, void (*progress)(void *ctx, uint64_t done, uint64_t total),
		 void *ctx);

/*
 * Decompresses the page stream to `out_fd` at `out_offset` (sparse: runs of zero pages are not
 * written, so the range must read zero before; a shorter file is extended). `threads` as in
 * image_write_options; from a pipe the reading is sequential. Everything up to the end of the file
 * is verified, the seek table included; what was written before a failure is found stays written.
 * From a file it can be called again, from a pipe once (-ESPIPE), like image_verify.
 */
int image_extract(struct image *image, int out_fd, uint64_t out_offset, unsigned threads,
		  struct jsnap_error *err);

/* As image_extract without writing: every checksum of the file. */
int image_verify(struct image *image, unsigned threads, struct jsnap_error *err);

/*
 * The hot copy: header, manifest and the uncompressed page stream at a 2 MiB boundary, so that the
 * stream can be mapped. A cache of an image, never trusted more than it: it is tied to the very
 * file (image_origin), and useless when that is gone, replaced or modified.
 *
 *   struct hot hot;                       // capture straight into it ...
 *   hot_create(path, &hot, err);          // temporary file, nothing visible yet
 *   ... write the stream at hot.fd, hot.stream_offset ...
 *   hot_commit(&hot, &manifest, &origin, err); // header + manifest, renamed into place
 *
 * Who knows that the manifest will not fit below HOT_STREAM_OFFSET (image_header has its size) may
 * set hot.stream_offset to a greater multiple of 2 MiB before writing.
 */
struct hot {
	int fd;
	uint64_t stream_offset;	  /* bytes; HOT_STREAM_OFFSET at least, 2 MiB aligned */
	char *path, *temporary;	  /* owned; NULL for a memfd */
	bool spare_others;	  /* place.h: hot_commit replaces no file that is no hot copy */
	struct manifest manifest; /* after hot_open */
	struct image_origin origin;
};

#define HOT_STREAM_OFFSET (64ull << 20) /* manifest and header come first, sparse up to here */

/*
 * The stream is written in steps that end at multiples of this: the page cache holds a write in
 * folios up to its size, and a fault on a private mapping of a folio makes more of it resident than
 * the pages that are touched. Measured on 6.18, a warmed Spring Boot service after its first
 * response: 144 MB resident with steps of 1 MiB, 135 with 512 KiB, 125 with 256, 112 with 128, 99
 * with 64 and 32. Small folios cost more faults.
 */
#define HOT_WRITE_STEP (128u << 10)

/* path NULL: an anonymous memfd that hot_commit does not rename. */
int hot_create(const char *path, struct hot *ret_hot, struct jsnap_error *err);
/* hot->path must not be NULL; `seal` is the image's. Later restores map this file, so it is made
 * read-only to everybody, and it is synced. -EINVAL when origin's id is not that of `m`; -E2BIG
 * when the manifest does not fit below the stream; -ENODATA when the file ends before the stream
 * does. On failure hot_close still removes it. */
int hot_commit(struct hot *hot, const struct manifest *m, const struct image_origin *origin,
	       const struct image_seal *seal, struct jsnap_error *err);
/* Opens and verifies header and manifest, the latter by the image's id; -ESTALE when `expect` is
 * given and differs, when the file was written after hot_commit, or one of `seal` and the copy is
 * with a key and the other is not; -EPERM when it is not the effective user's alone to write. The
 * stream's size is checked against the file's; its bytes are covered as docs/image-format.md says.
 */
int hot_open(const char *path, const struct image_origin *expect, const struct image_seal *seal,
	     struct hot *ret_hot, struct jsnap_error *err);
/* Hashes the whole stream of a copy that hot_open returned; -EBADMSG names the MiB at fault. */
int hot_verify(const struct hot *hot, const struct image_seal *seal, struct jsnap_error *err);
void hot_close(struct hot *hot); /* removes the temporary file of an uncommitted copy */
#define CLEANUP_HOT __attribute__((cleanup(hot_close)))

#endif
