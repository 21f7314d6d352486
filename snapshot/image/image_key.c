/* See image_key.h: the key's file, and the keys of one image. */
#include "image/image_key.h"

#include "base/cleanup.h"
#include "image/image_seal.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILE_MAX (2 * SEAL_KEY_SIZE + 2) /* digits, a line's end */

struct image_key {
	uint8_t bytes[SEAL_KEY_SIZE];
};

static void derive(const struct image_key *key, const char *purpose, const uint8_t *salt,
		   uint8_t *ret, size_t size)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key->bytes, sizeof(key->bytes), size);
	crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
	if (salt)
		crypto_generichash_update(&state, salt, IMAGE_SALT_SIZE);
	crypto_generichash_final(&state, ret, size);
	sodium_memzero(&state, sizeof(state));
}

static void key_id(const struct image_key *key, uint8_t ret_id[IMAGE_KEY_ID_SIZE])
{
	uint8_t name[SEAL_MAC_SIZE];

	derive(key, "jsnap key id", NULL, name, sizeof(name));
	memcpy(ret_id, name, IMAGE_KEY_ID_SIZE);
}

static int check_file(int fd, struct jsnap_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "fstat");
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "not a regular file");
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return error_set(err, EPERM, "it belongs to user %u, not to user %u or root",
				 st.st_uid, geteuid());
	/* Root may share a key with a group, as secrets mounted into containers are. */
	if (st.st_mode & (st.st_uid == geteuid() && st.st_uid != 0 ? 077 : 027)) {
		error_set(err, EPERM, "others may read or write it (mode %04o)",
			  st.st_mode & 07777);
		return error_hint(err, "chmod 0600 makes it its owner's alone");
	}
	return 0;
}

static int parse(struct image_key *key, const char *text, size_t n, struct jsnap_error *err)
{
	size_t size = 0;

	if (n == SEAL_KEY_SIZE) {
		memcpy(key->bytes, text, SEAL_KEY_SIZE);
	} else {
		while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
			n--;
		if (n != 2 * SEAL_KEY_SIZE ||
		    sodium_hex2bin(key->bytes, SEAL_KEY_SIZE, text, n, NULL, &size, NULL) != 0 ||
		    size != SEAL_KEY_SIZE) {
			error_set(err, EINVAL,
				  "it holds neither %u bytes nor %u hexadecimal digits",
				  SEAL_KEY_SIZE, 2 * SEAL_KEY_SIZE);
			return error_hint(err,
					  "(umask 077; head -c 32 /dev/urandom >FILE) makes one");
		}
	}
	if (sodium_is_zero(key->bytes, SEAL_KEY_SIZE))
		return error_set(err, EINVAL, "it holds zeros");
	return 0;
}

static int read_key(int fd, struct image_key *key, struct jsnap_error *err)
{
	char *text = sodium_malloc(FILE_MAX + 1);
	size_t n = 0;
	int r = text ? 0 : error_set(err, ENOMEM, "no memory for a key");

	while (r == 0 && n < FILE_MAX + 1) {
		ssize_t got = read(fd, text + n, FILE_MAX + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = error_errno(err, "read");
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (r == 0)
		r = parse(key, text, n, err);
	sodium_free(text);
	return r;
}

int image_key_load(const char *path, struct image_key **ret_key, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct image_key *key;
	int r;

	if (fd < 0)
		return error_errno(err, "image key %s", path);
	if (sodium_init() < 0)
		return error_set(err, EIO, "libsodium does not start");
	key = sodium_malloc(sizeof(*key));
	r = key ? check_file(fd, err) : error_set(err, ENOMEM, "no memory for a key");
	if (r == 0)
		r = read_key(fd, key, err);
	if (r < 0) {
		image_key_free(key);
		return error_context(err, "image key %s", path);
	}
	*ret_key = key;
	return 0;
}

/* sodium_malloc(3) locks what it can and says nothing. Locking twice counts once, mlock(2). */
bool image_key_locked(const struct image_key *key)
{
	return mlock(key->bytes, sizeof(key->bytes)) == 0;
}

void image_key_free(struct image_key *key)
{
	sodium_free(key);
}

static int seal_make(const struct image_key *key, enum image_protection protection,
		     const uint8_t salt[IMAGE_SALT_SIZE], struct image_seal **ret_seal,
		     struct jsnap_error *err)
{
	struct image_seal *seal = sodium_malloc(sizeof(*seal));

	if (!seal)
		return error_set(err, ENOMEM, "no memory for an image's keys");
	seal->protection = protection;
	memcpy(seal->salt, salt, IMAGE_SALT_SIZE);
	key_id(key, seal->key_id);
	derive(key, "jsnap image: authenticity", salt, seal->mac_key, SEAL_KEY_SIZE);
	derive(key, "jsnap image: encryption", salt, seal->cipher_key, SEAL_KEY_SIZE);
	derive(key, "jsnap image: hot copy", salt, seal->hot_key, SEAL_KEY_SIZE);
	*ret_seal = seal;
	return 0;
}

int image_seal_new(const struct image_key *key, enum image_protection protection,
		   struct image_seal **ret_seal, struct jsnap_error *err)
{
	uint8_t salt[IMAGE_SALT_SIZE];

	randombytes_buf(salt, sizeof(salt));
	return seal_make(key, protection, salt, ret_seal, err);
}

int image_seal_open(const struct image_key *key, const struct image_header *header,
		    struct image_seal **ret_seal, struct jsnap_error *err)
{
	char due[2 * IMAGE_KEY_ID_SIZE + 1], given[sizeof(due)];
	uint8_t id[IMAGE_KEY_ID_SIZE];

	key_id(key, id);
	if (memcmp(id, header->key_id, sizeof(id)) != 0) {
		sodium_bin2hex(due, sizeof(due), header->key_id, sizeof(id));
		sodium_bin2hex(given, sizeof(given), id, sizeof(id));
		return error_set(err, EKEYREJECTED, "the image is %s with key %s, not with %s",
				 image_protection_name(header->protection), due, given);
	}
	return seal_make(key, header->protection, header->salt, ret_seal, err);
}

void image_seal_free(struct image_seal *seal)
{
	sodium_free(seal);
}

const char *image_protection_name(enum image_protection protection)
{
	static const char *const names[] = {"plain", "signed", "encrypted"};

	return names[protection];
}
