/*
 * Open file descriptions and the descriptors that share them. What an fd is comes from its link in
 * /proc/PID/fd, its stat and its fdinfo; which fds share a description from kcmp(2).
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/fdinfo.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

#define LINK_MAX_SIZE 4200
#define CONTENTS_MAX  (64 << 20)
#define PIPE_MAX      (1u << 20) /* bytes of unread data in one pipe, /proc/sys/fs/pipe-max-size */

struct open_file { /* one descriptor while it is looked at */
	int fd;
	char link[LINK_MAX_SIZE];
	struct stat st;
	struct fdinfo info;
};

static int refuse_fd(const struct open_file *f, struct jsnap_error *err, const char *why)
{
	return error_set(err, ENOTSUP, "fd %d (%s) %s", f->fd, f->link, why);
}

int capture_backing(struct capture *c, const char *path, const struct stat *st, uint32_t use,
		    uint32_t *ret_index, struct jsnap_error *err)
{
	struct m_backing *backing;
	int r;

	for (uint32_t i = 0; i < c->m->n_backings; i++) {
		backing = &c->m->backings[i];
		if (backing->inode == st->st_ino && backing->dev == st->st_dev &&
		    strcmp(manifest_str(c->m, backing->path), path) == 0) {
			backing->uses |= use;
			*ret_index = i;
			return 0;
		}
	}
	backing = MANIFEST_ADD(c->m, backings);
	if (!backing)
		return error_set(err, ENOMEM, "too many files");
	r = manifest_string(c->m, path, &backing->path);
	if (r < 0)
		return error_set(err, -r, "out of memory");
	backing->mode = st->st_mode;
	backing->dev = st->st_dev;
	backing->inode = st->st_ino;
	backing->rdev = st->st_rdev;
	backing->size = (uint64_t)st->st_size;
	backing->mtime_ns = file_time_ns(st->st_mtim);
	backing->uses = use;
	backing->content_object = MANIFEST_NONE;
	*ret_index = c->m->n_backings - 1;
	return 0;
}

