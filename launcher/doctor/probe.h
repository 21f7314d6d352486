/*
 * What this place allows, found by doing it in a throw-away child, never by versions: a seccomp
 * filter, a security module or a container answers as the kernel would not.
 */
#ifndef JSNAP_LAUNCHER_PROBE_H
#define JSNAP_LAUNCHER_PROBE_H

#include "restore/restore.h"

#include <stdbool.h>
#include <stdint.h>

enum probe_id {
	PROBE_CLONE3,	    /* clone3 with set_tid, with the capabilities that are held */
	PROBE_USERNS,	    /* the same in a new user and PID namespace */
	PROBE_TIME_NS,	    /* ... with a time namespace whose clock is set forward: as needed */
	PROBE_PROC_MOUNT,   /* ... with a fresh /proc */
	PROBE_NS_LAST_PID,  /* writing /proc/sys/kernel/ns_last_pid */
	PROBE_WALK,	    /* plain clone hands out ascending ids; E2BIG: beyond the budget */
	PROBE_PTRACE,	    /* seizing and stopping one's own child */
	PROBE_MAP_FILES,    /* opening /proc/PID/map_files: deleted files that are mapped */
	PROBE_PAGEMAP_SCAN, /* the PAGEMAP_SCAN ioctl; without it checkpoints are slower */
	PROBE_MM_MAP,	    /* prctl(PR_SET_MM_MAP): brk and the other fields of an address space */
	PROBE_COUNT,
};

struct probe {
	const char *name; /* as JSON and text show it */
	const char *what; /* in words */
	bool needed;	  /* no snapshot and no restore without it (a way to the TIDs apart) */
	int (*act)(void); /* in the child: 0 or the positive errno */
};

extern const struct probe probes[PROBE_COUNT];

struct place {
	int results[PROBE_COUNT]; /* 0: works; else a positive errno, why not */

	char executable[4096]; /* jsnap's own path */
	bool has_file_cap;     /* it has CAP_CHECKPOINT_RESTORE as a file capability ... */
	bool is_nosuid;	       /* ... on a file system that ignores file capabilities */
	bool may_hold_cap;     /* CAP_CHECKPOINT_RESTORE is in the bounding set */
	bool holds_cap;	       /* and permitted */
	bool is_root;	       /* uid 0 */
	bool is_plain_root;    /* uid 0 without CAP_SETFCAP: uid 0 can't be mapped (Linux 5.12) */
	bool may_unshare;      /* no filter forbids the call as such */
	bool no_new_privs;
	int seccomp;		/* 0 none, 1 strict, 2 filter, -1 unknown */
	long pid_max, last_pid; /* -1 when unreadable */
	uint64_t step_ns;	/* what walking one number costs here; 0: unknown */
	uint64_t walk_budget_ns;
	uint64_t up_ns; /* CLOCK_BOOTTIME */
	long yama;	/* kernel.yama.ptrace_scope, -1 without Yama */
	long userns_clone, max_userns, apparmor_userns; /* sysctls that forbid, -1 when absent */
	char lsm[256], lsm_label[256];
	bool container; /* its PID 1 says so, or a marker file does */
	bool podman;	/* and it is podman's */
};

/* Runs every probe and reads every fact; about ten short-lived children. What a walk may cost
 * decides whether it works. */
void probe_place(uint64_t walk_budget_ns, struct place *ret_place);

/* Pure: where the namespace is young a snapshot's TIDs are ahead of the counter; else, and where
 * the counter is unknown, they can be anywhere, and the whole way round has to be affordable. */
bool probe_walk_affordable(const struct place *place);
/* Why the probe failed, in words. */
const char *probe_why(const struct place *place, enum probe_id id);

/* Whether this way gives original TIDs here. */
bool probe_way_works(const struct place *place, enum tids_way way);
/* The first that works in the order of `auto`, or TIDS_AUTO when none does. */
enum tids_way probe_best_way(const struct place *place);
bool probe_can_restore(const struct place *place, enum tids_way wanted);
bool probe_can_checkpoint(const struct place *place);

#define PROBE_ADVICE_SIZE 800

/* The line that would make the probe succeed, or what stands in the way for good. "" when it works
 * already. */
void probe_advice(const struct place *place, enum probe_id id, char *text, size_t size);

#endif
