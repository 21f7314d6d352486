/*
 * The manifest: everything about a process but the bytes of its pages, as tables of fixed-size
 * records, a string pool and a blob pool. The same structure is built by a checkpoint, written and
 * read by the image, and used in place by a restore: loading is a bounds check, not a parse.
 *
 * Invariants of a manifest that manifest_load() returned (see manifest_check):
 *  - every string offset lies in the pool and its string is NUL-terminated; every blob lies in the
 *    blob pool; every index names an existing record, or is MANIFEST_NONE where that is allowed;
 *  - VMAs are page aligned, ascending and do not overlap; pieces lie inside the VMA or object that
 *    owns them, ascending; threads and fds are ascending and unique;
 *  - the stream is the pieces, in their order, with less than MANIFEST_PIECE_GAP before each: so
 *    what it decompresses to is no more than what the manifest accounts for.
 * Numbers are little-endian, records naturally aligned with explicit padding. Addresses are the
 * target's and are never pointers here.
 */
#ifndef JSNAP_IMAGE_MANIFEST_H
#define JSNAP_IMAGE_MANIFEST_H

#include "base/error.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define MANIFEST_NONE 0xffffffffu
/* What is left free in the stream before a piece, to be mapped where its address asks, is less. */
#define MANIFEST_PIECE_GAP (2ull << 20)
#define MANIFEST_REGS	   27 /* unsigned longs of struct user_regs_struct, <sys/user.h> */

#define M_OOM_AS_RESTORER    INT32_MIN
#define M_MEMBARRIER_UNKNOWN 0xffffffffu /* the kernel did not tell (before Linux 6.3) */

struct m_blob {
	uint32_t offset, size; /* bytes in the blob pool */
};

/* One record: the process. */
struct m_process {
	uint32_t pid;	/* in its own PID namespace */
	uint32_t umask; /* NONE: as whoever restores */
	uint32_t personality;
	int32_t oom_score_adj; /* M_OOM_AS_RESTORER: as whoever restores */
	uint8_t dumpable, no_new_privs, thp_disable, child_subreaper;
	uint32_t exe_backing; /* index into backings */
	uint32_t cwd;	      /* string */
	uint32_t euid;	      /* effective user */
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	struct m_blob auxv;
	uint64_t monotonic_ns, boottime_ns,
		realtime_ns;	 /* when it was stopped, its own time namespace */
	uint64_t rlimits[16][2]; /* RLIMIT_*: soft, hard */
	uint64_t itimers[3][2];	 /* ITIMER_*: interval, value; nanoseconds */
	uint64_t page_size;
	uint64_t stream_size;	  /* bytes of the page stream, page aligned */
	struct m_blob vdso;	  /* its bytes: code of the target may hold pointers into it */
	uint32_t seccomp_filters; /* that each of its threads is under, the restorer's too */
	uint32_t membarrier; /* what it is registered for: a mask of membarrier(2)'s commands */
	uint32_t coredump_filter; /* core(5); NONE: as whoever restores */
	uint32_t mempolicy;	  /* set_mempolicy(2) of the main thread; 0: as whoever restores */
	uint64_t mempolicy_nodes; /* a bit for each */
	uint8_t mce_kill;	  /* prctl(PR_MCE_KILL_GET) */
	uint8_t memory_merge;	  /* prctl(PR_GET_MEMORY_MERGE) */
	uint8_t future_locks;	  /* mlockall(2): MCL_FUTURE, MCL_ONFAULT */
	uint8_t reserved[5];
};

enum m_restart {
	M_RESTART_NONE,
	M_RESTART_ABSOLUTE_MONOTONIC, /* deadline_addr points to a timespec of CLOCK_MONOTONIC */
	M_RESTART_ABSOLUTE_BOOTTIME,
};

