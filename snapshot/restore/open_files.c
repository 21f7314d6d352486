/* See open_files.h. */
#include "restore/open_files.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "restore/tids.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t) /* linux/timerfd.h */
#endif

int opening_lift(const struct opening *o, int fd)
{
	int high;

	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, o->first_temporary);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

/* The file under its name, for that is what /proc tells of an open one; another one by now: `fd`.
 */
static int by_name(int fd, const char *path, int flags)
{
	int named = open(path, (flags & ~O_ACCMODE) | O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat own, other;

	if (named < 0)
		return fd;
	if (fstat(fd, &own) < 0 || fstat(named, &other) < 0 || own.st_ino != other.st_ino) {
		close(named);
		return fd;
	}
	close(fd);
	return named;
}

/*
 * It has its name when it is whole: of a restore that is killed nothing stays that would be taken
 * for another file by the next. -EOPNOTSUPP, without an error: the file system makes no files
 * without a name (O_TMPFILE, open(2)).
 */
static int make_whole(struct opening *o, const struct m_backing *backing, const char *folder,
		      int flags, struct jsnap_error *err)
{
	const char *path = manifest_str(o->m, backing->path);
	CLEANUP_CLOSE int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, backing->mode & 0777);
	char self[64];
	int r;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return -EOPNOTSUPP;
	if (fd < 0)
		return error_errno(err, "make %s again", path);
	r = opening_fill(o, &o->m->objects[backing->content_object], fd, err);
	if (r < 0)
		return r;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
		return error_errno(err, "make %s again", path);
	return by_name(steal_fd(&fd), path, flags);
}

static int make_again(struct opening *o, const struct m_backing *backing, int flags,
		      struct jsnap_error *err)
{
	const char *path = manifest_str(o->m, backing->path), *parent;
	char folder[4096];
	int fd, r = 0;

	snprintf(folder, sizeof(folder), "%s", path);
	parent = dirname(folder);
	mkdir(parent, 0755);
	if (backing->content_object != MANIFEST_NONE) {
		fd = make_whole(o, backing, parent, flags, err);
		if (fd != -EOPNOTSUPP)
			return fd;
	}
	fd = open(path, (flags & ~O_ACCMODE) | O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  backing->mode & 0777);
	if (fd < 0)
		return error_errno(err, "make %s again", path);
	if (backing->content_object != MANIFEST_NONE)
		r = opening_fill(o, &o->m->objects[backing->content_object], fd, err);
	if (r < 0) {
		close(fd);
		unlink(path);
		return r;
	}
	return fd;
}

/* Whether one that is kept with its contents is missing, or another by now. */
static bool is_another(const struct opening *o, const struct m_backing *backing)
{
	struct stat st;

	if (!(backing->uses & M_BACKING_KEEP) || backing->content_object == MANIFEST_NONE)
		return false;
	if (lstat(manifest_str(o->m, backing->path), &st) < 0)
		return errno == ENOENT;
	return S_ISREG(st.st_mode) && ((uint64_t)st.st_size != backing->size ||
				       file_time_ns(st.st_mtim) != backing->mtime_ns);
}

/*
 * The other one goes when this one is whole, not before; who has it open keeps it. With its time of
 * then the file is the same one for whatever opens it next.
 */
static int replace(struct opening *o, const struct m_backing *backing, int flags,
		   struct jsnap_error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
					  {.tv_sec = backing->mtime_ns / 1000000000,
					   .tv_nsec = backing->mtime_ns % 1000000000}};
	const char *path = manifest_str(o->m, backing->path), *parent;
	char folder[4096], temporary[sizeof(folder) + 16];
	CLEANUP_CLOSE int contents = -1, fd = -1;
	int r;

	snprintf(folder, sizeof(folder), "%s", path);
	parent = dirname(folder);
	mkdir(parent, 0755);
	snprintf(temporary, sizeof(temporary), "%s/.jsnap-XXXXXX", parent);
	contents = mkostemp(temporary, O_CLOEXEC);
	if (contents < 0)
		return error_errno(err, "make %s again", path);
	r = opening_fill(o, &o->m->objects[backing->content_object], contents, err);
	if (r == 0)
		fd = open(temporary, (flags & ~O_CREAT) | O_CLOEXEC);
	if (r == 0 && (fd < 0 || fchmod(contents, backing->mode & 0777) < 0 ||
		       futimens(contents, times) < 0 || rename(temporary, path) < 0))
		r = error_errno(err, "make %s again", path);
	if (r == 0)
		return steal_fd(&fd);
	unlink(temporary);
	return r;
}

