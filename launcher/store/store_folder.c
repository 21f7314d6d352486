/* See store.h: where the store is, and whose. */
#include "launcher/store/store_internal.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define WRITABLE_BY_OTHERS (S_IWGRP | S_IWOTH)
#define OPEN_TRIES	   10
#define LINKS_MAX	   40 /* as the kernel follows, path_resolution(7) */

int store_path(const struct settings *settings, char **ret_path, struct jsnap_error *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *path = NULL, cwd[PATH_MAX];
	int n;

	if (settings->store && settings->store[0] != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return error_errno(err, "getcwd");
		n = asprintf(&path, "%s/%s", cwd, settings->store);
	} else if (settings->store) {
		n = asprintf(&path, "%s", settings->store);
	} else if (cache && *cache == '/') {
		n = asprintf(&path, "%s/jsnap", cache);
	} else if (home && *home == '/') {
		n = asprintf(&path, "%s/.cache/jsnap", home);
	} else {
		return error_set(err, ENOENT,
				 "no folder for snapshots: neither XDG_CACHE_HOME nor HOME is set; "
				 "use --store DIR or JSNAP_STORE");
	}
	if (n < 0)
		return error_set(err, ENOMEM, "out of memory");
	*ret_path = path;
	return 0;
}

static int make_parents(const char *path, struct jsnap_error *err)
{
	CLEANUP_FREE char *parent = strdup(path);

	if (!parent)
		return error_set(err, ENOMEM, "out of memory");
	for (char *p = parent + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(parent, 0700) < 0 && errno != EEXIST)
			return error_errno(err, "create folder %s", parent);
		*p = '/';
	}
	return 0;
}

/* Owner and mode, of a folder or an open file. */
static int check_owner(const char *path, const struct stat *st, struct jsnap_error *err)
{
	if (st->st_uid != geteuid()) {
		error_set(err, EPERM, "%s is refused: it belongs to uid %u, not to you (uid %u)",
			  path, st->st_uid, geteuid());
		return error_hint(err,
				  "a snapshot becomes your process: all of it must be your own");
	}
	if (st->st_mode & WRITABLE_BY_OTHERS) {
		error_set(err, EPERM, "%s is refused: others may write it (mode %04o)", path,
			  st->st_mode & 07777);
		return error_hint(err, "chmod go-w %s, if you trust its content", path);
	}
	return 0;
}

/* The path that the link `at` leads to, in its place. */
static int follow(char *at, size_t size, struct jsnap_error *err)
{
	char target[PATH_MAX];
	char *slash = strrchr(at, '/');
	ssize_t n = readlink(at, target, sizeof(target) - 1);
	size_t folder = slash ? (size_t)(slash - at) + 1 : 0;

	if (n < 0)
		return error_errno(err, "read the link %s", at);
	target[n] = '\0';
	if (*target == '/')
		folder = 0;
	if (folder + (size_t)n >= size)
		return error_set(err, ENAMETOOLONG, "the link %s leads too far", at);
	memcpy(at + folder, target, (size_t)n + 1);
	return 0;
}

/*
 * Whoever owns a link says which of this user's files it is, and may say another tomorrow: each on
 * the way from `path` to the file or folder `st` must be this user's or root's. Those among its
 * folders are part of the path that the user gave.
 */
static int check_links(const char *path, const struct stat *st, struct jsnap_error *err)
{
	char at[PATH_MAX];
	bool of_kernel = false;
	struct stat proc = {0};
	size_t length = (size_t)snprintf(at, sizeof(at), "%s", path);

	if (length >= sizeof(at))
		return error_set(err, ENAMETOOLONG, "%s is too long a path", path);
	while (length > 1 && at[length - 1] == '/') /* lstat("LINK/") would follow it */
		at[--length] = '\0';
	(void)stat("/proc/self/fd", &proc);
	for (int i = 0; i < LINKS_MAX; i++) {
		struct stat here;
		int r;

		if (lstat(at, &here) < 0) /* a descriptor's file need not have a name any more */
			return of_kernel ? 0 : error_errno(err, "stat %s", at);
		if (!S_ISLNK(here.st_mode)) {
			if (of_kernel || (here.st_ino == st->st_ino && here.st_dev == st->st_dev))
				return 0;
			return error_set(err, EAGAIN, "%s was replaced meanwhile", path);
		}
		if (here.st_uid != geteuid() && here.st_uid != 0) {
			error_set(err, EPERM, "%s is refused: the link %s belongs to uid %u", path,
				  at, here.st_uid);
			return error_hint(err, "name what it leads to, if you trust it");
		}
		of_kernel = here.st_dev == proc.st_dev; /* /dev/fd/3, too */
		r = follow(at, sizeof(at), err);
		if (r < 0)
			return r;
	}
	return error_set(err, ELOOP, "%s: too many links", path);
}

int store_prepare(const char *path, bool create, struct jsnap_error *err)
{
	struct stat st;
	int r;

	if (create && stat(path, &st) < 0) {
		r = make_parents(path, err);
		if (r < 0)
			return r;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return error_errno(err, "create the store %s", path);
	}
	if (stat(path, &st) < 0)
		return error_errno(err, "the store %s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "the store %s is not a folder", path);
	r = check_owner(path, &st, err);
	return r < 0 ? r : check_links(path, &st, err);
}

int store_check_owner(const char *path, int fd, struct jsnap_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "%s is not a file", path);
	return check_owner(path, &st, err);
}

static int open_checked(const char *path, int flags, struct jsnap_error *err)
{
	/* a FIFO of somebody else must not hang us */
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	int r;

	if (fd < 0)
		return error_errno(err, "open %s", path);
	r = store_check_owner(path, fd, err);
	if (r < 0)
		return r;
	fcntl(fd, F_SETFL, O_RDONLY);
	return steal_fd(&fd);
}

static int open_image(const struct store_slot *slot, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open_checked(slot->image, 0, err);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "stat %s", slot->image);
	r = check_links(slot->image, &st, err);
	return r < 0 ? r : steal_fd(&fd);
}

/* A writer may replace it between the two looks, and is not as quick as that again and again. */
int store_open_image(const struct store_slot *slot, struct jsnap_error *err)
{
	int r, tries = 0;

	do {
		r = open_image(slot, err);
	} while (r == -EAGAIN && ++tries < OPEN_TRIES);
	return r;
}

int store_open_beside(const char *path, struct jsnap_error *err)
{
	return open_checked(path, O_NOFOLLOW, err);
}