struct m_thread {
	uint32_t tid; /* in its own PID namespace */
	char comm[16];
	uint32_t sched_policy;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_flags, timer_slack_ns;
	struct m_blob affinity; /* cpu_set_t bytes; none: as whoever restores */
	uint64_t sigmask;
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags, restart; /* enum m_restart */
	uint64_t deadline_addr;
	uint64_t robust_list, robust_list_size;
	uint64_t rseq_addr;
	uint32_t rseq_size, rseq_signature, rseq_flags;
	uint32_t pdeath_signal;
	uint64_t clear_child_tid;
	uint64_t regs[MANIFEST_REGS]; /* struct user_regs_struct; system calls already rewound */
	struct m_blob xsave;	      /* NT_X86_XSTATE, standard (not compacted) format */
	uint64_t slice_ns; /* sched_attr.sched_runtime of SCHED_OTHER; 0: as whoever restores */
	uint32_t ioprio;   /* ioprio_set(2); 0: as whoever restores */
	uint32_t reserved;
};

enum m_vma_kind {
	M_VMA_ANON,	    /* private anonymous memory */
	M_VMA_FILE_PRIVATE, /* backing = index into backings; pieces are the pages it owns */
	M_VMA_FILE_SHARED,  /* backing = index into backings; no pieces */
	M_VMA_OBJECT, /* backing = index into objects: memfd, shared anonymous, deleted file */
	M_VMA_VDSO,
	M_VMA_VVAR, /* vvar, vvar_vclock */
};

struct m_vma {
	uint64_t start, end, offset; /* bytes */
	uint32_t prot;		     /* PROT_* */
	uint32_t map_flags; /* MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_HUGETLB
			     */
	uint32_t vmflags;   /* enum maps_vmflag, what madvise and mlock must redo */
	uint32_t kind;	    /* enum m_vma_kind */
	uint32_t backing;
	uint32_t first_piece, n_pieces;
	uint32_t name;	       /* string: "[heap]", a path, an anon name */
	uint32_t must_be_anon; /* 1: pages may be MADV_DONTNEEDed by their owner and must then read
				  zero */
	uint32_t reserved;
};

/* A stretch of stored pages: [addr, addr + size) is at [offset, offset + size) of the page stream.
 * addr is an address, or for an object the offset in it. */
struct m_piece {
	uint64_t addr, size, offset; /* bytes, page aligned */
};

enum m_object_kind { M_OBJECT_MEMFD, M_OBJECT_SHARED_ANON, M_OBJECT_DELETED_FILE };

struct m_object {      /* memory with no name in the file system, which mappings and fds share */
	uint64_t size; /* bytes, as fstat gives it; need not be page aligned */
	uint32_t kind, seals, mode, name;
	uint32_t first_piece, n_pieces;
	uint32_t flags;	       /* memfd_create flags that matter: MFD_HUGETLB, MFD_EXEC ... */
	uint32_t read_through; /* enum m_read_through */
};

/* How the dump came to an object's contents. map_files asks for CAP_CHECKPOINT_RESTORE. */
enum m_read_through {
	M_READ_THROUGH_UNKNOWN, /* not recorded */
	M_READ_THROUGH_MAP_FILES,
	M_READ_THROUGH_DESCRIPTOR, /* /proc/PID/fd */
	M_READ_THROUGH_NAME,	   /* a file that has one */
	M_READ_THROUGH_MEMORY,	   /* what is mapped of it */
};

struct m_backing {     /* a file with a name, mapped or open */
	uint32_t path; /* absolute and without "..", as seen in the target's mount namespace */
	uint32_t mode;
	uint64_t dev, inode, size;
	int64_t mtime_ns;
	uint32_t uses;		 /* enum m_backing_use bits */
	uint32_t content_object; /* object holding the contents, to recreate it when missing, or
				    NONE */
	uint64_t rdev;
	/* Of a file mapped executable: its ELF build id, or where it has none the XXH3-64 of its
	 * bytes. */
	struct m_blob build_id;
	uint64_t digest;
};

enum m_backing_use {
	M_BACKING_MAPPED = 1,	       /* its bytes are part of the process: must be unchanged */
	M_BACKING_MAPPED_WRITABLE = 2, /* shared and writable: may have changed since */
	M_BACKING_OPEN = 4,
	M_BACKING_EXE = 8,
	M_BACKING_REOPEN = 16, /* whatever has the name then will do */
	M_BACKING_KEEP = 32,   /* replaced by its contents when it is another by then */
};

