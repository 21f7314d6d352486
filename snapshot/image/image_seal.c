/* See image_seal.h. What is hashed begins with a word of its purpose, and sizes are known from the
 * header, so that no two uses can be mistaken for each other. */
#include "image/image_seal.h"

#include <sodium.h>
#include <string.h>

enum seal_purpose { SEAL_HEADER = 1, SEAL_MANIFEST_ID, SEAL_CHUNK, SEAL_HOT_CHUNK, SEAL_HOT };

static void begin(crypto_generichash_state *state, const uint8_t *key, uint64_t purpose)
{
	crypto_generichash_init(state, key, SEAL_KEY_SIZE, SEAL_MAC_SIZE);
	crypto_generichash_update(state, (const uint8_t *)&purpose, sizeof(purpose));
}

static void end(crypto_generichash_state *state, uint8_t ret_mac[SEAL_MAC_SIZE])
{
	crypto_generichash_final(state, ret_mac, SEAL_MAC_SIZE);
	sodium_memzero(state, sizeof(*state));
}

static void hash(const uint8_t *key, enum seal_purpose purpose, const void *data, size_t size,
		 uint8_t ret_mac[SEAL_MAC_SIZE])
{
	crypto_generichash_state state;

	begin(&state, key, purpose);
	crypto_generichash_update(&state, data, size);
	end(&state, ret_mac);
}

void image_seal_header_mac(const struct image_seal *seal, const void *header, size_t size,
			   uint8_t ret_mac[SEAL_MAC_SIZE])
{
	hash(seal->mac_key, SEAL_HEADER, header, size, ret_mac);
}

void image_seal_manifest_id(const struct image_seal *seal, const void *manifest, size_t size,
			    struct image_id *ret_id)
{
	uint8_t mac[SEAL_MAC_SIZE];

	hash(seal->mac_key, SEAL_MANIFEST_ID, manifest, size, mac);
	memcpy(ret_id, mac, sizeof(*ret_id));
}

void image_seal_chunk_mac(const struct image_seal *seal, struct seal_place place, const void *frame,
			  size_t size, uint8_t ret_mac[SEAL_MAC_SIZE])
{
	crypto_generichash_state state;

	begin(&state, seal->mac_key, SEAL_CHUNK);
	crypto_generichash_update(&state, (const uint8_t *)&place, sizeof(place));
	crypto_generichash_update(&state, frame, size);
	end(&state, ret_mac);
}

static void make_nonce(struct seal_place place,
		       uint8_t ret[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES])
{
	memset(ret, 0, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
	memcpy(ret, &place, sizeof(place));
}

void image_seal_encrypt(const struct image_seal *seal, struct seal_place place, uint8_t *chunk,
			size_t size)
{
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

	make_nonce(place, nonce);
	crypto_aead_xchacha20poly1305_ietf_encrypt(chunk, NULL, chunk, size,
						   (const uint8_t *)&place, sizeof(place), NULL,
						   nonce, seal->cipher_key);
}

bool image_seal_decrypt(const struct image_seal *seal, struct seal_place place, uint8_t *chunk,
			size_t size)
{
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

	make_nonce(place, nonce);
	return crypto_aead_xchacha20poly1305_ietf_decrypt(chunk, NULL, NULL, chunk, size,
							  (const uint8_t *)&place, sizeof(place),
							  nonce, seal->cipher_key) == 0;
}

uint64_t image_seal_hot_hash(const struct image_seal *seal, const void *data, size_t size)
{
	uint8_t mac[SEAL_MAC_SIZE];
	uint64_t word;

	hash(seal->hot_key, SEAL_HOT_CHUNK, data, size, mac);
	memcpy(&word, mac, sizeof(word));
	return word;
}

void image_seal_hot_mac(const struct image_seal *seal, const struct seal_part *parts, size_t n,
			uint8_t ret_mac[SEAL_MAC_SIZE])
{
	crypto_generichash_state state;

	begin(&state, seal->hot_key, SEAL_HOT);
	for (size_t i = 0; i < n; i++)
		crypto_generichash_update(&state, parts[i].data, parts[i].size);
	end(&state, ret_mac);
}

bool image_seal_same(const uint8_t a[SEAL_MAC_SIZE], const uint8_t b[SEAL_MAC_SIZE])
{
	return sodium_memcmp(a, b, SEAL_MAC_SIZE) == 0;
}
