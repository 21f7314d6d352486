/*
 * What a machine, and the place a process has on it, allows: address space and memory.
 */
#ifndef JSNAP_PROC_MACHINE_H
#define JSNAP_PROC_MACHINE_H

#include "base/error.h"

#include <stdint.h>

struct machine { /* bytes; UINT64_MAX: no limit */
	uint64_t page_size;
	uint64_t memory_limit;	/* of this process's control groups, the smallest */
	uint64_t mmap_min_addr; /* lowest address that may be mapped */
	uint64_t user_end;	/* the first address above what a process may map */
	uint64_t max_mappings;	/* vm.max_map_count */
	uint64_t address_space; /* RLIMIT_AS, soft */
	uint64_t data;		/* RLIMIT_DATA, soft */
};

/* `root` stands in front of /proc and /sys: recorded machines are tests. What can't be read is
 * taken as no limit. */
void machine_here(const char *root, struct machine *ret_machine);

/* vm.max_map_count alone. */
uint64_t machine_max_mappings(const char *root);

/* The smallest limit of the control groups that `cgroup` (a text of /proc/PID/cgroup) names, of
 * version 1 and 2, up to their roots. UINT64_MAX: none. */
uint64_t machine_memory_limit(const char *root, const char *cgroup);

#endif
