/* See store.h: what is in the store, and finding one snapshot there. */
#include "launcher/store/store.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

size_t store_parse_name(const char *file, char ret_key[KEY_HEX_SIZE])
{
	size_t n = strlen(file), suffix = strlen(STORE_IMAGE_SUFFIX), digits = KEY_HEX_SIZE - 1;
	const char *key;

	if (file[0] == '.' || n < 1 + 1 + digits + suffix ||
	    strcmp(file + n - suffix, STORE_IMAGE_SUFFIX) != 0)
		return 0;
	key = file + n - suffix - digits;
	if (key[-1] != '-' || strspn(key, "0123456789abcdef") != digits)
		return 0;
	memcpy(ret_key, key, digits);
	ret_key[digits] = '\0';
	return (size_t)(key - 1 - file);
}

/* 1: filled; 0: not an image, or it has just gone. */
static int entry_fill(const char *folder, const char *file, struct store_entry *entry,
		      struct jsnap_error *err)
{
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};
	CLEANUP_FREE char *path = NULL;
	struct stat st;
	size_t n = store_parse_name(file, entry->key);
	int r;

	if (n == 0)
		return 0;
	if (asprintf(&path, "%s/%s", folder, file) < 0) {
		path = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	r = store_slot_of_image(path, &slot, err);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(err, "look at %s", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	entry->image_size = (uint64_t)st.st_blocks * 512;
	entry->mtime_ns = file_time_ns(st.st_mtim);
	entry->ctime_ns = file_time_ns(st.st_ctim);
	entry->inode = st.st_ino;
	entry->hot_size = stat(slot.hot, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
	entry->hot_size += stat(slot.pages, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
	entry->name = strndup(file, n);
	if (!entry->name)
		return error_set(err, ENOMEM, "out of memory");
	entry->image = STEAL_PTR(path);
	return 1;
}

static int newest_first(const void *a, const void *b)
{
	const struct store_entry *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns < y->mtime_ns ? 1 : -1;
	return strcmp(x->image, y->image);
}

/* Takes over what `entry` owns. */
static int append(struct store_entries *entries, const struct store_entry *entry,
		  const char *folder, struct jsnap_error *err)
{
	struct store_entry *grown;

	if (entries->count == STORE_MAX_ENTRIES)
		return error_set(err, E2BIG, "too many snapshots in %s; see `jsnap prune`", folder);
	grown = reallocarray(entries->entries, entries->count + 1, sizeof(*grown));
	if (!grown)
		return error_set(err, ENOMEM, "no memory for the snapshots in %s", folder);
	entries->entries = grown;
	grown[entries->count++] = *entry;
	return 0;
}

static int read_folder(const char *folder, DIR *dir, struct store_entries *entries,
		       struct jsnap_error *err)
{
	struct dirent *file;

	while (errno = 0, (file = readdir(dir))) {
		struct store_entry entry = {0};
		int r = entry_fill(folder, file->d_name, &entry, err);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		r = append(entries, &entry, folder, err);
		if (r < 0) {
			free(entry.name);
			free(entry.image);
			return r;
		}
	}
	return errno ? error_errno(err, "read the store %s", folder) : 0;
}

int store_list(const struct settings *settings, struct store_entries *ret_entries,
	       struct jsnap_error *err)
{
	CLEANUP_STORE_ENTRIES struct store_entries entries = {0};
	CLEANUP_FREE char *folder = NULL;
	CLEANUP_CLOSEDIR DIR *dir = NULL;
	int r = store_path(settings, &folder, err);

	if (r < 0)
		return r;
	r = store_prepare(folder, false, err);
	if (r == -ENOENT) {
		*ret_entries = (struct store_entries){0};
		return 0;
	}
	if (r < 0)
		return r;
	dir = opendir(folder);
	if (!dir)
		return error_errno(err, "read the store %s", folder);
	r = read_folder(folder, dir, &entries, err);
	if (r < 0)
		return r;
	if (entries.count)
		qsort(entries.entries, entries.count, sizeof(*entries.entries), newest_first);
	*ret_entries = entries;
	entries = (struct store_entries){0};
	return 0;
}

void store_entries_free(struct store_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		free(entries->entries[i].name);
		free(entries->entries[i].image);
	}
	free(entries->entries);
	*entries = (struct store_entries){0};
}

int store_remove_entry(const struct store_entry *entry, struct jsnap_error *err)
{
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};
	struct stat st;
	int r = store_slot_of_image(entry->image, &slot, err);

	if (r == 0)
		r = store_lock(&slot, STORE_LOCK_EXCLUSIVE, false, err);
	if (r < 0)
		return r;
	/* Its name may have gone to another, which has times of its own whatever its inode. */
	if (stat(slot.image, &st) < 0)
		return errno == ENOENT ? -ESTALE : error_errno(err, "look at %s", slot.image);
	if (st.st_ino != entry->inode || file_time_ns(st.st_mtim) != entry->mtime_ns ||
	    file_time_ns(st.st_ctim) != entry->ctime_ns)
		return -ESTALE;
	return store_remove(&slot, err);
}

static bool is_path(const char *word)
{
	size_t n = strlen(word), suffix = strlen(STORE_IMAGE_SUFFIX);
	struct stat st;

	return strchr(word, '/') ||
	       (n > suffix && strcmp(word + n - suffix, STORE_IMAGE_SUFFIX) == 0) ||
	       (stat(word, &st) == 0 && S_ISREG(st.st_mode));
}

static bool matches(const struct store_entry *entry, const char *word)
{
	size_t n = strlen(entry->name);

	if (strcmp(entry->name, word) == 0)
		return true;
	if (strncmp(entry->name, word, n) == 0 && word[n] == '-')
		word += n + 1;
	return *word && strncmp(entry->key, word, strlen(word)) == 0;
}

static int tell_entries(const struct store_entries *entries, const char *word, bool only_matching,
			struct jsnap_error *err)
{
	size_t told = 0;
	char text[512] = "";

	for (size_t i = 0; i < entries->count; i++) {
		const struct store_entry *entry = &entries->entries[i];
		size_t used = strlen(text);

		if (only_matching && !matches(entry, word))
			continue;
		if (told++ == 5) {
			snprintf(text + used, sizeof(text) - used, ", ...");
			break;
		}
		snprintf(text + used, sizeof(text) - used, "%s%s-%.12s", used ? ", " : "",
			 entry->name, entry->key);
	}
	return error_hint(err, told ? "there is %s" : "the store is empty", text);
}

int store_find(const struct settings *settings, const char *word, struct store_slot *ret_slot,
	       struct jsnap_error *err)
{
	CLEANUP_STORE_ENTRIES struct store_entries entries = {0};
	const struct store_entry *found = NULL;
	int r;

	if (is_path(word))
		return store_slot_of_image(word, ret_slot, err);
	r = store_list(settings, &entries, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < entries.count; i++) {
		if (!matches(&entries.entries[i], word))
			continue;
		if (found) {
			error_set(err, EINVAL, "\"%s\" could be several snapshots", word);
			return tell_entries(&entries, word, true, err);
		}
		found = &entries.entries[i];
	}
	if (!found) {
		error_set(err, ENOENT, "no snapshot \"%s\" in the store", word);
		return tell_entries(&entries, word, false, err);
	}
	return store_slot_of_image(found->image, ret_slot, err);
}

/* The slot of a file that may be a leftover: "NAME-KEY.lock", ".NAME-KEY.hot.RANDOM.tmp" ... */
static int slot_of_leftover(const char *folder, const char *file, struct store_slot *ret_slot)
{
	bool hidden = file[0] == '.';
	size_t length = strlen(file), end = hidden ? strlen(".0123456789abcdef.tmp") + 1 : 0;
	CLEANUP_FREE char *stem = length > end ? strndup(file + hidden, length - end) : NULL;
	char *suffix = stem ? strrchr(stem, '.') : NULL;
	CLEANUP_FREE char *image = NULL;
	char key[KEY_HEX_SIZE];

	if (!suffix || (!hidden && strcmp(suffix, STORE_IMAGE_SUFFIX) == 0))
		return -EINVAL;
	*suffix = '\0';
	if (asprintf(&image, "%s/%s" STORE_IMAGE_SUFFIX, folder, stem) < 0) {
		image = NULL;
		return -ENOMEM;
	}
	return store_parse_name(image + strlen(folder) + 1, key)
		       ? store_slot_of_image(image, ret_slot, NULL)
		       : -EINVAL;
}

/* Whether `path`, of a slot without an image, is a file of it. */
static bool is_companion(const struct store_slot *slot, const char *path)
{
	return strcmp(path, slot->lock) == 0 || strcmp(path, slot->bad) == 0 ||
	       strcmp(path, slot->hot) == 0 || strcmp(path, slot->pages) == 0;
}

static void sweep_file(const char *folder, const char *file)
{
	CLEANUP_STORE_SLOT struct store_slot slot = {.lock_fd = -1};
	CLEANUP_FREE char *path = NULL;

	if (slot_of_leftover(folder, file, &slot) < 0)
		return;
	if (asprintf(&path, "%s/%s", folder, file) < 0) {
		path = NULL;
		return;
	}
	if (!store_is_temporary(&slot, file) &&
	    (!is_companion(&slot, path) || access(slot.image, F_OK) == 0))
		return;
	store_tidy(&slot);
}

int store_sweep(const char *path, struct jsnap_error *err)
{
	CLEANUP_CLOSEDIR DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return error_errno(err, "read the store %s", path);
	while ((entry = readdir(dir)))
		sweep_file(path, entry->d_name);
	return 0;
}
