/*
 * Builds the restorer's plan: chooses the region, fills it with lists of system calls, records and
 * signal frames. All in the launcher's process, before anything is cloned.
 */
#ifndef JSNAP_RESTORE_PLAN_H
#define JSNAP_RESTORE_PLAN_H

#include "proc/maps.h"
#include "proc/cpu.h"
#include "restore/restore.h"
#include "restore/restorer/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#define PLAN_STEP	   (1ull << 20) /* bytes that one operation reads or populates */
#define PLAN_THREAD_STACK  1024u /* bytes: the restorer's threads use 300, and take no signal */
#define PLAN_TIMER_IDS_MAX 4096u /* highest POSIX timer id where ids must be used up in order */

enum plan_what { /* what an operation is about, for its error text */
		 PLAN_UNMAP,
		 PLAN_VDSO,
		 PLAN_MAP,  /* index: mapping */
		 PLAN_READ, /* index: mapping */
		 PLAN_ADVISE,
		 PLAN_GUARD, /* index: guard */
		 PLAN_SEAL,  /* index: object */
		 PLAN_LAYOUT,
		 PLAN_SIGNAL, /* index: signal number */
		 PLAN_THREAD, /* index: TID */
		 PLAN_TIMER,
		 PLAN_LOCK,  /* index: lock */
		 PLAN_OWNER, /* index: descriptor */
		 PLAN_PRIVILEGE,
		 PLAN_SETTING,
		 PLAN_POPULATE,
};

enum plan_reader { /* of a mapping's pages that are not mapped: see plan_pages.c */
		   PLAN_READER_LEADER, /* while it maps */
		   PLAN_READER_THREAD, /* the one whose own_vma it is */
		   PLAN_READER_ANY,    /* whoever is free */
};

struct plan {
	const struct restore_options *options;
	const struct manifest *m;
	struct maps self; /* of the launcher, as the child inherits them */
	char *region;	  /* mapped at its final address in this process too */
	size_t region_size, data_used, data_end;
	struct rst_plan *head;
	struct rst_op *ops;
	size_t n_ops, max_ops;
	bool userns;		/* restored in a user namespace of its own */
	bool time_shifted;	/* in a time namespace that continues the target's clocks */
	bool drop_capabilities; /* all but keep_capabilities */
	uint64_t keep_capabilities;
	bool other_vdso;      /* the snapshot's kernel had another one: see vdso.h */
	struct cpu from, to;  /* the processor of the snapshot and this one */
	bool stream_noexec;   /* the page stream's file system lets no code be mapped from it */
	bool sets_last_pid;   /* threads come by ns_last_pid */
	uint64_t asleep_ns;   /* to add to absolute deadlines */
	bool doors_shut;      /* at first: see plan_doors.c */
	int32_t *backing_fds; /* by backing: descriptor to map from, -1 when not needed */
	int32_t *object_fds;  /* by object */
	int32_t *backing_ro_fds, *object_ro_fds; /* the same, open for reading alone */
	uint8_t *reader;			 /* by mapping: enum plan_reader */
	uint32_t *own_vma;			 /* by thread: MANIFEST_NONE when it reads none */
	uint64_t map_worth;			 /* plan_map_worth */
	int32_t stream_fd, status_fd, exe_fd, last_pid_fd;
	uint32_t first_engine_fd;
};

/* Picks a hole that is free here and in the target and maps the region. */
int plan_create(struct plan *plan, const struct restore_options *options, struct jsnap_error *err);
void plan_free(struct plan *plan);
#define CLEANUP_PLAN __attribute__((cleanup(plan_free)))

/* Whether a shared mapping may never become writable: it was made from a descriptor that is open
 * for reading alone, or of what was sealed. */
static inline bool plan_maps_read_only(const struct m_vma *vma)
{
	return (vma->map_flags & MAP_SHARED) && !(vma->vmflags & MAPS_VM_MAYWRITE);
}

/* Fills the lists. The descriptors' numbers must be known (plan_number_fds). */
int plan_number_fds(struct plan *plan, struct jsnap_error *err);
int plan_fill(struct plan *plan, struct jsnap_error *err);
int plan_fill_memory(struct plan *plan, struct jsnap_error *err);
/* Bytes from which a stretch is mapped, for each may cut a mapping into three: of the mappings that
 * the machine allows and the snapshot has not, half stay for what the program maps later. */
uint64_t plan_map_worth(const struct manifest *m, uint64_t max_mappings);
/* Whether a stretch is mapped from the stream, else it is read; whether any of a mapping is. */
bool plan_maps_piece(const struct plan *plan, const struct m_vma *vma, const struct m_piece *piece);
bool plan_reads_any(const struct plan *plan, const struct m_vma *vma);
int plan_choose_readers(struct plan *plan, struct jsnap_error *err);
void plan_read_pages(struct plan *plan, uint32_t index);
#define PLAN_VDSO_SCRATCH (64u << 10) /* bytes; vDSO and data have 32 KiB on Linux 6.18 */
/* Moves the vDSO out of the way to `scratch`, or from there to its place. */
int plan_fill_vdso(struct plan *plan, uint64_t scratch, bool out, struct jsnap_error *err);
int plan_fill_threads(struct plan *plan, struct jsnap_error *err);
int plan_fill_layout(struct plan *plan, struct jsnap_error *err);
int plan_fill_process(struct plan *plan, struct jsnap_error *err);
/* What is made ready before the release, and who is held after it. */
bool plan_holds(const struct plan *plan, const struct m_thread *thread);
void plan_fill_release(struct plan *plan);

/* What brings requests in comes back a moment after all else, where that is of use. */
int plan_fill_doors(struct plan *plan, struct jsnap_error *err);
/* Whether this target of an epoll set is one of the doors: it is then watched for nothing at first.
 */
bool plan_door(const struct plan *plan, const struct m_epoll_target *target);
/* Whether the thread waits at a door, in accept(2). */
bool plan_accepts(const struct plan *plan, const struct m_thread *thread);

/* Zeroed memory in the region; NULL when it is used up (an error of the size estimate). */
void *plan_alloc(struct plan *plan, size_t size, size_t align);

/* A 16-aligned copy of the bytes in the region; NULL as plan_alloc. */
void *plan_put(struct plan *plan, const void *data, size_t size);
/* What a NULL of these two means; returns -ENOMEM. */
int plan_out_of_region(struct jsnap_error *err);

/* Appends an operation. Lists are built one after the other: take plan->n_ops before and after. */
void plan_op(struct plan *plan, uint32_t nr, enum rst_check check, enum plan_what what,
	     uint64_t index, const uint64_t args[6]);
#define PLAN_ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
struct rst_ops plan_list(const struct plan *plan, size_t first);

/* The restorer's report as an error. */
int plan_explain(const struct plan *plan, const struct rst_report *report, struct jsnap_error *err);

/* validate.c: whether the snapshot's vDSO is another than this kernel's. */
bool restore_other_vdso(const struct manifest *m);

/* Leaves this process for the plan. Only in the cloned child, with every descriptor in place. */
void plan_enter(const struct plan *plan) __attribute__((noreturn));

#endif
