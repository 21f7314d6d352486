/*
 * A twin of the stopped process: its memory as it is at this moment, shared with it copy on write
 * (clone(2) without CLONE_VM), in a process that never runs. The pages are read from the twin when
 * the process goes on already, so that its pause does not grow with what it holds.
 *
 * The twin is a child of this process's own (CLONE_PARENT), so the target must be one too. It
 * shares the target's descriptors (CLONE_FILES): what the target closes is closed. It is traced and
 * dies with the tracing thread (PTRACE_O_EXITKILL); should that die before it could say so, the
 * twin leaves its call into exit_group(2).
 *
 * Where no twin can be had (somebody else's child, memory that fork(2) does not copy, limits,
 * filters) the pages are read in the pause. The marks of mappings (VmFlags) cost a walk through all
 * page tables: they are read before the pause, believed if the mappings are the same in it, and
 * compared with the twin's afterwards, which are those of the moment: advice given in between is
 * taken over from there.
 */
#ifndef JSNAP_CHECKPOINT_TWIN_H
#define JSNAP_CHECKPOINT_TWIN_H

#include "checkpoint/capture.h"

/* Whether a process with these mappings can have a twin. */
bool twin_possible(pid_t pid, const struct maps *maps);
/* In the pause, in place of maps_read: sets c->maps. */
int twin_read_maps(struct capture *c, struct jsnap_error *err);
/* A phase, with the leader still redirected. Without a twin the maps are certain when it returns.
 */
int twin_make(struct capture *c, struct jsnap_error *err);
/* After the release. -EAGAIN: marks that decide how memory is read were changed just before the
 * pause. */
int twin_check(struct capture *c, struct jsnap_error *err);
void twin_end(struct capture *c);

#endif
