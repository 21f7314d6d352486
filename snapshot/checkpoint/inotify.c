/*
 * inotify watches: number, mask, and a name for what is watched, which the kernel does not keep.
 *
 * The numbers come from fdinfo (fs/notify/fdinfo.c). Names are looked for in and below the working
 * folder, the root, the mount points of the file systems that are watched, and the folders of what
 * is open and mapped. An inode that has lost its name cannot be watched again, and is refused.
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "checkpoint/find_inode.h"
#include "proc/fdinfo.h"

#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define MOUNTS_MAX 65536 /* lines of mountinfo that are looked at */

/* What add_watch takes of what fdinfo shows: kernels before 5.19 show bits of their own. */
#define MASK_KEPT (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)

struct watch_at { /* a record of the manifest and what it watches */
	uint64_t dev, inode;
	uint32_t record;
	int fd;
};

struct watches {
	struct watch_at *all;
	size_t count;
};

static void watches_free(struct watches *w)
{
	free(w->all);
}

static int compare_wd(const void *a, const void *b)
{
	const struct fdinfo_inotify_watch *x = a, *y = b;

	return (x->wd > y->wd) - (x->wd < y->wd);
}

static int refuse_unread(struct capture *c, int fd, struct jsnap_error *err)
{
	int unread = 0;
	int r = capture_call_out(c, &unread, sizeof(unread), err, "FIONREAD", SYS_ioctl,
				 REMOTE_ARGS((uint64_t)fd, FIONREAD, CAPTURE_OUT));

	if (r < 0 || !unread)
		return r;
	error_set(err, ENOTSUP, "fd %d (anon_inode:inotify) has unread events, %d bytes of them",
		  fd, unread);
	return error_hint(err, "they are not carried; let the program read them before the "
			       "checkpoint");
}

static int add_watch(struct capture *c, struct watches *w, uint32_t file, int fd,
		     const struct fdinfo_inotify_watch *from, struct jsnap_error *err)
{
	struct m_inotify_watch *watch;

	if (from->wd < 1 || from->wd > MANIFEST_WD_MAX) {
		error_set(err, ENOTSUP, "fd %d (anon_inode:inotify) has given out watch number %d",
			  fd, from->wd);
		return error_hint(err, "numbers up to %d are carried", MANIFEST_WD_MAX);
	}
	watch = MANIFEST_ADD(c->m, inotify_watches);
	if (!watch)
		return error_set(err, ENOMEM, "too many inotify watches");
	*watch = (struct m_inotify_watch){
		.file = file, .wd = (uint32_t)from->wd, .mask = from->mask & MASK_KEPT};
	w->all[w->count++] = (struct watch_at){.dev = from->dev,
					       .inode = from->inode,
					       .record = c->m->n_inotify_watches - 1,
					       .fd = fd};
	return 0;
}

static int collect_file(struct capture *c, struct watches *w, uint32_t file, int fd,
			struct jsnap_error *err)
{
	CLEANUP_FDINFO struct fdinfo info = {0};
	struct watch_at *grown;
	int r = refuse_unread(c, fd, err);

	if (r == 0)
		r = fdinfo_read(c->options->pid, fd, &info, err);
	if (r < 0 || !info.n_inotify)
		return r;
	grown = reallocarray(w->all, w->count + info.n_inotify, sizeof(*grown));
	if (!grown)
		return error_set(err, ENOMEM, "out of memory");
	w->all = grown;
	qsort(info.inotify, info.n_inotify, sizeof(*info.inotify), compare_wd);
	for (size_t i = 0; r == 0 && i < info.n_inotify; i++)
		r = add_watch(c, w, file, fd, &info.inotify[i], err);
	return r;
}

/* By file record, so that the manifest's records are in order. */
static int collect(struct capture *c, struct watches *w, struct jsnap_error *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m->n_files; i++) {
		if (c->m->files[i].kind != M_FILE_INOTIFY)
			continue;
		for (uint32_t j = 0; j < c->m->n_fds; j++)
			if (c->m->fds[j].file == i) {
				r = collect_file(c, w, i, (int)c->m->fds[j].fd, err);
				break;
			}
	}
	return r;
}

