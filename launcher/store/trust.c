/* See trust.h. */
#include "launcher/store/trust.h"

#include "base/cleanup.h"
#include "launcher/report/log.h"

#include <errno.h>

enum image_protection trust_protection(const struct settings *settings)
{
	switch (settings->protect) {
	case PROTECT_SIGN:
		return IMAGE_SIGNED;
	case PROTECT_ENCRYPT:
		return IMAGE_ENCRYPTED;
	case PROTECT_OFF:
		return IMAGE_PLAIN;
	default:
		return settings->image_key ? IMAGE_SIGNED : IMAGE_PLAIN;
	}
}

bool trust_keeps_copy(const struct settings *settings, enum image_protection protection)
{
	return settings->hot_copy &&
	       (protection != IMAGE_ENCRYPTED || settings->encrypted_hot_copy);
}

static void tell_unlocked(const struct image_key *key)
{
	static bool told;

	if (!told && !image_key_locked(key))
		log_warn("the image key may be swapped out: the limit of locked memory (ulimit -l) "
			 "is "
			 "too small");
	told = true;
}

/* *ret_key is NULL when there is none and none is needed. */
static int load_key(const struct settings *settings, struct image_key **ret_key,
		    struct jsnap_error *err)
{
	enum image_protection protection = trust_protection(settings);

	*ret_key = NULL;
	if (settings->image_key) {
		int rc = image_key_load(settings->image_key, ret_key, err);

		if (rc == 0)
			tell_unlocked(*ret_key);
		return rc;
	}
	if (protection == IMAGE_PLAIN)
		return 0;
	error_set(err, ENOKEY, "images must be %s, and there is no key",
		  image_protection_name(protection));
	return error_hint(err, "--image-key FILE names it");
}

int trust_check(const struct settings *settings, struct jsnap_error *err)
{
	CLEANUP_IMAGE_KEY struct image_key *key = NULL;

	return load_key(settings, &key, err);
}

int trust_open_header(const struct settings *settings, int fd, struct image **ret_image,
		      struct jsnap_error *err)
{
	CLEANUP_IMAGE_KEY struct image_key *key = NULL;
	int rc = load_key(settings, &key, err);
	const struct image_trust trust = {.key = key, .required = trust_protection(settings)};

	return rc < 0 ? rc : image_open_header(fd, &trust, ret_image, err);
}

int trust_open_image(const struct settings *settings, int fd, struct image **ret_image,
		     struct jsnap_error *err)
{
	CLEANUP_IMAGE struct image *image = NULL;
	int rc = trust_open_header(settings, fd, &image, err);

	if (rc == 0)
		rc = image_read_manifest(image, err);
	if (rc == 0)
		*ret_image = STEAL_PTR(image);
	return rc;
}

int trust_new_seal(const struct settings *settings, struct image_seal **ret_seal,
		   struct jsnap_error *err)
{
	enum image_protection protection = trust_protection(settings);
	CLEANUP_IMAGE_KEY struct image_key *key = NULL;
	int rc = load_key(settings, &key, err);

	if (rc < 0)
		return rc;
	*ret_seal = NULL;
	return protection == IMAGE_PLAIN ? 0 : image_seal_new(key, protection, ret_seal, err);
}
