/*
 * The folder of snapshots and who may touch a snapshot when.
 *
 *   NAME-KEY.jsnap   the image          NAME-KEY.hot    its hot copy, a cache
 *   NAME-KEY.pages   the working set, which goes with the hot copy
 *   NAME-KEY.bad     says that this image crashes (probation.h)
 *   NAME-KEY.lock    flock(2)ed: shared while a restore reads image or hot copy, exclusive while
 * one is taken, replaced or removed; an empty file that goes with who had it exclusively
 *
 * A slot is one snapshot's names, present or not; with --image FILE it is FILE, FILE.hot,
 * FILE.pages, FILE.bad and FILE.lock, of which files that are not jsnap's stay as they are. The
 * folder is $JSNAP_STORE, else $XDG_CACHE_HOME/jsnap, else ~/.cache/jsnap, mode 0700. A folder or
 * image of another user, or that others may write, is refused (-EPERM) by name: its bytes become
 * this user's process. So is an image or store behind a link of another user but root's, who would
 * choose which it is.
 */
#ifndef JSNAP_LAUNCHER_STORE_H
#define JSNAP_LAUNCHER_STORE_H

#include "base/error.h"
#include "image/place.h"
#include "launcher/key/key.h"
#include "launcher/options/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STORE_MAX_ENTRIES 65536u
#define STORE_MAX_NAME	  64u /* bytes of NAME */

/* The store's folder by the rule above; owned by the caller (free). Does not touch the disk. */
int store_path(const struct settings *settings, char **ret_path, struct jsnap_error *err);
/* Checks the folder, creates it when `create`. -ENOENT: it is not there (and !create). */
int store_prepare(const char *path, bool create, struct jsnap_error *err);

/* NAME from any text: [A-Za-z0-9._-], no leading dot, at most STORE_MAX_NAME bytes, never empty. */
void store_name(const char *text, char ret_name[STORE_MAX_NAME + 1]);

struct store_slot {
	char *image, *hot, *pages, *lock, *bad; /* paths, owned; bad: see probation.h */
	bool spare_others; /* the names are a user's: a file that is not jsnap's stays */
	int lock_fd;	   /* -1 while not locked */
	bool exclusive;	   /* how it is locked */
};

/* The slot of settings->image, where place.h allows an image, or of `facts` in the store, which is
 * prepared (created). */
int store_slot_open(const struct settings *settings, const struct key_facts *facts,
		    struct store_slot *ret_slot, struct jsnap_error *err);
/* The slot of one image file: PATH, PATH.hot ...; of a file named NAME-KEY.jsnap, its neighbours
 * NAME-KEY.hot ... */
int store_slot_of_image(const char *path, struct store_slot *ret_slot, struct jsnap_error *err);
void store_slot_close(struct store_slot *slot); /* unlocks */
#define CLEANUP_STORE_SLOT __attribute__((cleanup(store_slot_close)))

enum store_lock { STORE_LOCK_SHARED, STORE_LOCK_EXCLUSIVE };
/*
 * Locks or converts the lock (which may let another in between). Getting it exclusively removes the
 * temporary files that a dead writer left. -EWOULDBLOCK when another process holds it in a way that
 * excludes this one and !wait; `err` is not set then and the slot is not locked, whatever it was
 * before. The lock belongs to the open file description: a forked child that keeps lock_fd keeps
 * the lock.
 *
 * Whose image has a user's name that is a symbolic link is not replaced: no exclusive lock
 * (-EEXIST). A lock file of another user's is nobody's to wait for: refused (-EPERM). A reader does
 * without a lock that it can't have (0, lock_fd is -1), and where there is neither an image nor a
 * lock makes none: what it has open stays whole, and copies, working sets and marks name their
 * image.
 */
int store_lock(struct store_slot *slot, enum store_lock mode, bool wait, struct jsnap_error *err);
/* What writers that were killed have left; of one that lives nothing (tempfile.h). Takes no lock.
 */
void store_remove_temporaries(const struct store_slot *slot);
/* The lock file goes with an exclusive lock. */
void store_unlock(struct store_slot *slot);

/* Opens the slot's image for reading after checking owner and mode. The descriptor, or -ENOENT
 * (there is none), -EPERM (refused), ... */
int store_open_image(const struct store_slot *slot, struct jsnap_error *err);
/* The same of a file beside the image, which may be no symbolic link. */
int store_open_beside(const char *path, struct jsnap_error *err);

/* Whether the slot's file of that kind may be replaced: place_check where the names are a user's.
 */
int store_place(const struct store_slot *slot, enum place what, struct jsnap_error *err);

/* Removes image, hot copy, working set and mark (each may be missing; one that is not jsnap's
 * stays). Needs the exclusive lock, whose file goes with it. */
int store_remove(const struct store_slot *slot, struct jsnap_error *err);
/* Hot copy and working set alone. */
int store_remove_copies(const struct store_slot *slot, struct jsnap_error *err);
/* Removes what dead writers left of the slot and, where there is no image, all that is left of one;
 * nothing while somebody works on it. Unlocks the slot. */
void store_tidy(struct store_slot *slot);

struct store_entry {
	char *name;
	char key[KEY_HEX_SIZE];
	char *image;		       /* path */
	uint64_t image_size, hot_size; /* bytes on disk, hot copy with working set; 0: none */
	int64_t mtime_ns, ctime_ns;    /* of the image */
	uint64_t inode;
};

struct store_entries {
	struct store_entry *entries; /* newest first */
	size_t count;
};

/* What is in the store; a store that is not there is empty. */
int store_list(const struct settings *settings, struct store_entries *ret_entries,
	       struct jsnap_error *err);
void store_entries_free(struct store_entries *entries);
#define CLEANUP_STORE_ENTRIES __attribute__((cleanup(store_entries_free)))

/*
 * The slot that `word` names: a path (it has a slash, ends in .jsnap, or is a file here), else a
 * unique NAME or prefix of a KEY in the store. -ENOENT lists what there is, -EINVAL when several
 * match.
 */
int store_find(const struct settings *settings, const char *word, struct store_slot *ret_slot,
	       struct jsnap_error *err);

/* Removes the very snapshot that was listed. -EWOULDBLOCK: it is in use; -ESTALE: another is there
 * by now, or none; `err` is not set then. */
int store_remove_entry(const struct store_entry *entry, struct jsnap_error *err);

/* store_tidy for all of which there are temporary files (snapshot/image/tempfile.h), or locks,
 * marks and copies without an image. */
int store_sweep(const char *path, struct jsnap_error *err);

#endif
