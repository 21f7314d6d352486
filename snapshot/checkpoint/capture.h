/*
 * The state that the phases of one checkpoint share. Phases run in the order of the table in
 * checkpoint.c, all while the target is stopped; each fills its tables of the manifest.
 */
#ifndef JSNAP_CHECKPOINT_CAPTURE_H
#define JSNAP_CHECKPOINT_CAPTURE_H

#include "base/region.h"
#include "checkpoint/checkpoint.h"
#include "proc/maps.h"
#include "proc/status.h"
#include "trace/remote.h"
#include "trace/tracee.h"

/* Memory without a name in the file system, found through mappings or descriptors. */
struct capture_object {
	uint64_t dev, inode;
	int source_fd;	/* open on the object; -1: only through the target's memory */
	uint32_t index; /* in manifest.objects */
};

struct page_writer;

struct capture {
	const struct checkpoint_options *options;
	struct manifest *m;
	struct tracee tracee;
	struct proc_status status;		    /* of the leader */
	struct proc_status *statuses;		    /* of each of tracee.threads */
	struct maps maps;			    /* with flags */
	const struct checkpoint_expected *expected; /* NULL: no twin is wanted */
	bool maps_certain;			    /* the flags too were read in the pause */
	struct tracee twin;			    /* pid and mem_fd only; pid 0: there is none */
	int twin_pagemap_fd;
	struct remote_gadgets gadgets;
	struct remote leader; /* calls of the thread group leader */
	pid_t ns_pid;	      /* the target's own idea of its PID */
	int pagemap_fd;
	int pidfd;	/* for capture_dup_fd; -1 */
	pid_t outsider; /* of landlock.c; 0: nobody */
	int *fds;
	size_t n_fds;
	struct capture_object *objects;
	size_t n_objects;
	struct capture_stack *stacks; /* pointers into stacks, ascending; see dead_stack.c */
	size_t n_stacks;
	uint64_t *dead_ends; /* for each of manifest.vmas, below which its bytes are dead */
	uint64_t stored_bytes;
	struct page_writer *writer;  /* of the page stream; made when it is first needed */
	uint64_t region, region_end; /* an earlier restore's (base/region.h); 0: none */
	uint64_t stream_inode;	     /* of the stream an earlier restore mapped; 0: none */
	uint64_t namespaces[REGION_NAMESPACES]; /* that it made or had */
};

/* A call made by the leader whose failure is the checkpoint's. */
int capture_call(struct capture *c, long *ret_result, struct jsnap_error *err, const char *what,
		 long nr, const uint64_t args[6]);
/* The same for a call that fills `size` bytes (REMOTE_DATA_SIZE at most): the argument equal to
 * CAPTURE_OUT is replaced by the address of a buffer, which is read back into `out`. */
#define CAPTURE_OUT 0xfeedfacecafebeefull
int capture_call_out(struct capture *c, void *out, size_t size, struct jsnap_error *err,
		     const char *what, long nr, const uint64_t args[6]);

/* The target's own number of the i-th thread of the tracee. */
pid_t capture_own_tid(const struct capture *c, size_t i);
/* The same of a thread that is named by its TID. */
int capture_ns_tid(struct capture *c, pid_t tid, pid_t *ret_tid, struct jsnap_error *err);

/* Looks at the i-th thread of the tracee, maybe beside another that looks at another one: it may
 * change only what is that thread's, and makes no ptrace requests. */
typedef int capture_look(const struct capture *c, size_t i, void *ctx, struct jsnap_error *err);
/* At all of them; the error of the first that failed, as far as they were looked at. */
int capture_each_thread(const struct capture *c, capture_look *look, void *ctx,
			struct jsnap_error *err);

/* -ENOTSUP names a child of the process. */
int capture_refuse_children(pid_t pid, struct jsnap_error *err);

/* Before the target is stopped; capture_refuse_landlock asks, with the leader redirected. */
void landlock_begin(struct capture *c);
int capture_refuse_landlock(struct capture *c, struct jsnap_error *err);
void landlock_end(struct capture *c);

/* Looks whether the process was restored before: sets region and stream_inode. */
void capture_find_region(struct capture *c);

/* MCL_FUTURE and MCL_ONFAULT, as far as they are in force. */
int capture_future_locks(struct capture *c, uint8_t *ret_flags, struct jsnap_error *err);

/* Interval and POSIX timers with the time they have left; again, when called again. */
int capture_timers(struct capture *c, struct jsnap_error *err);

