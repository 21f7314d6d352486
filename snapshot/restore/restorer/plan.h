/*
 * What the restorer does, as data. The restorer is a small position-independent program that runs
 * in its own region of memory after everything else of the process was unmapped; it has no libc, no
 * decisions and no parsing: it makes the system calls of a list, starts threads that do the same,
 * and jumps. Everything here is built beforehand in ordinary code, where failures are harmless.
 *
 * Order, and what holds after each stage:
 *   map      the target's mappings and kernel settings are in place; capabilities as threads need
 *   threads  every thread exists with its TID and waits at the barrier, its own list done;
 *            the first few of them, and the leader, have read and populated memory meanwhile
 *   leader   the leader's own settings
 *   finish   signals, timers and locks are back; no capability is left; success is reported
 *   go       the barrier opens; everybody returns from its signal frame, the held ones later
 */
#ifndef JSNAP_RESTORE_RESTORER_PLAN_H
#define JSNAP_RESTORE_RESTORER_PLAN_H

#include "base/region.h"

#include <stdint.h>

enum rst_check {
	RST_OK,	      /* any result but an error */
	RST_IGNORE,   /* best effort */
	RST_ARG0,     /* the result is the first argument: mmap at a fixed address */
	RST_ARG2,     /* the result is the third argument: a full read */
	RST_TIMER_ID, /* the int at the third argument is `index`: timer_create */
};

/* Pseudo system calls. */
#define RST_NR_ADD_TIME 0x10000u /* args: address of a timespec, nanoseconds to add */
#define RST_NR_COPY	0x10001u /* args: to, from, bytes */

struct rst_op {
	uint32_t nr;
	uint16_t check; /* enum rst_check */
	uint16_t what;	/* enum plan_what, for the error text; not read by the restorer */
	uint64_t index; /* of the record concerned */
	uint64_t args[6];
};

struct rst_ops {
	struct rst_op *first;
	uint64_t count;
};

struct rst_clone_args { /* struct clone_args of linux/sched.h, CLONE_ARGS_SIZE_VER1 */
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size;
};

struct rst_plan;

struct rst_thread {
	struct rst_plan *plan;
	struct rst_clone_args clone;
	struct rst_ops ops;
	uint64_t frame; /* the stack pointer at which rt_sigreturn finds the frame */
	int32_t tid;
	uint32_t held; /* enum rst_held: goes on after the others */
};

enum rst_held {
	RST_NOT_HELD,
	RST_HELD_TIME,	/* for plan->hold_ns */
	RST_HELD_DOORS, /* until the doors are open */
};

/* See plan_doors.c. One more thread, which is gone afterwards, waits for the ends and opens. */
struct rst_doors {
	uint64_t ended, n_ended; /* struct pollfd: connections to be closed before they open */
	struct rst_ops open;	 /* epoll_ctl(2) calls, each done if its door is still shut */
	uint64_t doorman;	 /* its stack pointer: the plan's address is there; 0: no doors */
	uint64_t gate; /* address of a uint32_t: time counts when it is not 0; 0: at once */
	/* So many looks without a change, and they open all the same, if the program is idle or had
	 * so much of a processor; after so long at all. */
	uint64_t looks, processor_ns, most_ns;
	uint32_t opened; /* futex */
};

/* What a door's socket is watched for while it is shut, EPOLLMSG: it never comes, and no program
 * asks for it. */
#define RST_SHUT 0x400u

struct rst_shared { /* taken `step` at a time by whoever is free */
	struct rst_ops ops;
	uint32_t step, next;
};

#define RST_RECENT 64u /* fillers whose end is waited for */

/* By ns_last_pid somebody else may be quicker so many times, for one number; he is given a moment
 * to end with it. */
#define RST_LAST_PID_TRIES   64
#define RST_LAST_PID_WAIT_NS 1000000

enum rst_phase { /* where the child's time goes, in order */
		 RST_FILES,
		 RST_MAP,
		 RST_THREADS,
		 RST_FINISH,
		 RST_PHASES,
};

struct rst_report {	 /* what the restorer writes to status_fd */
	uint32_t failed; /* 0: everybody is about to run */
	int32_t error;	 /* positive errno */
	int32_t thread;	 /* TID that could not be created, or 0 */
	uint32_t what;
	uint64_t index, nr;
	uint64_t phase_ns[RST_PHASES];
};

struct rst_plan { /* at the start of the region */
	struct region_mark mark;
	struct rst_ops map, finish;
	struct rst_thread leader;
	struct rst_thread *threads;
	uint64_t n_threads;
	uint32_t seek;	     /* plain clone until the number comes; else clone3 with set_tid */
	int32_t last_pid_fd; /* ns_last_pid, to be set before a hole; -1: walk over it */
	uint64_t seek_tries; /* clones with another number than the wanted one, at most */
	int32_t recent[RST_RECENT];
	int32_t status_fd;
	uint32_t ready;	  /* futex: threads at the barrier */
	uint32_t release; /* futex: 1 opens it */
	uint32_t fillers;
	struct rst_shared reads, populates;
	uint64_t helpers; /* so many threads, from the first on, take part in them */
	uint64_t hold_ns;
	struct rst_doors doors;
	uint64_t first_engine_fd;   /* descriptors from here on are the restorer's */
	struct rst_ops after_close; /* what has to come when the restorer's descriptors are gone */
	uint64_t phase_ns[RST_PHASES]; /* so far */
	uint64_t phase_start_ns;       /* CLOCK_MONOTONIC of the child */
};

#endif
