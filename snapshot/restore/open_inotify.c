/*
 * inotify watches under their old numbers.
 *
 * The kernel counts the numbers of one inotify up from 1 and gives none twice (inotify_add_to_idr,
 * fs/notify/inotify/inotify_user.c), so the gaps are passed by watching something else and removing
 * that watch. Each removal leaves an IN_IGNORED event, which is read before the program could.
 */
#include "restore/open_files.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define DRAIN_EVERY  8192 /* removals; fs.inotify.max_queued_events is 16384 by default */
#define DRAINS_MAX   4096 /* reads of one drain, should somebody write without a pause */
#define DRAIN_BUFFER (64u << 10)

static int drain(int fd, struct jsnap_error *err)
{
	CLEANUP_FREE char *buffer = malloc(DRAIN_BUFFER);
	int unread;

	if (!buffer)
		return error_set(err, ENOMEM, "out of memory");
	for (int i = 0; i < DRAINS_MAX; i++) {
		if (ioctl(fd, FIONREAD, &unread) < 0)
			return error_errno(err, "ask how much an inotify holds");
		if (!unread)
			return 0;
		if (read(fd, buffer, DRAIN_BUFFER) < 0 && errno != EINTR)
			return error_errno(err, "read an inotify empty");
	}
	return error_set(err, EBUSY, "what an inotify watches changes without a pause");
}

/* Uses up the numbers from `from` to before `to`. */
static int pass_numbers(int fd, uint32_t from, uint32_t to, struct jsnap_error *err)
{
	CLEANUP_CLOSE int other = memfd_create("jsnap-watch", MFD_CLOEXEC);
	char path[64];

	if (other < 0)
		return error_errno(err, "make something to watch");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", other);
	for (uint32_t number = from; number < to; number++) {
		int wd = inotify_add_watch(fd, path, IN_ATTRIB);
		int r = 0;

		if (wd < 0 || inotify_rm_watch(fd, wd) < 0)
			return error_errno(err, "pass watch number %u", number);
		if ((uint32_t)wd != number)
			return error_set(err, ENOTSUP, "this kernel gives watch number %d, not %u",
					 wd, number);
		if ((number - from) % DRAIN_EVERY == DRAIN_EVERY - 1)
			r = drain(fd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_watch(struct opening *o, int fd, const struct m_inotify_watch *watch,
		     struct jsnap_error *err)
{
	const char *path = manifest_str(o->m, watch->path);
	/* The path is what is watched itself; the flag also makes a mask without events valid. */
	int wd = inotify_add_watch(fd, path, watch->mask | IN_DONT_FOLLOW);

	if (wd < 0) {
		error_errno(err, "watch %s again", path);
		if (errno == ENOSPC)
			error_hint(err, "raise fs.inotify.max_user_watches");
		return -err->code;
	}
	if ((uint32_t)wd != watch->wd)
		return error_set(err, ENOTSUP, "%s gets watch number %d, not %u", path, wd,
				 watch->wd);
	return 0;
}

int open_inotify_watches(struct opening *o, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < o->m->n_inotify_watches;) {
		uint32_t file = o->m->inotify_watches[i].file, next = 1;
		bool passed = false;
		int r = 0;

		for (; i < o->m->n_inotify_watches && o->m->inotify_watches[i].file == file; i++) {
			const struct m_inotify_watch *watch = &o->m->inotify_watches[i];

			passed = passed || watch->wd > next;
			if (watch->wd > next)
				r = pass_numbers(o->files[file], next, watch->wd, err);
			if (r == 0)
				r = add_watch(o, o->files[file], watch, err);
			if (r < 0)
				return r;
			next = watch->wd + 1;
		}
		r = passed ? drain(o->files[file], err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
