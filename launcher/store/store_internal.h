/* What the store's files share among themselves. */
#ifndef JSNAP_LAUNCHER_STORE_INTERNAL_H
#define JSNAP_LAUNCHER_STORE_INTERNAL_H

#include "launcher/store/store.h"

#define STORE_IMAGE_SUFFIX ".jsnap"

/* Length of NAME when `file` is NAME-KEY.jsnap, whose KEY is copied; else 0. */
size_t store_parse_name(const char *file, char ret_key[KEY_HEX_SIZE]);

/* -EPERM, or -EINVAL when it is no file: what others have a hand in is not used. */
int store_check_owner(const char *path, int fd, struct jsnap_error *err);

/* Whether `file` of the slot's folder is a temporary file of it. */
bool store_is_temporary(const struct store_slot *slot, const char *file);

#endif
