/*
 * /proc/PID/maps and /proc/PID/smaps as data (proc(5), fs/proc/task_mmu.c).
 *
 * The parser takes text, never a pid, so recorded files are tests and a fuzzer can feed it.
 */
#ifndef JSNAP_PROC_MAPS_H
#define JSNAP_PROC_MAPS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPS_MAX_ENTRIES 262144u

/* VmFlags of smaps that the engine acts on, one bit for each two-letter name. */
enum maps_vmflag {
	MAPS_VM_GROWSDOWN = 1 << 0,	/* gd */
	MAPS_VM_LOCKED = 1 << 1,	/* lo */
	MAPS_VM_DONTFORK = 1 << 2,	/* dc */
	MAPS_VM_DONTDUMP = 1 << 3,	/* dd */
	MAPS_VM_WIPEONFORK = 1 << 4,	/* wf */
	MAPS_VM_HUGEPAGE = 1 << 5,	/* hg */
	MAPS_VM_NOHUGEPAGE = 1 << 6,	/* nh */
	MAPS_VM_MERGEABLE = 1 << 7,	/* mg */
	MAPS_VM_NORESERVE = 1 << 8,	/* nr */
	MAPS_VM_HUGETLB = 1 << 9,	/* ht */
	MAPS_VM_IO = 1 << 10,		/* io */
	MAPS_VM_PFNMAP = 1 << 11,	/* pf */
	MAPS_VM_SEQ_READ = 1 << 12,	/* sr */
	MAPS_VM_RAND_READ = 1 << 13,	/* rr */
	MAPS_VM_UFFD = 1 << 14,		/* um, uw or ui */
	MAPS_VM_ACCOUNT = 1 << 15,	/* ac */
	MAPS_VM_SOFTDIRTY = 1 << 16,	/* sd */
	MAPS_VM_SEALED = 1 << 17,	/* sl */
	MAPS_VM_MAYWRITE = 1 << 18,	/* mw */
	MAPS_VM_SHADOW_STACK = 1 << 19, /* ss */
	MAPS_VM_PKEY = 1 << 20,		/* smaps' ProtectionKey is not 0 (pkeys(7)) */
	MAPS_VM_DROPPABLE = 1 << 21,	/* dp */
	MAPS_VM_LOCKONFAULT = 1 << 22,	/* lf, or by what is resident: vmas.c */
};

#define MAPS_DROPPABLE 0x08 /* MAP_DROPPABLE of mmap(2), a type like MAP_PRIVATE; Linux 6.11 */

/* What the kernel sets by itself, and no restore brings back. */
#define MAPS_VM_KERNELS ((uint32_t)(MAPS_VM_SOFTDIRTY | MAPS_VM_ACCOUNT))

struct maps_entry {
	uint64_t start, end; /* bytes, page aligned, start < end */
	uint64_t offset;     /* bytes into the file */
	uint64_t inode;
	dev_t dev;
	int prot;	  /* PROT_* of <sys/mman.h> */
	bool shared;	  /* 's' rather than 'p' */
	bool deleted;	  /* the name ended in " (deleted)", which is cut from `name` */
	uint32_t vmflags; /* enum maps_vmflag; 0 unless smaps was parsed */
	/* Rss + Swap in bytes: 0 means that no page is there to be scanned. UINT64_MAX when not
	 * known, that is, unless smaps was parsed. The zero page is not counted. */
	uint64_t resident;
	char *name; /* "" for anonymous; \012, the kernel's only escape here, is decoded. Lives
		       as long as the entries: maps_free releases both at once */
};

struct maps {
	struct maps_entry *entries; /* ascending, never overlapping: anything else is -EBADMSG */
	size_t count;
};

/* Parses the text of maps or smaps (any entry may or may not be followed by smaps' lines).
 * -EBADMSG names the line. *ret_maps is owned by the caller: maps_free. */
int maps_parse(const char *text, size_t size, struct maps *ret_maps, struct jsnap_error *err);

/* Reads and parses /proc/PID/maps, or smaps when `with_flags` (slow: it walks the page tables). */
int maps_read(pid_t pid, bool with_flags, struct maps *ret_maps, struct jsnap_error *err);

void maps_free(struct maps *maps);
#define CLEANUP_MAPS __attribute__((cleanup(maps_free)))

/* The entry that holds `addr`, or NULL. Binary search. */
const struct maps_entry *maps_find(const struct maps *maps, uint64_t addr);

#endif
