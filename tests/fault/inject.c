/*
 * LD_PRELOAD: the Nth call that can return it fails with an errno. JSNAP_INJECT=ERRNO:N, where
 * ERRNO is ENOSPC, EIO, EMFILE or ENOMEM; the file JSNAP_INJECT_MARK is made when it has happened,
 * with the call's name in it. N counts over a process and is inherited by what it forks.
 * With JSNAP_INJECT_PATHS a call counts only where it is the first that is reached by its path:
 * the return addresses of the innermost PATH_FRAMES frames.
 *
 * Only calls of the program itself are met, and the allocations of the C library: what the library
 * calls inside itself is bound within it.
 */
#undef _FILE_OFFSET_BITS /* both names of each call are defined here */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>

#define PATH_FRAMES 6u
#define PATHS_MAX   4096u

static int wanted = -1;
static long countdown;
static bool by_path;

static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Without getenv, which may not be ready when the loader makes its first allocation. */
static const char *variable(const char *name)
{
	size_t n = strlen(name);

	for (char **p = environ; p && *p; p++)
		if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	return NULL;
}

static void start(void)
{
	static const struct {
		const char *name;
		int value;
	} kinds[] = {{"ENOSPC:", ENOSPC}, {"EIO:", EIO}, {"EMFILE:", EMFILE}, {"ENOMEM:", ENOMEM}};
	const char *text = variable("JSNAP_INJECT");

	wanted = 0;
	by_path = variable("JSNAP_INJECT_PATHS");
	for (size_t i = 0; text && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(text, kinds[i].name, strlen(kinds[i].name)) == 0) {
			wanted = kinds[i].value;
			countdown = atol(text + strlen(kinds[i].name));
		}
}

