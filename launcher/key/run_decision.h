/*
 * Restore or start cold, and is a snapshot to be taken? One pure function of facts, so that every
 * answer can be tested and each has its one-line reason.
 */
#ifndef JSNAP_LAUNCHER_RUN_DECISION_H
#define JSNAP_LAUNCHER_RUN_DECISION_H

#include "launcher/options/settings.h"

#include <stdbool.h>

struct run_facts {
	const char *no_snapshot;   /* this command never gets one, and why; or NULL */
	const char *store_problem; /* the store can't be used, and why; or NULL */
	bool no_restore, no_checkpoint;
	bool locked; /* another jsnap takes or replaces this snapshot just now */
	int image;   /* 0: it is there; -ENOENT: it is not; other: it was refused ... */
	const char *image_problem; /* ... and why */
	const char *bad;	   /* a restore from it crashed (probation.h), and how; or NULL */
	const char *stale;	   /* the first difference to today, or NULL */
	int failure;		   /* of the attempt to restore; 0: not tried yet */
	const char *failure_text;
	enum failure_policy on_failure;
};

enum run_action { RUN_RESTORE, RUN_COLD, RUN_FAIL };

struct run_decision {
	enum run_action action;
	const char *kind;  /* RUN_COLD and RUN_FAIL: the reason as one word of few */
	bool take;	   /* RUN_COLD: take a snapshot once it is warm */
	char reason[1100]; /* RUN_COLD and RUN_FAIL */
};

void run_decide(const struct run_facts *facts, struct run_decision *ret_decision);

#endif
