/*
 * What docs/image-format.md fixes, as structures, and what writer and reader compute alike.
 * Internal to snapshot/image.
 */
#ifndef JSNAP_IMAGE_IMAGE_FORMAT_H
#define JSNAP_IMAGE_IMAGE_FORMAT_H

#include "image/image.h"
#include "image/image_seal.h"

#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAGIC_HEADER     0x184D2A50u
#define IMAGE_MAGIC_TRAILER    0x184D2A51u
#define IMAGE_MAGIC_SEAL       0x184D2A52u
#define IMAGE_MAGIC_ENCRYPTED  0x184D2A53u
#define IMAGE_MAGIC_SEEK_TABLE 0x184D2A5Eu
#define IMAGE_MAGIC_SEEKABLE   0x8F92EAB1u
#define IMAGE_SEEK_DESCRIPTOR  0x80u /* entries have checksums */

#define IMAGE_FRAME_SIZE     (1u << 20)
#define IMAGE_FRAME_SIZE_MIN 4096u
#define IMAGE_FRAME_SIZE_MAX (4u << 20)
#define IMAGE_FRAMES_MAX     0x8000000u /* ZSTD_SEEKABLE_MAXFRAMES */
#define IMAGE_HEADER_MAX     65536u
#define IMAGE_PAGE	     4096u

struct image_disk_header {
	uint32_t skippable_magic, skippable_size;
	char magic[8];
	uint32_t version, frame_size;
	uint64_t manifest_size, stream_size;
	struct image_id id;
	uint64_t created_realtime_ns;
	char arch[16], kernel[64], machine[64], lsm[256], lsm_label[512];
	uint32_t protection, zero;
	uint8_t key_id[IMAGE_KEY_ID_SIZE], salt[IMAGE_SALT_SIZE];
	uint8_t mac[SEAL_MAC_SIZE]; /* of everything before */
	uint64_t hash;
};

enum image_section { IMAGE_SECTION_MANIFEST = 1, IMAGE_SECTION_STREAM };

/* Follows each chunk's frame in a signed image. */
struct image_disk_seal {
	uint32_t skippable_magic, skippable_size;
	uint8_t mac[SEAL_MAC_SIZE];
};

#define IMAGE_PACKED_EXTRA (sizeof(struct image_disk_seal)) /* bytes that sealing adds, at most */

struct image_disk_trailer {
	uint32_t skippable_magic, skippable_size;
	char magic[8];
	uint64_t offset, hash;
};

_Static_assert(sizeof(struct image_disk_header) == 1064, "format");
_Static_assert(sizeof(struct image_disk_trailer) == 32, "format");

/* seal NULL: plain; else protection, key id and salt are its. */
void image_header_encode(const struct image_header *header, uint32_t frame_size,
			 const struct image_seal *seal, struct image_disk_header *ret_disk);
/* Checks `size` bytes, the whole frame, and decodes them. */
int image_header_decode(const void *data, size_t size, struct image_header *ret_header,
			uint32_t *ret_frame_size, struct jsnap_error *err);

void image_id_of(const void *manifest, size_t size, const struct image_seal *seal,
		 struct image_id *ret_id);

static inline uint64_t image_n_frames(uint64_t size, uint32_t frame_size)
{
	return (size + frame_size - 1) / frame_size;
}

/* The seek table under construction: an entry for each frame. */
struct seek_entry {
	uint32_t packed_size, raw_size, checksum;
};

struct seek_table {
	struct seek_entry *entries;
	size_t count, cap;
};

#define SEEK_CHECKSUM_EMPTY 0x51D8E999u /* low half of XXH64 of nothing: skippable frames */

int seek_table_add(struct seek_table *table, uint64_t packed_size, uint64_t raw_size,
		   uint32_t checksum, struct jsnap_error *err);
void seek_table_free(struct seek_table *table);

/* The seek table's frame is its head, the entries as they are in memory, and its foot. */
struct seek_head {
	uint32_t skippable_magic, skippable_size;
};
struct __attribute__((packed)) seek_foot {
	uint32_t count;
	uint8_t descriptor;
	uint32_t seekable_magic;
};
void seek_table_ends(const struct seek_table *table, struct seek_head *ret_head,
		     struct seek_foot *ret_foot);

bool image_is_zero(const void *data, size_t size);

#endif
