/*
 * Brings a process back from a manifest and its page stream, with its PID and TIDs.
 */
#ifndef JSNAP_RESTORE_RESTORE_H
#define JSNAP_RESTORE_RESTORE_H

#include "image/manifest.h"
#include "image/working_set.h"
#include "proc/machine.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum tids_way { /* how original TIDs are obtained; the order of `auto` */
		TIDS_AUTO,
		TIDS_CLONE3,
		TIDS_USERNS,
		TIDS_NS_LAST_PID,
		TIDS_WALK,
};
const char *tids_way_name(enum tids_way way); /* "clone3" ... as --tids takes it */

struct restore_inherit {
	const char *slot; /* "stdin", "stdout", "stderr", "control" ... */
	int fd;		  /* the caller's descriptor */
};

/* The namespaces of TIDS_USERNS, which can be made while the caller does something else. */
struct namespaces;

struct restore_options {
	const struct manifest *manifest;
	struct namespaces *begun; /* restore_begin's, for one restore; may be NULL */
	int stream_fd;		  /* may be mapped privately by the restored process */
	uint64_t stream_offset;
	enum tids_way tids;
	const struct restore_inherit *inherits;
	size_t n_inherits;
	const char *cwd;		 /* NULL: the one in the image */
	const uint16_t (*listen_map)[2]; /* {old port, new port}, host byte order */
	size_t n_listen_map;
	uint64_t walk_budget_ns;	   /* what TIDS_WALK may cost before it is refused */
	void (*say)(const char *fmt, ...); /* what happens, for a log; may be NULL */
	/* For restore_validate: this machine, or one that stands for it. */
	const struct machine *machine;
	/* Whether a file whose time is another is known to hold what it did; may be NULL. */
	bool (*vouch)(const struct manifest *m, const char *path);
	const struct working_set *working_set; /* made ready before the release; may be NULL */
	/* Threads that go on hold_ns (1 s at most) after the others, because nobody waits for them
	 * at first. Only those in a wait with an absolute deadline are held, never the main one. */
	const uint32_t *held; /* TIDs, ascending */
	size_t n_held;
	uint64_t hold_ns;
	/* Requests may be kept out for a moment (plan_doors.c) that begins with restore_let_in,
	 * which the caller owes. Else it begins when the restored process runs. */
	bool await_let_in;
	int stop_fd; /* readable (never read): give up, -ECANCELED; 0: there is none */
	bool keep_parent_death_signal; /* false: the restored process dies (SIGKILL) with the caller
					*/
};

/* Where the time went, in order. Nothing happens between two phases. */
enum restore_phase {
	RESTORE_PLAN,	 /* what is to be done is written down */
	RESTORE_CLONE,	 /* the process exists, and word of its success has come back */
	RESTORE_FILES,	 /* its descriptors are open */
	RESTORE_MAP,	 /* its memory is in place */
	RESTORE_THREADS, /* its working set is populated, its threads exist and wait */
	RESTORE_RELEASE, /* signals, timers, locks; everybody runs */
	RESTORE_PHASES,
};

struct restore_walk {	      /* to the original TIDs */
	uint64_t numbers;     /* that were to be used up */
	uint64_t expected_ns; /* what that would cost, said before it began */
};

struct restored {
	pid_t pid;	/* child of the caller; in the caller's namespace */
	pid_t init_pid; /* init of its PID namespace, a child of the caller too; 0 without one */
	enum tids_way tids;
	struct restore_walk walk; /* by TIDS_WALK, and inside TIDS_USERNS without clone3; else 0 */
	uint64_t running_ns;	  /* from the call to all threads released */
	uint64_t phase_ns[RESTORE_PHASES];
	uint32_t *gate; /* of restore_let_in; shared with the restored process */
};

/* Everything that can be known to fail without touching anything: files, ports, PIDs, kernel. */
int restore_validate(const struct restore_options *options, struct jsnap_error *err);

/*
 * Where `way` will need namespaces: begins to make them on another processor, for a restore of this
 * process that may follow. NULL: none are needed, or nobody could be begun with. The caller owes
 * restore_abandon (of NULL, too), after restore_process if that follows. Nothing but time is lost
 * by giving up.
 */
struct namespaces *restore_begin(enum tids_way way);
void restore_abandon(struct namespaces *begun);

/* Goes by in a restored process beyond the snapshot's clocks, where they go on. Connection pools
 * trust a connection without a look for a moment after its last use (HikariCP 500 ms); in a
 * restored program that must be over. */
#define RESTORE_CLOCK_STEP_NS 1000000000u

/*
 * Returns once every thread of the restored process runs. On failure no process is left.
 * -EBUSY: a PID or TID is taken (the error names the process).
 */
int restore_process(const struct restore_options *options, struct restored *ret_restored,
		    struct jsnap_error *err);

/* Its threads run as they are to run: see restore_options.await_let_in. More than once is once. */
void restore_let_in(struct restored *restored);

/* Ends what belongs to the restored process (a child): its namespace's init, and with that the
 * process itself if it was not reaped yet. */
void restore_cleanup(const struct restored *restored);

#endif