/* A file that is memory in all but name, where there is no place for files (a read-only root):
 * memory without the name does as well. */
static bool no_place(const struct m_backing *backing)
{
	const uint32_t memory = M_BACKING_MAPPED_WRITABLE;

	return backing->content_object != MANIFEST_NONE && S_ISREG(backing->mode) &&
	       (backing->uses & (memory | M_BACKING_KEEP)) == memory &&
	       (errno == EROFS || errno == EACCES || errno == EPERM || errno == ENOSPC ||
		errno == ENOENT);
}

int open_backing(struct opening *o, uint32_t index, int flags, struct jsnap_error *err)
{
	const struct m_backing *backing = &o->m->backings[index];
	const char *path = manifest_str(o->m, backing->path);
	int fd;

	if (is_another(o, backing)) {
		fd = replace(o, backing, flags, err);
		if (fd < 0)
			return fd;
	} else {
		fd = open(path, (flags & ~O_CREAT) | O_CLOEXEC | O_NOCTTY);
	}
	if (fd < 0 && errno == ENOENT && S_ISREG(backing->mode) &&
	    (backing->content_object != MANIFEST_NONE || (flags & O_CREAT)))
		fd = make_again(o, backing, flags, err);
	else if (fd < 0)
		error_errno(err, "open %s", path);
	if (fd < 0 && no_place(backing))
		return opening_stand_in(o, backing->content_object, err);
	if (fd < 0)
		return -err->code;
	fd = opening_lift(o, fd);
	return fd < 0 ? error_set(err, -fd, "move a descriptor: %s", strerror(-fd)) : fd;
}

static bool in_packet_mode(const struct opening *o, const struct m_file *file)
{
	for (uint32_t i = 0; i < o->m->n_files; i++)
		if (o->m->files[i].kind == M_FILE_PIPE &&
		    o->m->files[i].value[0] == file->value[0] && (o->m->files[i].flags & O_DIRECT))
			return true;
	return false;
}

static int fill_pipe(struct opening *o, int write_end, const struct m_file *file,
		     struct jsnap_error *err)
{
	const unsigned char *p = manifest_bytes(o->m, file->data);
	const unsigned char *end = p + file->data.size;

	if (file->value[1])
		fcntl(write_end, F_SETPIPE_SZ, (int)file->value[1]);
	if (file->data.size) /* one that is too small now is an error, not a wait */
		fcntl(write_end, F_SETFL, O_NONBLOCK | (in_packet_mode(o, file) ? O_DIRECT : 0));
	while ((size_t)(end - p) > sizeof(uint32_t)) {
		uint32_t size;
		int r;

		memcpy(&size, p, sizeof(size));
		p += sizeof(size);
		if (size > (size_t)(end - p))
			return error_set(err, EBADMSG, "a pipe's contents are cut short");
		r = write_full(write_end, p, size);
		if (r < 0)
			return error_set(err, -r, "refill a pipe: %s", strerror(-r));
		p += size;
		p += (size_t)(end - p) < (-size & 3u) ? (size_t)(end - p) : (-size & 3u);
	}
	return 0;
}

/* A FIFO's end opens without its other end, and gets back what was unread. */
static int open_fifo(struct opening *o, const struct m_file *file, struct jsnap_error *err)
{
	int both = open_backing(o, file->target, O_RDWR | O_NONBLOCK, err);
	int fd, r = 0;

	if (both < 0)
		return both;
	fd = open_backing(o, file->target, (int)(file->flags & O_ACCMODE) | O_NONBLOCK, err);
	if (fd >= 0)
		r = fill_pipe(o, both, file, err);
	if (fd >= 0 && r == 0)
		fcntl(fd, F_SETFL, file->flags & (O_NONBLOCK | O_DIRECT | O_APPEND));
	/* Stays open above the target's numbers, so that ends opened later find their other end. */
	return r < 0 ? r : fd;
}

static bool made_again(const struct manifest *m, const struct m_file *file)
{
	return (file->flags & O_ACCMODE) != O_RDONLY &&
	       (manifest_file_is_log(m, file) ||
		(m->backings[file->target].uses & M_BACKING_REOPEN));
}