/* "\040" for a space and the like (proc_pid_mountinfo(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		unsigned int code;

		if (*p == '\\' && sscanf(p, "\\%3o", &code) == 1 && code < 256) {
			*to++ = (char)code;
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

static int add_mounts(struct capture *c, struct find *f, struct jsnap_error *err)
{
	char path[64], point[PATH_MAX];
	CLEANUP_FREE char *line = NULL;
	CLEANUP_FCLOSE FILE *file = NULL;
	size_t size = 0;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", c->options->pid);
	file = fopen(path, "re");
	for (int n = 0; file && r == 0 && n < MOUNTS_MAX && getline(&line, &size, file) > 0; n++) {
		unsigned int high, low;

		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &high, &low, point) != 3)
			continue;
		unescape(point);
		for (size_t i = 0; i < f->n_wanted; i++)
			if (f->wanted[i].dev == makedev(high, low)) {
				r = find_place(f, point, err);
				break;
			}
	}
	return r;
}

static int add_link(struct capture *c, struct find *f, const char *leaf, struct jsnap_error *err)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", c->options->pid, leaf);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return error_errno(err, "read %s", path);
	target[n] = '\0';
	return find_place(f, target, err);
}

static int search(struct capture *c, struct find *f, struct jsnap_error *err)
{
	const char *last = "";
	int r = add_link(c, f, "cwd", err);

	if (r == 0)
		r = add_link(c, f, "root", err);
	if (r == 0)
		r = add_mounts(c, f, err);
	for (uint32_t i = 0; r == 0 && i < c->m->n_backings; i++)
		r = find_place(f, manifest_str(c->m, c->m->backings[i].path), err);
	for (size_t i = 0; r == 0 && i < c->maps.count; i++) {
		const char *name = c->maps.entries[i].name;

		if (name[0] == '/' && strcmp(name, last) != 0)
			r = find_place(f, name, err);
		last = name;
	}
	return r == 0 ? find_below(f, err) : r;
}

static int name_watch(struct capture *c, const struct watch_at *watch, const char *path,
		      struct jsnap_error *err)
{
	struct m_inotify_watch *record = &c->m->inotify_watches[watch->record];
	int r;

	if (!path) {
		error_set(err, ENOTSUP,
			  "fd %d (anon_inode:inotify) watches inode %llu of device %u:%u (watch "
			  "%u), for which no name was found",
			  watch->fd, (unsigned long long)watch->inode, major(watch->dev),
			  minor(watch->dev), record->wd);
		return error_hint(err, "names are looked for below the working folder and the "
				       "folders of open files: start the program above what it "
				       "watches, or let it remove the watch");
	}
	r = manifest_string(c->m, path, &record->path);
	return r < 0 ? error_set(err, -r, "out of memory") : 0;
}

int capture_inotify(struct capture *c, struct jsnap_error *err)
{
	__attribute__((cleanup(watches_free))) struct watches w = {0};
	CLEANUP_FREE struct find_wanted *wanted = NULL;
	CLEANUP_FIND struct find f = {0};
	int r = collect(c, &w, err);

	if (r < 0 || !w.count)
		return r;
	wanted = calloc(w.count, sizeof(*wanted));
	if (!wanted)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < w.count; i++)
		wanted[i] = (struct find_wanted){.dev = w.all[i].dev, .inode = w.all[i].inode};
	r = find_begin(&f, wanted, w.count, err);
	if (r == 0)
		r = search(c, &f, err);
	for (size_t i = 0; r == 0 && i < w.count; i++)
		r = name_watch(c, &w.all[i], find_path(&f, w.all[i].dev, w.all[i].inode), err);
	for (size_t i = 0; i < w.count; i++)
		free(wanted[i].path);
	return r;
}