enum m_file_kind {		   /* an open file description */
		   M_FILE_INHERIT, /* comes from the restorer: `name` is the slot ("stdin",
				      "control") */
		   M_FILE_PATH,	   /* regular file, directory, device or FIFO: target = backing */
		   M_FILE_OBJECT,  /* memfd or deleted file: target = object */
		   M_FILE_PIPE, /* value[0] = pipe inode (pairs ends), value[1] = capacity; blob =
				   data (read end) */
		   M_FILE_EVENTFD, /* value[0] = count, value[1] = 1 for semaphore */
		   M_FILE_TIMERFD, /* value: clockid, settime flags, value ns, interval ns, ticks */
		   M_FILE_SIGNALFD, /* value[0] = mask */
		   M_FILE_EPOLL,    /* targets in epoll_targets; value[0] = struct m_epoll_params */
		   M_FILE_INOTIFY,  /* watches in inotify_watches */
		   M_FILE_SOCKET,   /* target = index into sockets */
		   M_FILE_PIDFD_SELF,
		   M_FILE_NAMESPACE, /* reserved */
		   M_FILE_CLOSED,    /* its numbers answer EBADF */
};

/* How a set polls network devices: ioctl(2) of linux/eventpoll.h, Linux 6.9. */
struct m_epoll_params {
	uint32_t busy_poll_usecs;
	uint16_t busy_poll_budget;
	uint8_t prefer_busy_poll, pad;
};
#define M_EPOLL_SET_PARAMS _IOW(0x8a, 0x01, struct m_epoll_params)
#define M_EPOLL_GET_PARAMS _IOR(0x8a, 0x02, struct m_epoll_params)

struct m_file {
	uint32_t kind;	/* enum m_file_kind */
	uint32_t flags; /* O_* access mode and status flags */
	uint64_t pos;
	uint32_t target;
	uint32_t name;
	int32_t owner, owner_signal; /* F_SETOWN, F_SETSIG, either without the other */
	uint64_t value[5];
	struct m_blob data;
	uint32_t lock;	     /* flock: LOCK_SH, LOCK_EX or 0 */
	uint32_t owner_type; /* F_OWNER_TID or F_OWNER_PID; owner 0: none */
};

struct m_fd {
	uint32_t fd;
	uint32_t file;	/* index into files; two fds with the same file share offset and flags */
	uint32_t flags; /* FD_CLOEXEC */
};

enum m_socket_state {
	M_SOCKET_FRESH, /* neither bound nor connected, or bound only */
	M_SOCKET_LISTEN,
	M_SOCKET_PAIR, /* Unix, connected to socket `peer` of this process; NONE: peer closed */
	M_SOCKET_CLOSED_BY_PEER,  /* was connected to the outside; comes back as closed by the peer
				   */
	M_SOCKET_DGRAM_CONNECTED, /* UDP with a default peer */
	M_SOCKET_RESET, /* a TCP connection, or an attempt at one, with an error not yet reported */
};

struct m_socket {
	uint32_t family, type, protocol;
	uint32_t state; /* enum m_socket_state */
	uint32_t backlog;
	uint32_t peer;	   /* index into sockets, or NONE */
	uint32_t shutdown; /* bit 0 receive, bit 1 send */
	uint32_t mode;	   /* permissions of a Unix socket's file */
	/* sockaddr bytes; empty when unset. `remote` of a Unix listener: the name it was renamed to
	 */
	struct m_blob local, remote;
	struct m_blob options; /* struct m_sockopt records, each followed by its bytes, 8-aligned */
	struct m_blob data;    /* unread bytes: u32 length and bytes for each message, 4-aligned */
};

#define M_GROUP_SOURCES_MAX 3u

struct m_sockopt {
	int32_t level, name;
	uint32_t size, reserved;
};

/* Value of an option MCAST_MSFILTER (ip(7)): a group is joined on an interface by its name, for the
 * number may be another's elsewhere. */
struct m_group {
	char interface[16]; /* IFNAMSIZ */
	uint32_t mode;	    /* MCAST_INCLUDE or MCAST_EXCLUDE the sources */
	uint32_t n_sources;
	struct sockaddr_storage addresses[1 + M_GROUP_SOURCES_MAX]; /* the group, its sources */
};

