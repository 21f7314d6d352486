/*
 * What a key does for one image. Internal to snapshot/image.
 *
 * Invariant: a nonce is used once under a key. The keys are derived from a random salt that belongs
 * to one image, and the nonce is section and number of the chunk.
 */
#ifndef JSNAP_IMAGE_IMAGE_SEAL_H
#define JSNAP_IMAGE_IMAGE_SEAL_H

#include "image/image.h"

#include <stddef.h>

#define SEAL_KEY_SIZE 32u
#define SEAL_MAC_SIZE 32u
#define SEAL_TAG_SIZE 16u /* by which an encrypted chunk is longer */

struct image_seal {
	enum image_protection protection;
	uint8_t key_id[IMAGE_KEY_ID_SIZE], salt[IMAGE_SALT_SIZE];
	uint8_t mac_key[SEAL_KEY_SIZE], cipher_key[SEAL_KEY_SIZE], hot_key[SEAL_KEY_SIZE];
};

struct seal_place {	  /* of a chunk */
	uint64_t section; /* enum image_section */
	uint64_t index;
};

/* For reading: -EKEYREJECTED when the header names another key. */
int image_seal_open(const struct image_key *key, const struct image_header *header,
		    struct image_seal **ret_seal, struct jsnap_error *err);

void image_seal_header_mac(const struct image_seal *seal, const void *header, size_t size,
			   uint8_t ret_mac[SEAL_MAC_SIZE]);
/* A hash of what is encrypted must not tell what it was. */
void image_seal_manifest_id(const struct image_seal *seal, const void *manifest, size_t size,
			    struct image_id *ret_id);

void image_seal_chunk_mac(const struct image_seal *seal, struct seal_place place, const void *frame,
			  size_t size, uint8_t ret_mac[SEAL_MAC_SIZE]);
/* In place; `chunk` has room for SEAL_TAG_SIZE more. */
void image_seal_encrypt(const struct image_seal *seal, struct seal_place place, uint8_t *chunk,
			size_t size);
/* In place; false when it is not what was encrypted there. `size` with the tag. */
bool image_seal_decrypt(const struct image_seal *seal, struct seal_place place, uint8_t *chunk,
			size_t size);

/* Of the hot copy: a hash of a MiB of its stream, and one of its other three parts. */
uint64_t image_seal_hot_hash(const struct image_seal *seal, const void *data, size_t size);
struct seal_part {
	const void *data;
	size_t size;
};
void image_seal_hot_mac(const struct image_seal *seal, const struct seal_part *parts, size_t n,
			uint8_t ret_mac[SEAL_MAC_SIZE]);

bool image_seal_same(const uint8_t a[SEAL_MAC_SIZE], const uint8_t b[SEAL_MAC_SIZE]);

#endif
