/* See find_inode.h. */
#include "checkpoint/find_inode.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/fdinfo.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SEEN_SLOTS (1u << 17) /* above FIND_ENTRIES_MAX + FIND_PLACES_MAX: never full */

static int compare(const void *a, const void *b)
{
	const struct find_wanted *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

int find_begin(struct find *f, struct find_wanted *wanted, size_t count, struct jsnap_error *err)
{
	*f = (struct find){.wanted = wanted, .n_wanted = count, .n_left = count};
	if (count)
		qsort(wanted, count, sizeof(*wanted), compare);
	f->places = calloc(FIND_PLACES_MAX, sizeof(*f->places));
	f->seen = calloc(SEEN_SLOTS, sizeof(*f->seen));
	return f->places && f->seen ? 0 : error_set(err, ENOMEM, "out of memory");
}

static void empty_queue(struct find *f)
{
	while (f->queue_from < f->queue_to)
		free(f->queue[f->queue_from++]);
	f->queue_from = f->queue_to = 0;
}

void find_end(struct find *f)
{
	empty_queue(f);
	for (size_t i = 0; i < f->n_places; i++)
		free(f->places[i]);
	free(f->places);
	free(f->queue);
	free(f->queue_dev);
	free(f->seen);
	*f = (struct find){0};
}

/* The first one wanted with this inode, or where it would be. */
static size_t first_wanted(const struct find *f, uint64_t inode)
{
	size_t low = 0, high = f->n_wanted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->wanted[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool inode_wanted(const struct find *f, uint64_t inode)
{
	size_t i = first_wanted(f, inode);

	return i < f->n_wanted && f->wanted[i].inode == inode;
}

const char *find_path(const struct find *f, uint64_t dev, uint64_t inode)
{
	for (size_t i = first_wanted(f, inode); i < f->n_wanted && f->wanted[i].inode == inode; i++)
		if (f->wanted[i].dev == dev)
			return f->wanted[i].path;
	return NULL;
}

/* Where stat(2) gives another device than the kernel has for the file system (btrfs, overlayfs), a
 * watch of our own tells. */
static bool same_by_watch(const char *path, const struct find_wanted *wanted)
{
	CLEANUP_CLOSE int fd = inotify_init1(IN_CLOEXEC);
	CLEANUP_FDINFO struct fdinfo info = {0};

	return fd >= 0 && inotify_add_watch(fd, path, IN_ATTRIB | IN_DONT_FOLLOW) >= 0 &&
	       fdinfo_read(getpid(), fd, &info, NULL) == 0 && info.n_inotify == 1 &&
	       info.inotify[0].inode == wanted->inode && info.inotify[0].dev == wanted->dev;
}

static int check(struct find *f, const char *path, const struct stat *st)
{
	for (size_t i = first_wanted(f, st->st_ino); i < f->n_wanted; i++) {
		struct find_wanted *wanted = &f->wanted[i];

		if (wanted->inode != st->st_ino)
			break;
		if (wanted->path || (wanted->dev != st->st_dev && !same_by_watch(path, wanted)))
			continue;
		wanted->path = strdup(path);
		if (!wanted->path)
			return -ENOMEM;
		f->n_left--;
	}
	return 0;
}

int find_place(struct find *f, const char *path, struct jsnap_error *err)
{
	char at[PATH_MAX];
	size_t size = strlen(path);

	if (path[0] != '/' || size >= sizeof(at))
		return 0;
	memcpy(at, path, size + 1);
	for (;;) {
		struct stat st;
		char *slash;

		for (size_t i = 0; i < f->n_places; i++)
			if (strcmp(f->places[i], at) == 0)
				return 0; /* and so all above it */
		if (f->n_places == FIND_PLACES_MAX)
			return 0;
		f->places[f->n_places] = strdup(at);
		if (!f->places[f->n_places] || (lstat(at, &st) == 0 && check(f, at, &st) < 0))
			return error_set(err, ENOMEM, "out of memory");
		f->n_places++;
		if (at[1] == '\0')
			return 0;
		slash = strrchr(at, '/');
		slash[slash == at] = '\0';
	}
}

static int push(struct find *f, const char *path, uint64_t dev)
{
	if (f->queue_to == f->queue_cap) {
		size_t more = f->queue_cap ? 2 * f->queue_cap : 1024;
		char **paths = reallocarray(f->queue, more, sizeof(*paths));
		uint64_t *devs;

		if (!paths)
			return -ENOMEM;
		f->queue = paths;
		devs = reallocarray(f->queue_dev, more, sizeof(*devs));
		if (!devs)
			return -ENOMEM;
		f->queue_dev = devs;
		f->queue_cap = more;
	}
	f->queue[f->queue_to] = strdup(path);
	if (!f->queue[f->queue_to])
		return -ENOMEM;
	f->queue_dev[f->queue_to++] = dev;
	return 0;
}

/* Whether the folder was read before; remembers it. */
static bool seen_before(struct find *f, const struct stat *st)
{
	uint64_t slot = ((st->st_ino ^ (uint64_t)st->st_dev << 40) * 0x9e3779b97f4a7c15ull) >> 40;

	for (;; slot++) {
		uint64_t *at = f->seen[slot % SEEN_SLOTS];

		if (at[1] == st->st_ino && at[0] == st->st_dev)
			return true;
		if (at[1] == 0) {
			at[0] = st->st_dev;
			at[1] = st->st_ino;
			return false;
		}
	}
}

static int look_at_entry(struct find *f, const char *folder, const struct dirent *entry,
			 uint64_t dev)
{
	bool is_folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
	char path[PATH_MAX];
	struct stat st;
	int n, r = 0;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	f->entries++;
	if (!is_folder && !inode_wanted(f, entry->d_ino))
		return 0;
	n = snprintf(path, sizeof(path), "%s/%s", folder[1] ? folder : "", entry->d_name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	if (inode_wanted(f, entry->d_ino) && lstat(path, &st) == 0)
		r = check(f, path, &st);
	return r == 0 && is_folder ? push(f, path, dev) : r;
}

/* A place as it is; a folder below one only where nothing is mounted on it, for what is mounted may
 * make us wait, and an automount would become one. */
static int open_folder(const char *path, bool is_place)
{
	struct open_how how = {.flags =
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			       .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *above = NULL;
	CLEANUP_CLOSE int folder = -1;

	if (is_place || !slash)
		return open(path, (int)how.flags);
	above = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	folder = above ? open(above, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	return folder < 0 ? -1 : (int)syscall(SYS_openat2, folder, slash + 1, &how, sizeof(how));
}

/* One folder; those in it are queued. A folder that may not be read is passed over. */
static int read_folder(struct find *f, const char *path, uint64_t dev, bool is_place,
		       uint32_t limit)
{
	int fd = open_folder(path, is_place);
	CLEANUP_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;
	int r;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	r = fstat(fd, &st) < 0 ? 0 : check(f, path, &st);
	if (r < 0 || st.st_dev != dev || seen_before(f, &st))
		return r;
	while (r == 0 && f->n_left && f->entries < limit && (entry = readdir(dir)))
		r = look_at_entry(f, path, entry, dev);
	return r;
}

static bool dev_wanted(const struct find *f, uint64_t dev)
{
	for (size_t i = 0; i < f->n_wanted; i++)
		if (!f->wanted[i].path && f->wanted[i].dev == dev)
			return true;
	return false;
}

enum pass { FIRST_PLACE, SAME_DEVICE, EVERYWHERE };

static int search(struct find *f, enum pass pass, uint32_t limit)
{
	size_t n = pass == FIRST_PLACE && f->n_places ? 1 : f->n_places;
	size_t n_seeds;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct stat st;

		if (stat(f->places[i], &st) == 0 && S_ISDIR(st.st_mode) &&
		    (pass != SAME_DEVICE || dev_wanted(f, st.st_dev)))
			r = push(f, f->places[i], st.st_dev);
	}
	n_seeds = f->queue_to;
	while (r == 0 && f->n_left && f->queue_from < f->queue_to && f->entries < limit &&
	       monotonic_ns() < f->deadline) {
		CLEANUP_FREE char *path = f->queue[f->queue_from];
		uint64_t dev = f->queue_dev[f->queue_from];
		bool is_place = f->queue_from++ < n_seeds;

		r = read_folder(f, path, dev, is_place, limit);
	}
	empty_queue(f);
	return r;
}

int find_below(struct find *f, struct jsnap_error *err)
{
	/* A large first place must not use up what the others need. */
	static const uint32_t limits[] = {[FIRST_PLACE] = FIND_ENTRIES_MAX / 3,
					  [SAME_DEVICE] = FIND_ENTRIES_MAX / 6 * 5,
					  [EVERYWHERE] = FIND_ENTRIES_MAX};
	int r = 0;

	f->deadline = monotonic_ns() + FIND_NS_MAX;
	for (enum pass pass = FIRST_PLACE; r == 0 && f->n_left && pass <= EVERYWHERE; pass++)
		r = search(f, pass, limits[pass]);
	return r < 0 ? error_set(err, -r, "search for what is watched: %s", strerror(-r)) : 0;
}