static int open_target_fd(struct capture *c, const struct open_file *f, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", c->options->pid, f->fd);
	return open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static int look(struct capture *c, int fd, struct open_file *f, struct jsnap_error *err)
{
	char path[64];
	ssize_t n;

	f->fd = fd;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", c->options->pid, fd);
	n = readlink(path, f->link, sizeof(f->link) - 1);
	if (n < 0 || stat(path, &f->st) < 0)
		return error_errno(err, "look at %s", path);
	f->link[n] = '\0';
	return fdinfo_read(c->options->pid, fd, &f->info, err);
}

/* Whether two descriptors share one description. Where kcmp is filtered, sockets and pipes still
 * tell by their inode; other files are then taken for separate ones. */
static bool same_description(struct capture *c, const struct open_file *f, uint32_t index)
{
	const struct m_fd *other = &c->m->fds[index];
	const struct m_file *file = &c->m->files[other->file];
	long r;

	if (file->flags != (f->info.flags & ~(uint32_t)O_CLOEXEC) || file->pos != f->info.pos)
		return false;
	/* A socket cannot be opened a second time; thousands need not be compared in pairs. */
	if (S_ISSOCK(f->st.st_mode) && file->kind != M_FILE_INHERIT)
		return file->value[0] == f->st.st_ino &&
		       (file->kind == M_FILE_SOCKET || file->kind == M_FILE_CLOSED);
	if (file->kind == M_FILE_SOCKET)
		return false;
	r = syscall(SYS_kcmp, c->options->pid, c->options->pid, KCMP_FILE, (unsigned long)f->fd,
		    (unsigned long)other->fd);
	return r == 0;
}

/* Which kind of file system holds it: the magic number of statfs(2); 0 when not known. */
static uint32_t file_system(struct capture *c, const struct open_file *f)
{
	struct statfs fs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", c->options->pid, f->fd);
	return statfs(path, &fs) < 0 ? 0 : (uint32_t)fs.f_type;
}

/* Regular files by their mode whose contents are no file's. */
static int refuse_strange(struct capture *c, const struct open_file *f, struct jsnap_error *err)
{
	static const struct {
		uint32_t magic; /* linux/magic.h, ipc/mqueue.c, mm/secretmem.c */
		const char *why;
	} STRANGE[] = {{0x19800202, "is a POSIX message queue, which is not carried"},
		       {0x958458f6, "is in hugetlb pages, which are not carried"},
		       {0x5345434d, "is secret memory, which nobody else can read"}};
	uint32_t magic = file_system(c, f);

	for (size_t i = 0; i < ARRAY_SIZE(STRANGE); i++)
		if (magic == STRANGE[i].magic)
			return refuse_fd(f, err, STRANGE[i].why);
	return 0;
}

static int capture_deleted(struct capture *c, const struct open_file *f, struct m_file *file,
			   struct jsnap_error *err)
{
	enum m_object_kind kind = M_OBJECT_DELETED_FILE;
	int r = refuse_strange(c, f, err);
	CLEANUP_CLOSE int fd = r < 0 ? -1 : open_target_fd(c, f, O_RDONLY);

	if (r < 0)
		return r;
	if (fd < 0)
		return error_errno(err, "open deleted fd %d (%s)", f->fd, f->link);
	if (strncmp(f->link, "/memfd:", 7) == 0)
		kind = M_OBJECT_MEMFD;
	else if (strncmp(f->link, "/dev/zero", 9) == 0)
		kind = M_OBJECT_SHARED_ANON;
	file->kind = M_FILE_OBJECT;
	return capture_object(c, f->st.st_dev, f->st.st_ino, kind, f->link,
			      (struct object_source){fd, M_READ_THROUGH_DESCRIPTOR}, &file->target,
			      err);
}

static bool device_carried(dev_t rdev)
{
	if (major(rdev) == 1) /* null, zero, full, random, urandom: drivers/char/mem.c */
		return minor(rdev) == 3 || minor(rdev) == 5 || minor(rdev) == 7 ||
		       minor(rdev) == 8 || minor(rdev) == 9;
	return major(rdev) == 5 && minor(rdev) == 0; /* tty: whichever the caller has */
}

/* Reads a copied pipe empty. Each read gives one packet of a pipe in packet mode, else all. */
static int drain(int in, unsigned char *data, size_t *ret_used, size_t *ret_bytes)
{
	size_t used = 0, bytes = 0;

	for (;;) {
		ssize_t n = read(in, data + used + sizeof(uint32_t), PIPE_MAX);
		uint32_t size = (uint32_t)n;

		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0 || used + (size_t)n > PIPE_MAX)
			return n < 0 ? -errno : -EIO;
		memcpy(data + used, &size, sizeof(size));
		used = (used + sizeof(size) + size + 3) & ~3ull;
		bytes += size;
	}
	*ret_used = used;
	*ret_bytes = bytes;
	return 0;
}

/* Copies what is unread without taking it out of the pipe: u32 length and bytes of each packet. */
static int peek_pipe(struct capture *c, int pipe_fd, struct m_file *file, struct jsnap_error *err)
{
	CLEANUP_CLOSE int in = -1, out = -1;
	CLEANUP_FREE unsigned char *data = NULL;
	size_t used = 0, bytes = 0;
	int ends[2], unread, r;

	if (ioctl(pipe_fd, FIONREAD, &unread) < 0)
		return error_errno(err, "ask how much a pipe holds");
	if (unread == 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, "make a pipe");
	in = ends[0];
	out = ends[1];
	data = calloc(1, 2 * PIPE_MAX + 64);
	if (!data)
		return error_set(err, ENOMEM, "out of memory");
	fcntl(out, F_SETPIPE_SZ, fcntl(pipe_fd, F_GETPIPE_SZ));
	if (tee(pipe_fd, out, PIPE_MAX, SPLICE_F_NONBLOCK) < 0)
		return error_errno(err, "copy what a pipe holds");
	r = drain(in, data, &used, &bytes);
	if (r < 0)
		return error_set(err, -r, "read what a pipe holds: %s", strerror(-r));
	if (bytes != (size_t)unread)
		return error_set(err, ENOTSUP, "a pipe holds %d bytes, of which %zu can be copied",
				 unread, bytes);
	return manifest_blob(c->m, data, used, &file->data);
}

/* Opened again by its name, whatever has it then. */
static int capture_reopened(struct capture *c, const struct open_file *f, struct m_file *file,
			    struct jsnap_error *err)
{
	static const char deleted[] = " (deleted)";
	char path[LINK_MAX_SIZE];
	size_t n;

