/* See store.h: one snapshot's names, its lock, its removal, and what dead writers left of it. */
#include "launcher/store/store.h"

#include "base/cleanup.h"
#include "image/image.h"
#include "image/tempfile.h"
#include "launcher/store/store_internal.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

void store_name(const char *text, char ret_name[STORE_MAX_NAME + 1])
{
	size_t n = 0;

	while (*text == '.')
		text++;
	for (; *text && n < STORE_MAX_NAME; text++, n++) {
		bool plain = isascii(*text) && (isalnum(*text) || strchr("._-", *text));

		ret_name[n] = plain ? *text : '_';
	}
	ret_name[n] = '\0';
	if (n == 0)
		strcpy(ret_name, "program");
}

/* `stem` is the path without ".jsnap", or the whole path when `image` does not end so. */
static int slot_fill(const char *image, struct store_slot *ret_slot, struct jsnap_error *err)
{
	struct store_slot slot = {.lock_fd = -1};
	char key[KEY_HEX_SIZE];
	const char *slash = strrchr(image, '/');
	size_t stem = store_parse_name(slash ? slash + 1 : image, key)
			      ? strlen(image) - strlen(STORE_IMAGE_SUFFIX)
			      : strlen(image);

	slot.image = strdup(image);
	if (asprintf(&slot.hot, "%.*s.hot", (int)stem, image) < 0)
		slot.hot = NULL;
	if (asprintf(&slot.pages, "%.*s.pages", (int)stem, image) < 0)
		slot.pages = NULL;
	if (asprintf(&slot.lock, "%.*s.lock", (int)stem, image) < 0)
		slot.lock = NULL;
	if (asprintf(&slot.bad, "%.*s.bad", (int)stem, image) < 0)
		slot.bad = NULL;
	if (!slot.image || !slot.hot || !slot.pages || !slot.lock || !slot.bad) {
		store_slot_close(&slot);
		return error_set(err, ENOMEM, "out of memory");
	}
	*ret_slot = slot;
	return 0;
}

int store_slot_of_image(const char *path, struct store_slot *ret_slot, struct jsnap_error *err)
{
	return slot_fill(path, ret_slot, err);
}

int store_slot_open(const struct settings *settings, const struct key_facts *facts,
		    struct store_slot *ret_slot, struct jsnap_error *err)
{
	CLEANUP_FREE char *folder = NULL, *image = NULL;
	int r;

	if (settings->image) {
		r = image_place(settings->image, err);
		return r < 0 ? r : slot_fill(settings->image, ret_slot, err);
	}
	r = store_path(settings, &folder, err);
	if (r == 0)
		r = store_prepare(folder, true, err);
	if (r < 0)
		return r;
	if (asprintf(&image, "%s/%s-%s" STORE_IMAGE_SUFFIX, folder, facts->name, facts->key) < 0) {
		image = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	return slot_fill(image, ret_slot, err);
}

void store_slot_close(struct store_slot *slot)
{
	store_unlock(slot);
	free(slot->image);
	free(slot->hot);
	free(slot->pages);
	free(slot->lock);
	free(slot->bad);
	*slot = (struct store_slot){.lock_fd = -1};
}

/*
 * The file to lock. In a folder that this user cannot write (an image in a container's read-only
 * layer) there is nobody to exclude, and a reader locks the image itself. -ENOENT, without an
 * error, for a reader of nothing.
 */
static int open_lock(struct store_slot *slot, enum store_lock mode, const char **ret_path,
		     struct jsnap_error *err)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;

	*ret_path = slot->lock;
	if (slot->lock_fd >= 0)
		return 0;
	slot->lock_fd = open(slot->lock, flags);
	if (slot->lock_fd < 0 && errno == ENOENT) {
		if (mode == STORE_LOCK_SHARED && image_place(slot->image, NULL) <= 0)
			return -ENOENT;
		slot->lock_fd = open(slot->lock, flags | O_CREAT, 0600);
	}
	if (slot->lock_fd < 0 && mode == STORE_LOCK_SHARED &&
	    (errno == EACCES || errno == EROFS || errno == EPERM)) {
		int reason = errno;

		*ret_path = slot->image;
		slot->lock_fd = open(slot->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (slot->lock_fd < 0)
			errno = reason;
	}
	return slot->lock_fd < 0 ? error_errno(err, "open the lock %s", slot->lock) : 0;
}

/* The lock file may have been removed by whoever held it last: then the lock is of nothing. */
static bool still_named(const char *path, int fd)
{
	struct stat here, named;

	return fstat(fd, &here) == 0 && stat(path, &named) == 0 && here.st_ino == named.st_ino &&
	       here.st_dev == named.st_dev;
}

static int lock_fd(int fd, int operation)
{
	while (flock(fd, operation) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int store_lock(struct store_slot *slot, enum store_lock mode, bool wait, struct jsnap_error *err)
{
	int operation = (mode == STORE_LOCK_EXCLUSIVE ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);

	slot->exclusive = false;
	for (;;) {
		const char *path;
		int r = open_lock(slot, mode, &path, err);

		if (r < 0)
			return mode == STORE_LOCK_SHARED && r == -ENOENT ? 0 : r;
		r = lock_fd(slot->lock_fd, operation);
		if (r < 0) {
			/* a conversion that fails has lost the lock it had (flock(2)) */
			store_unlock(slot);
			errno = -r;
			return r == -EWOULDBLOCK ? r : error_errno(err, "lock %s", path);
		}
		if (still_named(path, slot->lock_fd))
			break;
		store_unlock(slot);
	}
	slot->exclusive = mode == STORE_LOCK_EXCLUSIVE;
	if (slot->exclusive)
		store_remove_temporaries(slot);
	return 0;
}

/* Who waits for it sees that it has lost its name. One that holds something is not ours. */
static void remove_lock(const struct store_slot *slot)
{
	struct stat st;

	if (image_place(slot->image, NULL) <= 0 && still_named(slot->lock, slot->lock_fd) &&
	    fstat(slot->lock_fd, &st) == 0 && st.st_size == 0)
		unlink(slot->lock);
}

void store_unlock(struct store_slot *slot)
{
	if (slot->lock_fd >= 0 && slot->exclusive)
		remove_lock(slot);
	if (slot->lock_fd >= 0)
		close(slot->lock_fd);
	slot->lock_fd = -1;
	slot->exclusive = false;
}

bool store_is_temporary(const struct store_slot *slot, const char *file)
{
	return tempfile_is_of(file, slot->image) || tempfile_is_of(file, slot->hot) ||
	       tempfile_is_of(file, slot->pages);
}

void store_remove_temporaries(const struct store_slot *slot)
{
	const char *slash = strrchr(slot->image, '/');
	CLEANUP_FREE char *folder =
		strndup(slash ? slot->image : ".", slash ? (size_t)(slash - slot->image) + 1 : 1);
	CLEANUP_CLOSEDIR DIR *dir = folder ? opendir(folder) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (store_is_temporary(slot, entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
}

int store_remove(struct store_slot *slot, struct jsnap_error *err)
{
	const char *const paths[] = {slot->pages, slot->hot, slot->image, slot->bad};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (unlink(paths[i]) < 0 && errno != ENOENT)
			return error_errno(err, "remove %s", paths[i]);
	return 0;
}