struct m_epoll_target {
	uint32_t file; /* index into files, the epoll */
	uint32_t fd;   /* the number it was added under, which may since be another's */
	uint32_t events;
	uint32_t target_file; /* index into files, what is watched */
	uint64_t data;
};

#define MANIFEST_WD_MAX 65536 /* the kernel counts up: a restore has to go through all of them */

struct m_inotify_watch { /* ascending by file, then by wd */
	uint32_t file;	 /* index into files, the inotify */
	uint32_t wd;	 /* the number inotify_add_watch(2) gave */
	uint32_t mask;
	uint32_t path; /* string: an absolute path of what is watched */
};

enum m_lock_kind { M_LOCK_POSIX, M_LOCK_FLOCK, M_LOCK_OFD };

struct m_lock {	     /* fcntl(2), flock(2) */
	uint32_t fd; /* index into fds: the description it is taken on */
	uint32_t kind;
	uint32_t type; /* F_RDLCK or F_WRLCK */
	uint32_t reserved;
	uint64_t start, length; /* bytes; length 0: to the end of the file */
};

struct m_sigaction { /* one for each signal that is not SIG_DFL with no flags */
	uint32_t signo, reserved;
	uint64_t handler, flags, restorer, mask;
};

struct m_siginfo {    /* pending signals in queue order */
	uint32_t tid; /* 0: the process's shared queue */
	uint32_t reserved;
	uint8_t info[128];
};

struct m_posix_timer { /* timer_create(2), ascending by id */
	uint32_t id;
	int32_t clockid, notify, signo;
	uint32_t notify_tid, overrun;
	uint64_t sigval, value_ns, interval_ns;
};

#define MANIFEST_CPU_WORDS	12 /* struct cpu, proc/cpu.h */
#define MANIFEST_CPU_COMPONENTS 32

struct m_host { /* one record: the machine, as far as the process depends on it */
	uint32_t cpu_words[MANIFEST_CPU_WORDS]; /* what it may use */
	uint32_t cpu_level; /* 0: made for the processor it ran on; 2 to 4: for x86-64-vN */
	uint32_t cpu_name;  /* string */
	uint64_t xcr0;
	/* where its threads' XSAVE bytes have each component */
	uint32_t xsave_at[MANIFEST_CPU_COMPONENTS], xsave_size[MANIFEST_CPU_COMPONENTS];
	uint64_t memory_limit;	/* bytes, of its control groups; UINT64_MAX: none */
	uint64_t cap_permitted; /* of the process, by number of the capability */
};

struct m_note { /* facts of whoever asked for the checkpoint; the engine does not read them */
	uint32_t key, value; /* strings */
};

struct m_guard { /* pages under MADV_GUARD_INSTALL, madvise(2); inside one VMA, ascending */
	uint64_t start, end;
};

/* id, member, record type, most records allowed. Ids are part of the format: only ever append. */
#define MANIFEST_TABLES(X)                                    \
	X(1, process, struct m_process, 1)                    \
	X(2, threads, struct m_thread, 32768)                 \
	X(3, vmas, struct m_vma, 262144)                      \
	X(4, pieces, struct m_piece, 1048576)                 \
	X(5, objects, struct m_object, 65536)                 \
	X(6, backings, struct m_backing, 65536)               \
	X(7, files, struct m_file, 1048576)                   \
	X(8, fds, struct m_fd, 1048576)                       \
	X(9, sockets, struct m_socket, 1048576)               \
	X(10, epoll_targets, struct m_epoll_target, 1048576)  \
	X(11, inotify_watches, struct m_inotify_watch, 65536) \
	X(12, sigactions, struct m_sigaction, 64)             \
	X(13, siginfos, struct m_siginfo, 65536)              \
	X(14, posix_timers, struct m_posix_timer, 65536)      \
	X(15, notes, struct m_note, 65536)                    \
	X(16, locks, struct m_lock, 65536)                    \
	X(17, guards, struct m_guard, 262144)                 \
	X(18, host, struct m_host, 1)

enum manifest_table {
#define X(id, member, type, max) MANIFEST_TABLE_##member = id,
	MANIFEST_TABLES(X)
#undef X
};