	snprintf(path, sizeof(path), "%s", f->link);
	n = strlen(path);
	if (f->st.st_nlink == 0 && n > strlen(deleted) &&
	    strcmp(path + n - strlen(deleted), deleted) == 0)
		path[n - strlen(deleted)] = '\0';
	file->kind = M_FILE_PATH;
	return capture_backing(c, path, &f->st, M_BACKING_OPEN | M_BACKING_REOPEN, &file->target,
			       err);
}

/*
 * A file of /proc, which every mount of it shows alike but for its device number. /proc/PID of the
 * process itself is there again when its files are opened, as /proc/self; its threads are not.
 */
static int capture_proc_file(struct capture *c, const struct open_file *f, struct m_file *file,
			     struct jsnap_error *err)
{
	char path[LINK_MAX_SIZE + 16];
	int pid, tid, n, rest = 0;

	n = sscanf(f->link, "/proc/%d%n/task/%d", &pid, &rest, &tid);
	if (n >= 1 && pid != c->ns_pid && pid != c->options->pid)
		return refuse_fd(f, err, "is another process's in /proc, which is not carried");
	if (n == 2 && tid != pid)
		return refuse_fd(f, err, "is a thread's in /proc, which is not carried");
	if (strncmp(f->link, "/proc/pressure/", 15) == 0 && (file->flags & O_ACCMODE) != O_RDONLY)
		return refuse_fd(f, err, "may be a pressure trigger, which is not carried");
	snprintf(path, sizeof(path), "%s%s", n >= 1 ? "/proc/self" : "", f->link + rest);
	file->kind = M_FILE_PATH;
	return capture_backing(c, path, &f->st, M_BACKING_OPEN, &file->target, err);
}

static bool is_terminal(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) >= 136 && major(st->st_rdev) <= 143;
}

/* With what it holds. A large one is not: it is carried as any other file. */
static int keep_contents(struct capture *c, const struct open_file *f, uint32_t index,
			 struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open_target_fd(c, f, O_RDONLY);
	uint32_t object;
	int r;

	if (fd < 0 || f->st.st_size > CONTENTS_MAX ||
	    c->m->backings[index].content_object != MANIFEST_NONE)
		return 0;
	r = capture_object(c, f->st.st_dev, f->st.st_ino, M_OBJECT_DELETED_FILE, f->link,
			   (struct object_source){fd, M_READ_THROUGH_DESCRIPTOR}, &object, err);
	if (r < 0)
		return r;
	c->m->backings[index].content_object = object;
	c->m->backings[index].uses |= M_BACKING_KEEP;
	return 0;
}

static int capture_path(struct capture *c, const struct open_file *f, struct m_file *file,
			struct jsnap_error *err)
{
	struct stat now;
	/* An O_PATH descriptor may be of a link itself. */
	int (*look_at)(const char *, struct stat *) = S_ISLNK(f->st.st_mode) ? lstat : stat;

	if (strncmp(f->link, "/proc/", 6) == 0 && file_system(c, f) == PROC_SUPER_MAGIC)
		return capture_proc_file(c, f, file, err);
	if (is_terminal(&f->st))
		return refuse_fd(f, err,
				 "is a terminal other than those of the standard streams, which is "
				 "not carried");
	if (f->link[0] != '/')
		return refuse_fd(f, err, "is not a file that can be opened again");
	if (S_ISCHR(f->st.st_mode) && !device_carried(f->st.st_rdev))
		return refuse_fd(f, err, "is a device, which is not carried");
	if (S_ISBLK(f->st.st_mode))
		return refuse_fd(f, err, "is a block device, which is not carried");
	if (look_at(f->link, &now) < 0 || now.st_ino != f->st.st_ino ||
	    now.st_dev != f->st.st_dev) {
		/* Other names of it may be used by others, who would not see what we write. */
		if (S_ISREG(f->st.st_mode) && f->st.st_nlink && !refuse_strange(c, f, err) &&
		    (file->flags & O_ACCMODE) != O_RDONLY && !(file->flags & O_PATH))
			return refuse_fd(f, err,
					 "is open for writing and lost this name, but has others; "
					 "that is not carried");
		if (S_ISREG(f->st.st_mode))
			return capture_deleted(c, f, file, err);
		return refuse_fd(f, err, "no longer has this name, and is no regular file");
	}
	file->kind = M_FILE_PATH;
	if (S_ISFIFO(f->st.st_mode) && !(file->flags & O_PATH)) {
		CLEANUP_CLOSE int fd = open_target_fd(c, f, O_RDONLY);
		int r = fd < 0 ? -errno : 0;

		if (r == 0 && (file->flags & O_ACCMODE) != O_WRONLY)
			r = peek_pipe(c, fd, file, err);
		if (r < 0)
			return r;
	}
	return capture_backing(c, f->link, &f->st, M_BACKING_OPEN, &file->target, err);
}