/* Phases. */
int capture_refuse(struct capture *c, struct jsnap_error *err);
int capture_process(struct capture *c, struct jsnap_error *err);
int capture_host(struct capture *c, struct jsnap_error *err);
int capture_signals(struct capture *c, struct jsnap_error *err);
int capture_pending(struct capture *c, struct jsnap_error *err);
int capture_threads(struct capture *c, struct jsnap_error *err);
int capture_files(struct capture *c, struct jsnap_error *err);
int capture_clocks(struct capture *c, struct jsnap_error *err);
int capture_vmas(struct capture *c, struct jsnap_error *err);
int capture_objects(struct capture *c, struct jsnap_error *err);
int capture_refuse_numbers(struct capture *c, struct jsnap_error *err);
int capture_pages(struct capture *c, struct jsnap_error *err);
/* Waits until the stream is written. */
int capture_written(struct capture *c, struct jsnap_error *err);

/* Guard pages of every mapping, once the mappings are known. */
int capture_guards(struct capture *c, struct jsnap_error *err);
bool capture_guarded(const struct capture *c, uint64_t address);
/* Appends what of [start, end) is under no guard. */
struct pagemap_runs;
int capture_between_guards(const struct capture *c, uint64_t start, uint64_t end,
			   struct pagemap_runs *runs, struct jsnap_error *err);

/* Finds or adds the backing record of a named file. `fd` may be -1; st describes the file. */
struct stat;
int capture_backing(struct capture *c, const char *path, const struct stat *st, uint32_t use,
		    uint32_t *ret_index, struct jsnap_error *err);

/* Build id or digest of backing `index`, which is mapped executable. */
int capture_program_file(struct capture *c, const char *path, uint32_t index,
			 struct jsnap_error *err);

/* A way to an object's contents: a descriptor, to be duplicated, and how it was come by. */
struct object_source {
	int fd; /* -1: none */
	enum m_read_through through;
};

/* Finds or adds an object; the first source that has a descriptor will be read. */
int capture_object(struct capture *c, uint64_t dev, uint64_t inode, enum m_object_kind kind,
		   const char *name, struct object_source source, uint32_t *ret_index,
		   struct jsnap_error *err);

/* A duplicate, here, of one of the target's descriptors; -1 where that is filtered, as in a
 * container under the default seccomp filter. */
int capture_dup_fd(struct capture *c, int fd);

/* What the policy says of a descriptor. */
enum checkpoint_action capture_decide(struct capture *c, const struct checkpoint_fd *fd);
int capture_refuse_by_policy(const struct checkpoint_fd *fd, struct jsnap_error *err);

/* One socket. *ret_drop: the policy wants it closed, and there is no record of it. */
int capture_socket(struct capture *c, int fd, uint32_t inode, uint32_t flags, uint32_t *ret_index,
		   bool *ret_drop, struct jsnap_error *err);
bool capture_socket_listens(struct capture *c, int fd);
int capture_socket_peers(struct capture *c, struct jsnap_error *err);

/* State of a TCP socket; s has its names and, when it listens, says so. */
struct socket_asker;
int capture_tcp(struct socket_asker *a, struct m_socket *s, uint32_t flags, bool *ret_drop,
		struct jsnap_error *err);
/* What a connection has not read yet, once every socket is known. */
int capture_tcp_unread(struct capture *c, int fd, const struct manifest_ports *listening,
		       struct m_socket *s, struct jsnap_error *err);

/* Unread data of a connected Unix socket, as m_socket.data. A jsnap that dies meanwhile may leave
 * SO_PEEK_OFF set, which only a program that peeks would notice. */
struct capture_unread {
	int fd, type;
	int peer_fd;	   /* -1: the peer is closed */
	uint32_t bytes;	   /* of a stream or packet socket, what is unread */
	uint32_t shutdown; /* as in m_socket */
	const char *name;
};
int capture_unread(struct capture *c, const struct capture_unread *what, struct m_blob *ret_blob,
		   struct jsnap_error *err);
/* poll(2) of one descriptor, in the target. */
int capture_poll(struct capture *c, int fd, short events, int *ret_events, struct jsnap_error *err);

/* inotify watches, once every file is known. */
int capture_inotify(struct capture *c, struct jsnap_error *err);

/* Whether a mapping shows pages of the stream that an earlier restore mapped. */
bool capture_from_stream(const struct capture *c, const struct maps_entry *entry);

/* The stack pointer, and the thread block's address, of a thread. */
struct capture_stack {
	uint64_t address;
	uint32_t thread; /* of the tracee */
};

/* Sets stacks, once the threads are known; capture_stacks_in: those within [start, end). */
int capture_find_stacks(struct capture *c, struct jsnap_error *err);
const struct capture_stack *capture_stacks_in(const struct capture *c, uint64_t start, uint64_t end,
					      size_t *ret_count);
/* Sets dead_ends, once the mappings are known. */
int capture_dead_stacks(struct capture *c, struct jsnap_error *err);

/* Sets must_be_anon of every anonymous mapping: the one rule, see anon_rule.c. */
void capture_apply_anon_rule(struct capture *c);

#endif