static int open_path(struct opening *o, const struct m_file *file, struct jsnap_error *err)
{
	const int keep = O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT | O_DIRECTORY | O_NOFOLLOW |
			 O_NOATIME | O_PATH | O_SYNC | O_DSYNC | O_LARGEFILE;
	const struct m_backing *backing = &o->m->backings[file->target];
	off_t pos = (off_t)file->pos;
	int fd;

	if (S_ISFIFO(backing->mode) && !(file->flags & O_PATH))
		return open_fifo(o, file, err);
	fd = open_backing(o, file->target,
			  ((int)file->flags & keep) | (made_again(o->m, file) ? O_CREAT : 0), err);
	if (fd < 0 || !(S_ISREG(backing->mode) || (S_ISDIR(backing->mode) && pos)) ||
	    (file->flags & O_PATH))
		return fd;
	/* A log that was written at its end goes on at its end, wherever that is by now. */
	if (manifest_file_is_log(o->m, file))
		pos = lseek(fd, 0, SEEK_END);
	if (lseek(fd, pos, SEEK_SET) < 0) {
		error_errno(err, "seek in %s", manifest_str(o->m, backing->path));
		close(fd);
		return -err->code;
	}
	return fd;
}

/* Another description of an object: its own offset and flags. */
static int open_object_again(struct opening *o, const struct m_file *file, struct jsnap_error *err)
{
	const int keep = O_ACCMODE | O_APPEND | O_NONBLOCK | O_LARGEFILE | O_NOATIME | O_PATH |
			 O_SYNC | O_DSYNC;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", o->objects[file->target]);
	fd = open(path, ((int)file->flags & keep) | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open a restored memory file again");
	if (!(file->flags & O_PATH) && lseek(fd, (off_t)file->pos, SEEK_SET) < 0) {
		close(fd);
		return error_errno(err, "seek in a restored memory file");
	}
	return opening_lift(o, fd);
}

/* Makes one pipe and gives its ends to every description of it. */
static int open_pipe(struct opening *o, uint32_t index, struct jsnap_error *err)
{
	uint64_t inode = o->m->files[index].value[0];
	int ends[2], r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	ends[0] = opening_lift(o, ends[0]);
	ends[1] = opening_lift(o, ends[1]);
	if (ends[0] < 0 || ends[1] < 0)
		return error_set(err, EMFILE, "no descriptor left for a pipe");
	for (uint32_t i = index; r == 0 && i < o->m->n_files; i++) {
		const struct m_file *file = &o->m->files[i];
		char path[64];
		int mode = (int)(file->flags & O_ACCMODE), fd;

		if (file->kind != M_FILE_PIPE || file->value[0] != inode)
			continue;
		if (mode != O_WRONLY && o->files[i] < 0)
			r = fill_pipe(o, ends[1], file, err);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[mode == O_RDONLY ? 0 : 1]);
		fd = open(path, mode | O_CLOEXEC);
		if (fd >= 0 && (file->flags & (O_NONBLOCK | O_DIRECT)))
			fcntl(fd, F_SETFL, file->flags & (O_NONBLOCK | O_DIRECT));
		o->files[i] = opening_lift(o, fd);
		if (o->files[i] < 0)
			r = error_set(err, EMFILE, "open a pipe's end again");
	}
	close(ends[0]);
	close(ends[1]);
	return r;
}