static int capture_pipe(struct capture *c, const struct open_file *f, struct m_file *file,
			struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = open_target_fd(c, f, O_RDONLY);
	int size;

	if (fd < 0)
		return error_errno(err, "open the pipe at fd %d", f->fd);
	size = fcntl(fd, F_GETPIPE_SZ);
	file->kind = M_FILE_PIPE;
	file->value[0] = f->st.st_ino;
	file->value[1] = size > 0 ? (uint64_t)size : 65536;
	if ((file->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	return peek_pipe(c, fd, file, err);
}

/* The periods since one that was not read are counted when the timer is looked at (fs/timerfd.c,
 * timerfd_gettime): by read(2) in the program, and by us. */
static int capture_timerfd(struct capture *c, const struct open_file *f, struct m_file *file,
			   struct jsnap_error *err)
{
	const struct fdinfo *info = &f->info;
	struct fdinfo again = {0};
	struct itimerspec counted;
	int r;

	if (info->timerfd_ticks && info->timerfd_interval_ns) {
		r = capture_call_out(c, &counted, sizeof(counted), err, "look at a timerfd",
				     SYS_timerfd_gettime,
				     REMOTE_ARGS((uint64_t)f->fd, CAPTURE_OUT));
		if (r == 0)
			r = fdinfo_read(c->options->pid, f->fd, &again, err);
		if (r < 0)
			return r;
		info = &again;
	}
	file->kind = M_FILE_TIMERFD;
	file->value[0] = (uint64_t)info->timerfd_clockid;
	file->value[1] = (uint64_t)info->timerfd_settime_flags;
	file->value[2] = info->timerfd_value_ns;
	file->value[3] = info->timerfd_interval_ns;
	file->value[4] = info->timerfd_ticks;
	fdinfo_free(&again);
	return 0;
}

static int capture_epoll_params(struct capture *c, const struct open_file *f, struct m_file *file,
				struct jsnap_error *err)
{
	CLEANUP_CLOSE int own = capture_dup_fd(c, f->fd);
	struct m_epoll_params params;
	long result;
	int r = 0;

	file->kind = M_FILE_EPOLL;
	if (own >= 0)
		result = ioctl(own, M_EPOLL_GET_PARAMS, &params);
	else
		r = remote_call(
			&c->leader, &result, err, SYS_ioctl,
			REMOTE_ARGS((uint64_t)f->fd, M_EPOLL_GET_PARAMS, c->leader.data.value));
	if (r < 0 || result < 0) /* before Linux 6.9 there are none */
		return r;
	if (own < 0)
		r = tracee_read(&c->tracee, c->leader.data, &params, sizeof(params), err);
	if (r == 0)
		memcpy(&file->value[0], &params, sizeof(params));
	return r;
}

static int capture_anon_inode(struct capture *c, const struct open_file *f, struct m_file *file,
			      struct jsnap_error *err)
{
	const struct fdinfo *info = &f->info;

	if (info->has_eventfd) {
		file->kind = M_FILE_EVENTFD;
		file->value[0] = info->eventfd_count;
		file->value[1] = info->eventfd_semaphore;
	} else if (info->has_timerfd && (info->timerfd_clockid == CLOCK_REALTIME_ALARM ||
					 info->timerfd_clockid == CLOCK_BOOTTIME_ALARM)) {
		return refuse_fd(f, err,
				 "wakes the machine (an alarm clock), which is not carried");
	} else if (info->has_timerfd) {
		return capture_timerfd(c, f, file, err);
	} else if (info->has_signalfd) {
		file->kind = M_FILE_SIGNALFD;
		file->value[0] = info->signalfd_mask;
	} else if (strcmp(f->link, "anon_inode:[eventpoll]") == 0) {
		return capture_epoll_params(c, f, file, err);
	} else if (strcmp(f->link, "anon_inode:inotify") == 0) {
		file->kind = M_FILE_INOTIFY;
	} else if (info->pidfd_pid && info->pidfd_pid == c->options->pid) {
		file->kind = M_FILE_PIDFD_SELF;
	} else if (info->pidfd_pid) {
		return refuse_fd(f, err,
				 file->flags & O_EXCL
					 ? "is a pidfd of a thread, which is not carried"
					 : "is a pidfd of another process, which is not carried");
	} else {
		return refuse_fd(f, err, "is a kernel object that is not carried");
	}
	return 0;
}

static int decide_file(struct capture *c, const struct open_file *f,
		       enum checkpoint_action *ret_action, struct jsnap_error *err)
{
	bool named = f->link[0] == '/' && strncmp(f->link, "/memfd:", 7) != 0;
	struct checkpoint_fd fd = {.fd = f->fd,
				   .kind = named ? CHECKPOINT_FD_FILE : CHECKPOINT_FD_OTHER,
				   .flags = f->info.flags,
				   .name = f->link};

	*ret_action = capture_decide(c, &fd);
	return *ret_action == CHECKPOINT_REFUSE ? capture_refuse_by_policy(&fd, err) : 0;
}

static int capture_kind(struct capture *c, const struct open_file *f, struct m_file *file,
			struct jsnap_error *err)
{
	enum checkpoint_action action = CHECKPOINT_CARRY;
	int r = S_ISSOCK(f->st.st_mode) || strncmp(f->link, "pipe:", 5) == 0
			? 0
			: decide_file(c, f, &action, err);

	if (r < 0)
		return r;
	if (action == CHECKPOINT_CLOSE) {
		file->kind = M_FILE_CLOSED;
		return 0;
	}
	if (strncmp(f->link, "anon_inode:", 11) == 0 || strncmp(f->link, "pidfd:", 6) == 0)
		return capture_anon_inode(c, f, file, err);
	if (action == CHECKPOINT_REOPEN && S_ISREG(f->st.st_mode))
		return capture_reopened(c, f, file, err);
	if (action == CHECKPOINT_KEEP && S_ISREG(f->st.st_mode) && f->st.st_nlink) {
		r = capture_path(c, f, file, err);
		return r == 0 && file->kind == M_FILE_PATH ? keep_contents(c, f, file->target, err)
							   : r;
	}
	if (S_ISSOCK(f->st.st_mode)) {
		bool drop;

		r = capture_socket(c, f->fd, (uint32_t)f->st.st_ino, f->info.flags, &file->target,
				   &drop, err);
		file->kind = drop ? M_FILE_CLOSED : M_FILE_SOCKET;
		file->value[0] = f->st.st_ino;
		return r;
	}
	if (S_ISFIFO(f->st.st_mode) && strncmp(f->link, "pipe:", 5) == 0)
		return capture_pipe(c, f, file, err);
	if (S_ISREG(f->st.st_mode) && (strncmp(f->link, "/memfd:", 7) == 0 || f->st.st_nlink == 0))
		return capture_deleted(c, f, file, err);
	return capture_path(c, f, file, err);
}

static const char *const standard[] = {"stdin", "stdout", "stderr"};

/* What no caller gives as a stream: kernel objects, listening sockets, and an output that can only
 * be read, which is a file that was opened while the stream was closed. */
static bool is_no_stream(struct capture *c, const struct open_file *f)
{
	if (strncmp(f->link, "anon_inode:", 11) == 0)
		return true;
	if (S_ISSOCK(f->st.st_mode))
		return capture_socket_listens(c, f->fd);
	return S_ISREG(f->st.st_mode) && f->fd != 0 && (f->info.flags & O_ACCMODE) == O_RDONLY;
}

/* Slot that a descriptor has by its number, or NULL. The standard streams are the caller's. */
static const char *slot_of_number(struct capture *c, const struct open_file *f)
{
	for (size_t i = 0; i < c->options->n_externals; i++)
		if (c->options->externals[i].fd == f->fd)
			return c->options->externals[i].slot;
	return f->fd > 2 || is_no_stream(c, f) ? NULL : standard[f->fd];
}

/*
 * Of several streams that another descriptor may stand for (on a terminal all three are one file,
 * and one description) it is the first output, if it can be written: it is kept for that.
 */
static bool stands_for(const struct open_file *f, int stream)
{
	return stream != 0 || (f->info.flags & O_ACCMODE) == O_RDONLY;
}

/* Slot of a terminal that was opened once more: that of a standard stream there, or NULL. */
static const char *slot_of_terminal(struct capture *c, const struct open_file *f)
{
	const char *slot = NULL;

	for (int fd = 0; fd < 3 && is_terminal(&f->st); fd++) {
		struct stat st;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", c->options->pid, fd);
		if (stat(path, &st) < 0 || !is_terminal(&st) || st.st_rdev != f->st.st_rdev)
			continue;
		slot = standard[fd];
		if (stands_for(f, fd))
			break;
	}
	return slot;
}

/* The file of an earlier descriptor of the same description; MANIFEST_NONE when there is none. */
static uint32_t shared_file(struct capture *c, const struct open_file *f)
{
	uint32_t file = MANIFEST_NONE;

	for (uint32_t i = 0; i < c->m->n_fds; i++) {
		if (!same_description(c, f, i))
			continue;
		file = c->m->fds[i].file;
		if (stands_for(f, (int)c->m->fds[i].fd))
			break;
	}
	return file;
}

static int capture_file(struct capture *c, const struct open_file *f, const char *slot,
			uint32_t *ret_index, struct jsnap_error *err)
{
	struct m_file *file = MANIFEST_ADD(c->m, files);
	int r;

	if (!file)
		return error_set(err, ENOMEM, "too many open files");
	file->flags = f->info.flags & ~(uint32_t)O_CLOEXEC;
	file->pos = f->info.pos;
	file->target = MANIFEST_NONE;
	*ret_index = c->m->n_files - 1;
	if (!slot)
		return capture_kind(c, f, file, err);
	file->kind = M_FILE_INHERIT;
	r = manifest_string(c->m, slot, &file->name);
	return r < 0 ? error_set(err, -r, "out of memory") : 0;
}

static int capture_locks(struct capture *c, const struct open_file *f, uint32_t fd_index,
			 struct jsnap_error *err)
{
	if (c->m->files[c->m->fds[fd_index].file].kind == M_FILE_INHERIT)
		return 0; /* another file in a restore */
	for (size_t i = 0; i < f->info.n_locks; i++) {
		const struct fdinfo_lock *from = &f->info.locks[i];
		struct m_lock *lock;

		if (from->kind == FDINFO_LOCK_LEASE)
			return refuse_fd(f, err, "holds a lease, which is not carried");
		lock = MANIFEST_ADD(c->m, locks);
		if (!lock)
			return error_set(err, ENOMEM, "too many locks");
		*lock = (struct m_lock){.fd = fd_index,
					.kind = (uint32_t)from->kind,
					.type = from->write ? F_WRLCK : F_RDLCK,
					.start = from->start};
		if (from->end != UINT64_MAX)
			lock->length = from->end - from->start + 1;
	}
	return 0;
}

static bool own_thread(const struct capture *c, int32_t tid)
{
	for (uint32_t i = 0; i < c->m->n_threads; i++)
		if (c->m->threads[i].tid == (uint32_t)tid)
			return true;
	return false;
}

/* Told by a duplicate, where that can be had: most have neither, and need not be asked about. */
static bool sends_no_signal(struct capture *c, const struct open_file *f)
{
	CLEANUP_CLOSE int own = capture_dup_fd(c, f->fd);
	struct f_owner_ex owner = {0};

	return own >= 0 && fcntl(own, F_GETOWN_EX, &owner) == 0 && owner.pid == 0 &&
	       fcntl(own, F_GETSIG) == 0;
}

/* Who gets SIGIO and SIGURG, and what else instead (fcntl(2), F_SETOWN, F_SETSIG), which may be set
 * long before O_ASYNC. A regular file sends neither, and there are many. */
static int capture_owner(struct capture *c, const struct open_file *f, struct m_file *file,
			 struct jsnap_error *err)
{
	struct {
		int32_t type, pid;
	} owner;
	long signal;
	int r;

	if (file->kind == M_FILE_INHERIT || file->kind == M_FILE_CLOSED || (file->flags & O_PATH) ||
	    S_ISREG(f->st.st_mode) || sends_no_signal(c, f))
		return 0;
	r = capture_call_out(c, &owner, sizeof(owner), err,
			     "ask a descriptor's owner (F_GETOWN_EX)", SYS_fcntl,
			     REMOTE_ARGS((uint64_t)f->fd, F_GETOWN_EX, CAPTURE_OUT));
	if (r == 0)
		r = capture_call(c, &signal, err, "ask a descriptor's signal (F_GETSIG)", SYS_fcntl,
				 REMOTE_ARGS((uint64_t)f->fd, F_GETSIG));
	if (r < 0)
		return r;
	file->owner_signal = (int32_t)signal;
	if (!owner.pid)
		return 0;
	if (S_ISDIR(f->st.st_mode))
		return refuse_fd(f, err,
				 "is a folder that sends signals (F_NOTIFY), which is not carried");
	if (owner.type == F_OWNER_PGRP || !own_thread(c, owner.pid) ||
	    (owner.type == F_OWNER_PID && owner.pid != c->ns_pid))
		return error_set(err, ENOTSUP,
				 "fd %d (%s) sends its signals (F_SETOWN) to %s %d, which is not "
				 "carried",
				 f->fd, f->link,
				 owner.type == F_OWNER_PGRP ? "process group" : "another process,",
				 owner.pid);
	file->owner = owner.pid;
	file->owner_type = (uint32_t)owner.type;
	return 0;
}

static int capture_epoll(struct capture *c, const struct open_file *f, uint32_t file,
			 struct jsnap_error *err)
{
	for (size_t i = 0; i < f->info.n_epoll; i++) {
		const struct fdinfo_epoll_target *from = &f->info.epoll[i];
		struct m_epoll_target *target = MANIFEST_ADD(c->m, epoll_targets);

		if (!target)
			return error_set(err, ENOMEM, "too many epoll targets");
		*target = (struct m_epoll_target){.file = file,
						  .fd = (uint32_t)from->fd,
						  .events = from->events,
						  .target_file = MANIFEST_NONE,
						  .data = from->data};
	}
	return 0;
}

static int capture_fd(struct capture *c, int number, struct jsnap_error *err)
{
	struct open_file f = {0};
	uint32_t file = MANIFEST_NONE;
	const char *slot = NULL;
	bool made = false;
	struct m_fd *fd;
	int r = look(c, number, &f, err);

	if (r == 0)
		slot = slot_of_number(c, &f);
	/* One description here, each of those numbers may be another file at the restorer's. */
	if (r == 0 && !slot)
		file = shared_file(c, &f);
	if (r == 0 && file == MANIFEST_NONE) {
		made = true;
		if (!slot)
			slot = slot_of_terminal(c, &f);
		r = capture_file(c, &f, slot, &file, err);
		if (r == 0 && c->m->files[file].kind == M_FILE_EPOLL)
			r = capture_epoll(c, &f, file, err);
	}
	if (r == 0) {
		fd = MANIFEST_ADD(c->m, fds);
		if (fd)
			*fd = (struct m_fd){.fd = (uint32_t)number,
					    .file = file,
					    .flags = f.info.flags & O_CLOEXEC ? FD_CLOEXEC : 0};
		else
			r = error_set(err, ENOMEM, "too many descriptors");
	}
	if (r == 0 && made)
		r = capture_locks(c, &f, c->m->n_fds - 1, err);
	if (r == 0 && made)
		r = capture_owner(c, &f, &c->m->files[file], err);
	fdinfo_free(&f.info);
	return r;
}

/* Whether a descriptor is the one that an epoll set watches under a number: 0 when it is. */
static long compare_watched(struct capture *c, uint32_t fd, uint32_t epoll_fd, uint32_t number,
			    uint32_t nth)
{
	struct kcmp_epoll_slot slot = {.efd = epoll_fd, .tfd = number, .toff = nth};

	return syscall(SYS_kcmp, c->options->pid, c->options->pid, KCMP_EPOLL_TFD,
		       (unsigned long)fd, &slot);
}

/* What is watched is nearly always what has the number now; a closed or reused one takes a search.
 */
static int resolve_epoll_target(struct capture *c, uint32_t index, struct jsnap_error *err)
{
	struct m_epoll_target *target = &c->m->epoll_targets[index];
	uint32_t epoll_fd = manifest_fd_of_file(c->m, target->file), nth = 0;
	uint32_t file = manifest_file_of_fd(c->m, target->fd);
	long r;

	for (uint32_t i = 0; i < index; i++)
		nth += c->m->epoll_targets[i].file == target->file &&
		       c->m->epoll_targets[i].fd == target->fd;
	r = file == MANIFEST_NONE ? 1 : compare_watched(c, target->fd, epoll_fd, target->fd, nth);
	/* Where kcmp is filtered, the number is believed. */
	if (r == 0 || (r < 0 && errno == EPERM)) {
		target->target_file = file;
		return 0;
	}
	for (uint32_t i = 0; i < c->m->n_fds; i++)
		if (compare_watched(c, c->m->fds[i].fd, epoll_fd, target->fd, nth) == 0) {
			target->target_file = c->m->fds[i].file;
			return 0;
		}
	return error_set(err, ENOTSUP,
			 "the epoll set at fd %u watches what was fd %u, which is closed here and "
			 "lives on elsewhere; that is not carried",
			 epoll_fd, target->fd);
}

static int resolve_epoll_targets(struct capture *c, struct jsnap_error *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m->n_epoll_targets; i++)
		r = resolve_epoll_target(c, i, err);
	return r;
}

static int decide_pipe(struct capture *c, const struct m_fd *fd, struct m_file *file,
		       struct jsnap_error *err)
{
	char name[48];
	struct checkpoint_fd asked = {.fd = (int)fd->fd, .kind = CHECKPOINT_FD_PIPE, .name = name};

	snprintf(name, sizeof(name), "pipe:[%llu]", (unsigned long long)file->value[0]);
	switch (capture_decide(c, &asked)) {
	case CHECKPOINT_END: /* nobody will have the other end */
		return 0;
	case CHECKPOINT_CLOSE:
		file->kind = M_FILE_CLOSED;
		return 0;
	case CHECKPOINT_REFUSE:
		return capture_refuse_by_policy(&asked, err);
	default:
		error_set(err, ENOTSUP, "fd %u (%s) is a pipe to another process", fd->fd, name);
		return error_hint(err, "only the standard streams may lead outside; --fd-policy "
				       "pipe=end lets it come back with its other end closed");
	}
}

/* A pipe end whose other end is held outside cannot be connected again. */
static int check_pipe(struct capture *c, const struct m_fd *fd, struct jsnap_error *err)
{
	struct m_file *file = &c->m->files[fd->file];
	bool reads = (file->flags & O_ACCMODE) != O_WRONLY;
	int events = 0, r;

	for (uint32_t i = 0; i < c->m->n_files; i++) {
		const struct m_file *other = &c->m->files[i];

		if (other != file && other->kind == M_FILE_PIPE &&
		    other->value[0] == file->value[0] &&
		    ((other->flags & O_ACCMODE) != O_WRONLY) != reads)
			return 0;
	}
	r = capture_poll(c, (int)fd->fd, reads ? POLLIN : POLLOUT, &events, err);
	if (r < 0 || (events & (POLLHUP | POLLERR)))
		return r;
	return decide_pipe(c, fd, file, err);
}

int capture_files(struct capture *c, struct jsnap_error *err)
{
	int r = proc_fds_read(c->options->pid, &c->fds, &c->n_fds, err);

	for (size_t i = 0; r == 0 && i < c->n_fds; i++)
		r = capture_fd(c, c->fds[i], err);
	for (uint32_t i = 0; r == 0 && i < c->m->n_fds; i++)
		if (c->m->files[c->m->fds[i].file].kind == M_FILE_PIPE)
			r = check_pipe(c, &c->m->fds[i], err);
	if (r == 0)
		r = resolve_epoll_targets(c, err);
	if (r == 0)
		r = capture_socket_peers(c, err);
	if (r == 0)
		r = capture_inotify(c, err);
	return r;
}
