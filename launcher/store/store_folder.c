/* See store.h: where the store is, and whose. */
#include "launcher/store/store_internal.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#define WRITABLE_BY_OTHERS (S_IWGRP | S_IWOTH)

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
	struct passwd *owner;

	if (st->st_uid != geteuid()) {
		owner = getpwuid(st->st_uid);
		error_set(err, EPERM,
			  "%s is refused: it belongs to %s (uid %u), not to you (uid %u)", path,
			  owner ? owner->pw_name : "another user", st->st_uid, geteuid());
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
	return check_owner(path, &st, err);
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

int store_open_image(const struct store_slot *slot, struct jsnap_error *err)
{
	return open_checked(slot->image, 0, err);
}

int store_open_beside(const char *path, struct jsnap_error *err)
{
	return open_checked(path, O_NOFOLLOW, err);
}