static int open_timerfd(const struct m_file *file, uint64_t realtime_ns)
{
	const uint64_t second = 1000000000u;
	struct itimerspec value = {
		.it_value = {(time_t)(file->value[2] / second), (long)(file->value[2] % second)},
		.it_interval = {(time_t)(file->value[3] / second),
				(long)(file->value[3] % second)}};
	int fd = timerfd_create((int)file->value[0], TFD_CLOEXEC), flags = 0;

	/* A time of the wall clock stays that, and may ask to be told when the clock is set. */
	if (file->value[0] == CLOCK_REALTIME && (file->value[1] & TFD_TIMER_ABSTIME) &&
	    file->value[2]) {
		uint64_t at = realtime_ns + file->value[2];

		flags = (int)file->value[1] & (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
		value.it_value = (struct timespec){(time_t)(at / second), (long)(at % second)};
	}
	if (fd >= 0 && (value.it_value.tv_sec || value.it_value.tv_nsec))
		timerfd_settime(fd, flags, &value, NULL);
	if (fd < 0 || !file->value[4] || ioctl(fd, TFD_IOC_SET_TICKS, &file->value[4]) == 0)
		return fd;
	/* A kernel without CONFIG_CHECKPOINT_RESTORE: made readable by expiring at once. */
	value.it_value = (struct timespec){.tv_nsec = 1};
	timerfd_settime(fd, 0, &value, NULL);
	return fd;
}

static int open_inherited(struct opening *o, const struct m_file *file, struct jsnap_error *err)
{
	const char *slot = manifest_str(o->m, file->name);
	const struct restore_options *options = o->plan->options;

	for (size_t i = 0; i < options->n_inherits; i++)
		if (strcmp(options->inherits[i].slot, slot) == 0) {
			int fd =
				fcntl(options->inherits[i].fd, F_DUPFD_CLOEXEC, o->first_temporary);

			if (fd < 0 && errno == EBADF)
				return -ENOENT; /* the caller has it closed: so will the target */
			return fd < 0 ? error_errno(err, "take over %s", slot) : fd;
		}
	return -ENOENT;
}

static int open_file(struct opening *o, uint32_t index, struct jsnap_error *err)
{
	const struct m_file *file = &o->m->files[index];
	sigset_t mask;
	int fd = -1;

	switch (file->kind) {
	case M_FILE_INHERIT:
		return open_inherited(o, file, err);
	case M_FILE_PATH:
		return open_path(o, file, err);
	case M_FILE_OBJECT:
		return open_object_again(o, file, err);
	case M_FILE_SOCKET:
		return open_socket(o, file->target, file->flags, err);
	case M_FILE_EVENTFD:
		fd = eventfd(0, EFD_CLOEXEC | (file->value[1] ? EFD_SEMAPHORE : 0));
		if (fd >= 0 && file->value[0] &&
		    write(fd, &file->value[0], sizeof(uint64_t)) != sizeof(uint64_t))
			return error_errno(err, "set an eventfd's count");
		break;
	case M_FILE_TIMERFD:
		fd = open_timerfd(file, o->m->process->realtime_ns);
		break;
	case M_FILE_SIGNALFD:
		sigemptyset(&mask);
		for (int signo = 1; signo <= 64; signo++)
			if (file->value[0] & (1ull << (signo - 1)))
				sigaddset(&mask, signo);
		fd = signalfd(-1, &mask, SFD_CLOEXEC);
		break;
	case M_FILE_EPOLL:
		fd = epoll_create1(EPOLL_CLOEXEC);
		if (fd >= 0 && file->value[0] && ioctl(fd, M_EPOLL_SET_PARAMS, &file->value[0]) < 0)
			return error_errno(err, "set an epoll set's busy polling (EPIOCSPARAMS)");
		break;
	case M_FILE_INOTIFY:
		fd = inotify_init1(IN_CLOEXEC);
		break;
	case M_FILE_CLOSED: /* open(2): every use but a few harmless ones of O_PATH is EBADF */
		fd = open("/", O_PATH | O_CLOEXEC);
		break;
	case M_FILE_PIDFD_SELF:
		/* O_EXCL is PIDFD_THREAD: of the main thread alone. */
		fd = (int)syscall(SYS_pidfd_open, getpid(), file->flags & O_EXCL);
		break;
	default:
		return error_set(err, EBADMSG, "file %u is of unknown kind %u", index, file->kind);
	}
	if (fd < 0)
		return error_errno(err, "make file %u of kind %u", index, file->kind);
	if (file->flags & O_NONBLOCK)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return opening_lift(o, fd);
}

static int open_files(struct opening *o, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < o->m->n_files; i++) {
		int r;

		if (o->files[i] >= 0)
			continue;
		if (o->m->files[i].kind == M_FILE_PIPE) {
			r = open_pipe(o, i, err);
			if (r < 0)
				return r;
			continue;
		}
		o->files[i] = open_file(o, i, err);
		if (o->files[i] == -ENOENT && o->m->files[i].kind == M_FILE_INHERIT)
			continue;
		if (o->files[i] < 0)
			return o->files[i];
	}
	return 0;
}

static int place_files(struct opening *o, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < o->m->n_fds; i++) {
		const struct m_fd *fd = &o->m->fds[i];

		if (o->files[fd->file] < 0)
			continue;
		if (dup3(o->files[fd->file], (int)fd->fd, fd->flags & FD_CLOEXEC ? O_CLOEXEC : 0) <
		    0)
			return error_errno(err, "put a descriptor at %u", fd->fd);
	}
	return 0;
}

/*
 * A set keeps watching a description after its number was closed, under that number. Such targets
 * are added before the target's own descriptors are in place.
 */
static bool number_moved(const struct opening *o, const struct m_epoll_target *target)
{
	return manifest_file_of_fd(o->m, target->fd) != target->target_file;
}

