/*
 * Which protection the user's settings ask of images (image/image_key.h): --image-key, --protect.
 *
 * The key is read anew for each image and wiped at once, so that no process made by jsnap comes to
 * have it.
 */
#ifndef JSNAP_LAUNCHER_TRUST_H
#define JSNAP_LAUNCHER_TRUST_H

#include "image/image.h"
#include "launcher/options/settings.h"

/* 0 when the key can be had, if there is to be one; the error says what is wrong with it. */
int trust_check(const struct settings *settings, struct jsnap_error *err);

/* image_open_header and image_open by the settings' rules. */
int trust_open_header(const struct settings *settings, int fd, struct image **ret_image,
		      struct jsnap_error *err);
int trust_open_image(const struct settings *settings, int fd, struct image **ret_image,
		     struct jsnap_error *err);

/* For a new image; NULL when it is to be plain. */
int trust_new_seal(const struct settings *settings, struct image_seal **ret_seal,
		   struct jsnap_error *err);

/* What a new image gets. */
enum image_protection trust_protection(const struct settings *settings);

/* Whether pages of such an image may lie uncompressed in the store. */
bool trust_keeps_copy(const struct settings *settings, enum image_protection protection);

#endif
