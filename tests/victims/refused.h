/* The kinds of victim_refused, in three files: sockets and others, files, states of the process. */
#ifndef JSNAP_TESTS_VICTIMS_REFUSED_H
#define JSNAP_TESTS_VICTIMS_REFUSED_H

#include "victim.h"

struct refused_kind { /* tables end with one without a name */
	const char *name;
	void (*setup)(void), (*check)(void);
};

extern const struct refused_kind refused_files[], refused_states[];

/* What only root can open comes from the runner (--give) at this number. */
#define GIVEN_FD 9

#endif