struct manifest {
#define X(id, member, type, max) \
	type *member;            \
	uint32_t n_##member, cap_##member;
	MANIFEST_TABLES(X)
#undef X
	char *strings; /* offset 0 is "" */
	uint32_t strings_size, strings_cap;
	uint8_t *blobs;
	uint32_t blobs_size, blobs_cap;
	void *buffer; /* when loaded: the one allocation that every pointer above points into */
};

/* An empty manifest with its one zeroed process record and the empty string. */
int manifest_init(struct manifest *m, struct jsnap_error *err);
void manifest_free(struct manifest *m);
#define CLEANUP_MANIFEST __attribute__((cleanup(manifest_free)))

/* Appends a zeroed record and returns it, valid until the next append to the same table.
 * NULL when memory or the table's maximum is exhausted. Use MANIFEST_ADD. */
void *manifest_append(struct manifest *m, enum manifest_table table);
#define MANIFEST_ADD(m, member) \
	((__typeof__((m)->member))manifest_append((m), MANIFEST_TABLE_##member))

/* Interns a string (equal strings share an offset is allowed, not required); 0 or -errno. */
int manifest_string(struct manifest *m, const char *text, uint32_t *ret_offset);
/* Appends bytes to the blob pool, 16-aligned. Pool limit 1 GiB. */
int manifest_blob(struct manifest *m, const void *data, size_t size, struct m_blob *ret_blob);

static inline const char *manifest_str(const struct manifest *m, uint32_t offset)
{
	return m->strings + offset;
}

static inline const void *manifest_bytes(const struct manifest *m, struct m_blob blob)
{
	return m->blobs + blob.offset;
}

/* Notes by key: NULL when absent; set replaces. */
const char *manifest_note(const struct manifest *m, const char *key);
int manifest_set_note(struct manifest *m, const char *key, const char *value,
		      struct jsnap_error *err);

/* One buffer, owned by the caller (free): the serialized manifest as docs/image-format.md says. */
int manifest_save(const struct manifest *m, void **ret_data, size_t *ret_size,
		  struct jsnap_error *err);

/* Checks and loads. Takes ownership of `data` (malloc'ed) on success only. -EBADMSG names the
 * table and record at fault; never crashes, whatever the bytes. */
int manifest_load(void *data, size_t size, struct manifest *ret_m, struct jsnap_error *err);

/* The TCP ports that sockets of a manifest listen on: a connection with such a local port looks
 * like one that was accepted, any other like one that the program has made. The kernel does not
 * tell. */
struct manifest_ports {
	uint8_t bits[65536 / 8];
};
void manifest_listening(const struct manifest *m, struct manifest_ports *ret_ports);
bool manifest_accepted(const struct manifest *m, const struct manifest_ports *ports,
		       const struct m_socket *s);
/* The port of an IPv4 or IPv6 address, host byte order; 0 without one. */
uint16_t manifest_port(const struct manifest *m, struct m_blob address);

/* The file of a descriptor, and a descriptor of a file (the first of several); NONE: there is none.
 */
static inline uint32_t manifest_file_of_fd(const struct manifest *m, uint32_t fd)
{
	for (uint32_t i = 0; i < m->n_fds; i++)
		if (m->fds[i].fd == fd)
			return m->fds[i].file;
	return MANIFEST_NONE;
}

static inline uint32_t manifest_fd_of_file(const struct manifest *m, uint32_t file)
{
	for (uint32_t i = 0; i < m->n_fds; i++)
		if (m->fds[i].file == file)
			return m->fds[i].fd;
	return MANIFEST_NONE;
}

/* Written at its end and nowhere else: it goes on at the end of what it is by then, and is made
 * again when it is gone. `file` is an M_FILE_PATH. */
static inline bool manifest_file_is_log(const struct manifest *m, const struct m_file *file)
{
	return (file->flags & O_APPEND) || ((file->flags & O_ACCMODE) == O_WRONLY &&
					    file->pos == m->backings[file->target].size);
}

/* The invariants above, over a manifest that was loaded or built. */
int manifest_check(const struct manifest *m, struct jsnap_error *err);

#endif
