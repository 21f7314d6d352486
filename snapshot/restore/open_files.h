/*
 * What the cloned child does before it leaves for the restorer: descriptors, each at its number,
 * and the settings that ordinary system calls make. Runs in the child; errors go to the parent.
 */
#ifndef JSNAP_RESTORE_OPEN_FILES_H
#define JSNAP_RESTORE_OPEN_FILES_H

#include "restore/open_tcp.h"
#include "restore/plan.h"

/* The child's view of its descriptors while they are being put in place. */
struct opening {
	const struct plan *plan;
	const struct manifest *m;
	int stream_fd, status_fd; /* high numbers */
	int *files;		  /* by file record: a high-numbered descriptor, -1 not open yet */
	int *objects;		  /* by object record */
	int *sockets;		  /* by socket record */
	struct open_tcp tcp;
	int first_temporary; /* temporaries get this number or more */
};

/* Everything; afterwards the target's descriptors and the plan's are at their numbers and all
 * others are above them, to be closed by the restorer. *status_fd is moved along. */
int open_everything(const struct plan *plan, int *status_fd, struct jsnap_error *err);

/* Gives a new, empty file an object's size and contents. */
/* A descriptor of the object's memory, which is made when it is not there yet. */
int opening_stand_in(struct opening *o, uint32_t index, struct jsnap_error *err);
int opening_fill(struct opening *o, const struct m_object *object, int fd, struct jsnap_error *err);
int open_objects(struct opening *o, struct jsnap_error *err);
/* Sets the watches of every inotify, as late as can be: what is opened later is seen by them. */
int open_inotify_watches(struct opening *o, struct jsnap_error *err);
/* Connections of the program's own sockets to each other that were made by name: before anything
 * listens under these names. */
int open_named_pairs(struct opening *o, struct jsnap_error *err);
int open_socket(struct opening *o, uint32_t index, uint32_t flags, struct jsnap_error *err);

/* Moves a descriptor out of the target's range. Takes ownership; -errno when that fails. */
int opening_lift(const struct opening *o, int fd);

/* Opens a backing file: `flags` as open(2). Makes it again when it is missing, from its kept
 * contents or, with O_CREAT, empty. */
int open_backing(struct opening *o, uint32_t index, int flags, struct jsnap_error *err);

#endif
