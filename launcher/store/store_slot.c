/* See store.h: one snapshot's names, its lock, its removal, and what dead writers left of it. */
#include "launcher/store/store.h"

#include "base/cleanup.h"
#include "image/tempfile.h"
#include "launcher/report/log.h"
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
	slot.spare_others = stem == strlen(image);
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
		r = place_check(settings->image, PLACE_IMAGE, err);
		if (r >= 0)
			r = slot_fill(settings->image, ret_slot, err);
		if (r == 0)
			ret_slot->spare_others = true;
		return r;
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

static int open_lock(const char *path, int flags, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd =
		open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags, 0600);
	int r;

	if (fd < 0)
		return error_errno(err, "open the lock %s", path);
	r = store_check_owner(path, fd, err);
	return r < 0 ? r : steal_fd(&fd);
}

/* -ENOENT, without an error, for a reader of nothing. */
static int find_lock(const struct store_slot *slot, enum store_lock mode, struct jsnap_error *err)
{
	int fd = open_lock(slot->lock, 0, err);

	if (fd != -ENOENT)
		return fd;
	if (mode == STORE_LOCK_SHARED && place_check(slot->image, PLACE_IMAGE, NULL) <= 0)
		return -ENOENT;
	return open_lock(slot->lock, O_CREAT, err);
}

static void tell_unlocked(int r, const struct jsnap_error *problem)
{
	if (r == -EPERM || r == -EINVAL)
		log_warn("%s; it is not waited for", problem->text);
	else if (r != -ENOENT)
		log_debug("without a lock: %s", problem->text);
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

bool store_is_temporary(const struct store_slot *slot, const char *file)
{
	return tempfile_is_of(file, slot->image) || tempfile_is_of(file, slot->hot) ||
	       tempfile_is_of(file, slot->pages) || tempfile_is_of(file, slot->bad);
}

void store_remove_temporaries(const struct store_slot *slot)
{
	tempfile_remove_stale(slot->image);
	tempfile_remove_stale(slot->hot);
	tempfile_remove_stale(slot->pages);
	tempfile_remove_stale(slot->bad);
}

/* A new image would take the link's name, and what it leads to would stay as it is. */
static int check_link(const struct store_slot *slot, struct jsnap_error *err)
{
	struct stat st;

	if (!slot->spare_others || lstat(slot->image, &st) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	error_set(err, EEXIST, "%s is a symbolic link; it is not replaced", slot->image);
	return error_hint(err, "name what it leads to, or remove it");
}

int store_lock(struct store_slot *slot, enum store_lock mode, bool wait, struct jsnap_error *err)
{
	int operation = (mode == STORE_LOCK_EXCLUSIVE ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);

	slot->exclusive = false;
	if (mode == STORE_LOCK_EXCLUSIVE && check_link(slot, err) < 0)
		return -EEXIST;
	for (;;) {
		struct jsnap_error problem = {0};
		int r = 0;

		if (slot->lock_fd < 0)
			r = slot->lock_fd = find_lock(slot, mode, &problem);
		if (r < 0) {
			slot->lock_fd = -1;
			if (mode == STORE_LOCK_SHARED)
				tell_unlocked(r, &problem);
			else if (err)
				*err = problem;
			return mode == STORE_LOCK_SHARED ? 0 : r;
		}
		r = lock_fd(slot->lock_fd, operation);
		if (r < 0) {
			/* a conversion that fails has lost the lock it had (flock(2)) */
			store_unlock(slot);
			errno = -r;
			return r == -EWOULDBLOCK ? r : error_errno(err, "lock %s", slot->lock);
		}
		if (still_named(slot->lock, slot->lock_fd))
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

	if (still_named(slot->lock, slot->lock_fd) && fstat(slot->lock_fd, &st) == 0 &&
	    st.st_size == 0)
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

/* Where names are a user's, what is not jsnap's stays (place.h). */
static enum place replaced(const struct store_slot *slot, enum place what)
{
	return slot->spare_others ? what : PLACE_ANY;
}

int store_place(const struct store_slot *slot, enum place what, struct jsnap_error *err)
{
	const char *const paths[] = {[PLACE_IMAGE] = slot->image,
				     [PLACE_HOT] = slot->hot,
				     [PLACE_PAGES] = slot->pages,
				     [PLACE_MARK] = slot->bad};

	return place_check(paths[what], replaced(slot, what), err);
}

static int clear(const struct store_slot *slot, const char *path, enum place what,
		 struct jsnap_error *err)
{
	int r = place_clear(path, replaced(slot, what), err);

	return r == -EEXIST ? 0 : r;
}

int store_remove_copies(const struct store_slot *slot, struct jsnap_error *err)
{
	int r = clear(slot, slot->pages, PLACE_PAGES, err);

	return r < 0 ? r : clear(slot, slot->hot, PLACE_HOT, err);
}

/* The mark last: an image that is there is marked still. */
int store_remove(const struct store_slot *slot, struct jsnap_error *err)
{
	int r = store_remove_copies(slot, err);

	if (r == 0)
		r = clear(slot, slot->image, PLACE_IMAGE, err);
	return r < 0 ? r : clear(slot, slot->bad, PLACE_MARK, err);
}

/* An image may have come while this one waited for the lock. */
void store_tidy(struct store_slot *slot)
{
	if (store_lock(slot, STORE_LOCK_EXCLUSIVE, false, NULL) == 0 &&
	    access(slot->image, F_OK) < 0 && errno == ENOENT)
		store_remove(slot, NULL);
	store_unlock(slot);
}