struct path {
	unsigned skip, left;
	uintptr_t hash;
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *arg)
{
	struct path *path = arg;

	if (path->skip) {
		path->skip--;
		return _URC_NO_REASON;
	}
	path->hash = (path->hash ^ _Unwind_GetIP(context)) * 0x9e3779b97f4a7c15u;
	path->hash ^= path->hash >> 29;
	return --path->left ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/* A full table says yes. What the unwinder calls itself is no path of the program. */
static __attribute__((noinline)) bool is_first_by_path(void)
{
	static uintptr_t seen[PATHS_MAX];
	static __thread bool unwinding;
	struct path path = {.skip = 3, .left = PATH_FRAMES}; /* here, fails() and the stand-in */

	if (unwinding)
		return false;
	unwinding = true;
	_Unwind_Backtrace(add_frame, &path);
	unwinding = false;
	for (unsigned i = 0; i < PATHS_MAX; i++) {
		uintptr_t expected = 0;

		if (__atomic_compare_exchange_n(&seen[i], &expected, path.hash, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
		if (expected == path.hash)
			return false;
	}
	return true;
}

/* True when this call is the one to fail; errno is set. */
static __attribute__((noinline)) bool fails(int kind, const char *call)
{
	const char *mark;
	long fd;

	if (!environ)
		return false;
	if (wanted < 0)
		start();
	if (kind != wanted || (by_path && !is_first_by_path()) ||
	    __atomic_sub_fetch(&countdown, 1, __ATOMIC_SEQ_CST) != 0)
		return false;
	mark = variable("JSNAP_INJECT_MARK");
	fd = mark ? raw(SYS_open, (long)mark, O_WRONLY | O_CREAT | O_APPEND, 0666, 0, 0, 0) : -1;
	if (fd >= 0) {
		raw(SYS_write, fd, (long)call, (long)strlen(call), 0, 0, 0);
		raw(SYS_close, fd, 0, 0, 0, 0, 0);
	}
	errno = kind;
	return true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Allocations: glibc's own functions under their internal names, for dlsym allocates. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
/* AddressSanitizer's, where that is in the program. */
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *p, size_t size) __attribute__((weak));

#define ALLOCATE(name, ...) \
	(__interceptor_##name ? __interceptor_##name(__VA_ARGS__) : __libc_##name(__VA_ARGS__))

void *malloc(size_t size)
{
	return fails(ENOMEM, "malloc") ? NULL : ALLOCATE(malloc, size);
}

void *calloc(size_t n, size_t size)
{
	return fails(ENOMEM, "calloc") ? NULL : ALLOCATE(calloc, n, size);
}

void *realloc(void *p, size_t size)
{
	return fails(ENOMEM, "realloc") ? NULL : ALLOCATE(realloc, p, size);
}

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	long r;

	if (fails(ENOMEM, "mmap"))
		return MAP_FAILED;
	r = raw(SYS_mmap, (long)addr, (long)size, prot, flags, fd, offset);
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return MAP_FAILED;
	}
	return (void *)r;
}

void *mmap64(void *addr, size_t size, int prot, int flags, int fd, off64_t offset)
{
	return mmap(addr, size, prot, flags, fd, offset);
}

pid_t fork(void)
{
	return fails(ENOMEM, "fork") ? -1 : REAL(fork)();
}

/* Descriptors. */
static int open_any(int dir, const char *path, int flags, mode_t mode)
{
	long r;

	if (fails(EMFILE, "open") || fails(EIO, "open") ||
	    ((flags & O_CREAT) && fails(ENOSPC, "open")))
		return -1;
	r = raw(SYS_openat, dir, (long)path, flags, mode, 0, 0);
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return (int)r;
}

#define OPEN(name)                                            \
	int name(const char *path, int flags, ...)            \
	{                                                     \
		va_list ap;                                   \
		mode_t mode;                                  \
		va_start(ap, flags);                          \
		mode = va_arg(ap, mode_t);                    \
		va_end(ap);                                   \
		return open_any(AT_FDCWD, path, flags, mode); \
	}
#define OPENAT(name)                                        \
	int name(int dir, const char *path, int flags, ...) \
	{                                                   \
		va_list ap;                                 \
		mode_t mode;                                \
		va_start(ap, flags);                        \
		mode = va_arg(ap, mode_t);                  \
		va_end(ap);                                 \
		return open_any(dir, path, flags, mode);    \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

DIR *opendir(const char *path)
{
	return fails(EMFILE, "opendir") || fails(EIO, "opendir") ? NULL : REAL(opendir)(path);
}

FILE *fopen64(const char *path, const char *mode)
{
	return fails(EMFILE, "fopen") || fails(EIO, "fopen") ? NULL : REAL(fopen64)(path, mode);
}

int pipe2(int fds[2], int flags)
{
	return fails(EMFILE, "pipe2") ? -1 : REAL(pipe2)(fds, flags);
}

int socket(int family, int type, int protocol)
{
	return fails(EMFILE, "socket") ? -1 : REAL(socket)(family, type, protocol);
}

int socketpair(int family, int type, int protocol, int fds[2])
{
	return fails(EMFILE, "socketpair") ? -1 : REAL(socketpair)(family, type, protocol, fds);
}

int memfd_create(const char *name, unsigned flags)
{
	return fails(EMFILE, "memfd_create") || fails(ENOMEM, "memfd_create")
		       ? -1
		       : REAL(memfd_create)(name, flags);
}

int dup(int fd)
{
	return fails(EMFILE, "dup") ? -1 : REAL(dup)(fd);
}

int fcntl64(int fd, int what, ...)
{
	va_list ap;
	long arg, r;

	va_start(ap, what);
	arg = va_arg(ap, long);
	va_end(ap);
	if ((what == F_DUPFD || what == F_DUPFD_CLOEXEC) && fails(EMFILE, "fcntl"))
		return -1;
	r = raw(SYS_fcntl, fd, what, arg, 0, 0, 0);
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return (int)r;
}

/* Makers of descriptors that are no files: name, parameters, arguments. */
#define MAKER(name, parameters, arguments)                                                       \
	int name parameters                                                                      \
	{                                                                                        \
		return fails(EMFILE, #name) || fails(ENOMEM, #name) ? -1 : REAL(name) arguments; \
	}
MAKER(eventfd, (unsigned count, int flags), (count, flags))
MAKER(epoll_create1, (int flags), (flags))
MAKER(timerfd_create, (clockid_t clock, int flags), (clock, flags))
MAKER(signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
MAKER(inotify_init1, (int flags), (flags))
MAKER(accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))

int epoll_ctl(int set, int what, int fd, struct epoll_event *event)
{
	return fails(ENOMEM, "epoll_ctl") || fails(ENOSPC, "epoll_ctl")
		       ? -1
		       : REAL(epoll_ctl)(set, what, fd, event);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	return fails(ENOMEM, "inotify_add_watch") || fails(ENOSPC, "inotify_add_watch")
		       ? -1
		       : REAL(inotify_add_watch)(fd, path, mask);
}

/* Reading and writing; what is said to people on standard error gets through. */
ssize_t read(int fd, void *buf, size_t size)
{
	return fails(EIO, "read") ? -1 : REAL(read)(fd, buf, size);
}

ssize_t pread64(int fd, void *buf, size_t size, off64_t offset)
{
	return fails(EIO, "pread") ? -1 : REAL(pread64)(fd, buf, size, offset);
}

ssize_t process_vm_readv(pid_t pid, const struct iovec *l, unsigned long ln, const struct iovec *r,
			 unsigned long rn, unsigned long flags)
{
	return fails(EIO, "process_vm_readv") ? -1
					      : REAL(process_vm_readv)(pid, l, ln, r, rn, flags);
}

ssize_t write(int fd, const void *buf, size_t size)
{
	if (fd > 2 && (fails(ENOSPC, "write") || fails(EIO, "write")))
		return -1;
	return REAL(write)(fd, buf, size);
}

ssize_t pwrite64(int fd, const void *buf, size_t size, off64_t offset)
{
	return fails(ENOSPC, "pwrite") || fails(EIO, "pwrite")
		       ? -1
		       : REAL(pwrite64)(fd, buf, size, offset);
}

int ftruncate64(int fd, off64_t size)
{
	return fails(ENOSPC, "ftruncate") || fails(EIO, "ftruncate") ? -1
								     : REAL(ftruncate64)(fd, size);
}

int fsync(int fd)
{
	return fails(ENOSPC, "fsync") || fails(EIO, "fsync") ? -1 : REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	return fails(ENOSPC, "fdatasync") || fails(EIO, "fdatasync") ? -1 : REAL(fdatasync)(fd);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
	return fails(ENOSPC, "fallocate") || fails(EIO, "fallocate")
		       ? -1
		       : REAL(fallocate64)(fd, mode, offset, size);
}

struct dirent64 *readdir64(DIR *dir)
{
	return fails(EIO, "readdir") ? NULL : REAL(readdir64)(dir);
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
	return fails(EIO, "readlink") || fails(ENOMEM, "readlink")
		       ? -1
		       : REAL(readlink)(path, buf, size);
}

int unlink(const char *path)
{
	return fails(EIO, "unlink") || fails(ENOMEM, "unlink") ? -1 : REAL(unlink)(path);
}

int stat64(const char *path, struct stat64 *st)
{
	return fails(ENOMEM, "stat") ? -1 : REAL(stat64)(path, st);
}

int fstat64(int fd, struct stat64 *st)
{
	return fails(ENOMEM, "fstat") ? -1 : REAL(fstat64)(fd, st);
}

int lstat64(const char *path, struct stat64 *st)
{
	return fails(ENOMEM, "lstat") ? -1 : REAL(lstat64)(path, st);
}

int rename(const char *from, const char *to)
{
	return fails(ENOSPC, "rename") || fails(EIO, "rename") ? -1 : REAL(rename)(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
	return fails(ENOSPC, "linkat") || fails(EIO, "linkat")
		       ? -1
		       : REAL(linkat)(a, from, b, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
	return fails(ENOSPC, "mkdir") ? -1 : REAL(mkdir)(path, mode);
}

int futimens(int fd, const struct timespec times[2])
{
	return fails(EIO, "futimens") ? -1 : REAL(futimens)(fd, times);
}

long syscall(long nr, ...)
{
	va_list ap;
	long a[6], r;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if ((nr == SYS_pidfd_open && fails(EMFILE, "pidfd_open")) ||
	    ((nr == SYS_clone || nr == SYS_clone3) && fails(ENOMEM, "clone")))
		return -1;
	r = raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return -1;
	}
	return r;
}
