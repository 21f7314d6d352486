/*
 * Names for inodes of which only device and number are known, as fdinfo tells them of what inotify
 * watches. The kernel has no way back without a privilege (open_by_handle_at(2)), so likely places
 * are looked at first, then the folders below them, breadth first and within one mount each.
 */
#ifndef JSNAP_CHECKPOINT_FIND_INODE_H
#define JSNAP_CHECKPOINT_FIND_INODE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define FIND_ENTRIES_MAX 50000u	     /* names looked at below the places; the target is stopped */
#define FIND_NS_MAX	 2000000000u /* and no longer, where folders come from a slow disk */
#define FIND_PLACES_MAX	 4096u	     /* more are left out */

struct find_wanted {
	uint64_t dev, inode;
	char *path; /* owned by the caller; NULL until found */
};

struct find {
	struct find_wanted *wanted; /* the caller's; sorted by inode by find_begin */
	size_t n_wanted, n_left;
	char **places;
	size_t n_places;
	char **queue; /* folders to read; NULL when done */
	uint64_t *queue_dev;
	size_t queue_from, queue_to, queue_cap;
	uint64_t (*seen)[2]; /* device and inode of folders that were read: a hash table */
	uint32_t entries;
	uint64_t deadline; /* CLOCK_MONOTONIC, ns */
};

int find_begin(struct find *f, struct find_wanted *wanted, size_t count, struct jsnap_error *err);
/* A path and the folders on its way up. Those added first are searched first; what is no absolute
 * path is ignored. */
int find_place(struct find *f, const char *path, struct jsnap_error *err);
/* Below the places. What is not found keeps a NULL path; that is no error. */
int find_below(struct find *f, struct jsnap_error *err);
/* What was found, owned by the list of what is wanted, or NULL. */
const char *find_path(const struct find *f, uint64_t dev, uint64_t inode);
void find_end(struct find *f);
#define CLEANUP_FIND __attribute__((cleanup(find_end)))

#endif