static int fill_moved_epolls(struct opening *o, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < o->m->n_epoll_targets; i++) {
		const struct m_epoll_target *target = &o->m->epoll_targets[i];
		struct epoll_event event = {.events = target->events, .data.u64 = target->data};

		if (!number_moved(o, target) ||
		    o->m->files[target->target_file].kind == M_FILE_CLOSED)
			continue;
		if (dup3(o->files[target->target_file], (int)target->fd, O_CLOEXEC) < 0 ||
		    epoll_ctl(o->files[target->file], EPOLL_CTL_ADD, (int)target->fd, &event) < 0)
			return error_errno(err, "watch what was fd %u again", target->fd);
		close((int)target->fd);
	}
	return 0;
}

/* Sets watch descriptors by number, so they need the target's numbers to be in place. */
static int fill_epolls(struct opening *o, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < o->m->n_epoll_targets; i++) {
		const struct m_epoll_target *target = &o->m->epoll_targets[i];
		struct epoll_event event = {.events = target->events, .data.u64 = target->data};

		if (number_moved(o, target) ||
		    o->m->files[target->target_file].kind == M_FILE_CLOSED)
			continue;
		if (plan_door(o->plan, target))
			event.events = RST_SHUT;
		if (epoll_ctl(o->files[target->file], EPOLL_CTL_ADD, (int)target->fd, &event) == 0)
			continue;
		/* A stream of the caller's may be a file, which is always ready and never watched.
		 */
		if (errno == EPERM && o->m->files[target->target_file].kind == M_FILE_INHERIT)
			continue;
		return error_errno(err, "watch fd %u again", target->fd);
	}
	return 0;
}

static int place(int from, int number, struct jsnap_error *err)
{
	if (dup3(from, number, O_CLOEXEC) < 0)
		return error_errno(err, "put a descriptor at %d", number);
	return 0;
}

static int place_last_pid(const struct plan *plan, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = -1;
	int r = seek_open_last_pid(&fd, err);

	return r < 0 ? r : place(fd, plan->last_pid_fd, err);
}

/* What fd is open on, for reading alone, as number; -1: it is not needed. */
static int place_read_only(int fd, int number, struct jsnap_error *err)
{
	CLEANUP_CLOSE int again = -1;
	char path[64];

	if (number < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (again < 0)
		return error_errno(err, "open what is mapped for reading alone");
	return place(again, number, err);
}

/* Descriptors that the restorer maps from, at the numbers the plan has for them. */
static int place_engine_fds(struct opening *o, struct jsnap_error *err)
{
	const struct plan *plan = o->plan;
	int r = place(o->stream_fd, plan->stream_fd, err);

	for (uint32_t i = 0; r == 0 && i < o->m->n_backings; i++) {
		uint32_t uses = o->m->backings[i].uses;
		int fd;

		if (plan->backing_fds[i] < 0)
			continue;
		fd = open_backing(o, i, uses & M_BACKING_MAPPED_WRITABLE ? O_RDWR : O_RDONLY, err);
		if (fd < 0)
			return fd;
		r = place(fd, plan->backing_fds[i], err);
		close(fd);
	}
	for (uint32_t i = 0; r == 0 && i < o->m->n_objects; i++)
		if (o->objects[i] >= 0 && plan->object_fds[i] >= 0)
			r = place(o->objects[i], plan->object_fds[i], err);
	for (uint32_t i = 0; r == 0 && i < o->m->n_backings; i++)
		r = place_read_only(plan->backing_fds[i], plan->backing_ro_fds[i], err);
	for (uint32_t i = 0; r == 0 && i < o->m->n_objects; i++)
		r = place_read_only(plan->object_fds[i], plan->object_ro_fds[i], err);
	if (r == 0 && plan->sets_last_pid)
		r = place_last_pid(plan, err);
	if (r == 0 && plan->exe_fd >= 0) {
		uint32_t exe = o->m->process->exe_backing;
		int fd = opening_lift(o, open(manifest_str(o->m, o->m->backings[exe].path),
					      O_RDONLY | O_CLOEXEC));

		/* Only the link /proc/PID/exe depends on it. */
		if (fd >= 0)
			place(fd, plan->exe_fd, NULL);
	}
	return r;
}

/* A working folder that had been removed is one without a name again: "/gone (deleted)". */
static int enter_removed(const char *cwd)
{
	const char *end = strstr(cwd, " (deleted)");
	char path[] = "/tmp/jsnap-gone-XXXXXX";
	int saved = errno;

	if (!end || strcmp(end, " (deleted)") != 0 || !mkdtemp(path)) {
		errno = saved;
		return -1;
	}
	if (chdir(path) < 0) {
		saved = errno;
		rmdir(path);
		errno = saved;
		return -1;
	}
	return rmdir(path);
}

static int set_oom_score_adj(int32_t wanted, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)wanted);

	/* Lowering takes a privilege; the caller's value stands then. */
	if (fd >= 0 && write(fd, text, (size_t)n) < 0 && errno != EACCES)
		return error_errno(err, "set oom_score_adj");
	return 0;
}

