/*
 * Images that only the holders of a key can write (signed), or read as well (encrypted).
 *
 * The key is 32 bytes of a file. It authenticates an image's header and each of its chunks, bound
 * to this image, section and place, with keys derived for this image alone (docs/image-format.md,
 * "Signed and encrypted images"). libsodium does it: keyed BLAKE2b, XChaCha20-Poly1305.
 *
 * Keys are in guarded memory, left out of core dumps, locked where the limits allow, wiped when
 * freed. Whoever makes a process of an image frees them before.
 */
#ifndef JSNAP_IMAGE_IMAGE_KEY_H
#define JSNAP_IMAGE_IMAGE_KEY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum image_protection { IMAGE_PLAIN, IMAGE_SIGNED, IMAGE_ENCRYPTED };

#define IMAGE_KEY_ID_SIZE 8u
#define IMAGE_SALT_SIZE	  32u

struct image_key;  /* what the file holds */
struct image_seal; /* what is derived of it for one image */

/* 32 bytes, or 64 hexadecimal digits and a newline. -EPERM unless the file is the effective user's
 * and nobody else's to read, or root's and not everybody's to read. */
int image_key_load(const char *path, struct image_key **ret_key, struct jsnap_error *err);
/* Whether it is kept from being swapped out; no where RLIMIT_MEMLOCK (ulimit -l) is too small. */
bool image_key_locked(const struct image_key *key);
void image_key_free(struct image_key *key);
static inline void cleanup_image_key(struct image_key **key)
{
	image_key_free(*key);
}
#define CLEANUP_IMAGE_KEY __attribute__((cleanup(cleanup_image_key)))

/* For an image to be written; it lives as long as the writing does. `protection` is not plain. */
int image_seal_new(const struct image_key *key, enum image_protection protection,
		   struct image_seal **ret_seal, struct jsnap_error *err);
void image_seal_free(struct image_seal *seal);
static inline void cleanup_image_seal(struct image_seal **seal)
{
	image_seal_free(*seal);
}
#define CLEANUP_IMAGE_SEAL __attribute__((cleanup(cleanup_image_seal)))

/* What a reader insists on. All zeros: nothing; a signature is then not looked at. */
struct image_trust {
	const struct image_key *key;	/* NULL: none */
	enum image_protection required; /* at least */
};

const char *image_protection_name(enum image_protection protection); /* "plain", "signed", ... */

#endif