static int set_coredump_filter(uint32_t wanted, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%#x", wanted);

	if (fd < 0 || write(fd, text, (size_t)n) < 0)
		return error_errno(err, "set coredump_filter");
	return 0;
}

static int apply_settings(const struct plan *plan, struct jsnap_error *err)
{
	const struct m_process *p = plan->m->process;
	const char *cwd = plan->options->cwd ? plan->options->cwd : manifest_str(plan->m, p->cwd);

	if (chdir(cwd) < 0 && enter_removed(cwd) < 0)
		return error_errno(err, "change to the working folder %s", cwd);
	if (p->umask != MANIFEST_NONE)
		umask(p->umask);
	if (p->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, "set no_new_privs");
	if (p->coredump_filter != MANIFEST_NONE && set_coredump_filter(p->coredump_filter, err) < 0)
		return -err->code;
	return p->oom_score_adj == M_OOM_AS_RESTORER ? 0 : set_oom_score_adj(p->oom_score_adj, err);
}

/*
 * By the raw calls: glibc's wrappers leave their own flags, and neither block nor touch the two
 * signals it uses. One of them is that of timers which notify by a thread (SIGEV_THREAD).
 */
static void reset_signals(void)
{
	const uint64_t none[4] = {0}, all = UINT64_MAX;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	for (int signo = 1; signo <= 64; signo++)
		syscall(SYS_rt_sigaction, signo, none, NULL, sizeof(uint64_t));
}

static int *fill_minus_one(size_t count)
{
	int *array = malloc((count + 1) * sizeof(*array));

	for (size_t i = 0; array && i < count; i++)
		array[i] = -1;
	return array;
}

int open_everything(const struct plan *plan, int *status_fd, struct jsnap_error *err)
{
	struct opening o = {.plan = plan, .m = plan->m};
	struct rlimit limit = {0};
	int r;

	o.first_temporary = plan->status_fd + 1;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	reset_signals();
	o.files = fill_minus_one(plan->m->n_files);
	o.objects = fill_minus_one(plan->m->n_objects);
	o.sockets = fill_minus_one(plan->m->n_sockets);
	if (!o.files || !o.objects || !o.sockets)
		return error_set(err, ENOMEM, "out of memory");
	open_tcp_begin(plan->m, &o.tcp);
	o.status_fd = fcntl(*status_fd, F_DUPFD_CLOEXEC, o.first_temporary);
	if (o.status_fd < 0) {
		error_set(err, errno, "the snapshot needs descriptors up to %d, the limit is %llu",
			  o.first_temporary, (unsigned long long)limit.rlim_cur);
		return error_hint(err, "raise it (ulimit -n)");
	}
	*status_fd = o.status_fd;
	o.stream_fd = fcntl(plan->options->stream_fd, F_DUPFD_CLOEXEC, o.first_temporary);
	if (o.stream_fd < 0)
		return error_errno(err, "move the page stream's descriptor");
	/* What the caller gives is lifted first; all else of the launcher must not leak. */
	for (uint32_t i = 0; i < o.m->n_files; i++)
		if (o.m->files[i].kind == M_FILE_INHERIT)
			o.files[i] = open_inherited(&o, &o.m->files[i], err);
	if (syscall(SYS_close_range, 0, o.first_temporary - 1, 0) < 0)
		return error_errno(err, "close the launcher's descriptors");
	r = open_objects(&o, err);
	if (r == 0)
		r = open_named_pairs(&o, err);
	if (r == 0)
		r = open_files(&o, err);
	open_tcp_end(&o.tcp);
	if (r == 0)
		r = fill_moved_epolls(&o, err);
	if (r == 0)
		r = place_files(&o, err);
	if (r == 0)
		r = fill_epolls(&o, err);
	if (r == 0)
		r = place_engine_fds(&o, err);
	if (r == 0)
		r = open_inotify_watches(&o, err);
	if (r == 0)
		r = apply_settings(plan, err);
	if (r == 0)
		r = place(o.status_fd, plan->status_fd, err);
	return r;
}
