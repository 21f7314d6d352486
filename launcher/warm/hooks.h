/*
 * Commands and pages of the user's before a snapshot and after a restore (--before-checkpoint,
 * --after-restore): what an application needs that cooperates in no other way.
 */
#ifndef JSNAP_LAUNCHER_HOOKS_H
#define JSNAP_LAUNCHER_HOOKS_H

#include "launcher/options/settings.h"
#include "launcher/warm/ready.h"

/* One after the other, each within `timeout_ns` (0: no limit), until one fails; `what` names the
 * option in messages. */
int hooks_run(const char *what, const char *const *steps, size_t n, uint64_t timeout_ns,
	      const struct ready_target *target, struct jsnap_error *err);

/* Whether they are what a hook can be, before anything is started. */
int hooks_check(const struct settings *settings, struct jsnap_error *err);

/* --after-restore: of a program that was restored, or goes on after a snapshot, once its resources
 * of org.crac were told, but for those of one that asked for the snapshot itself. It stays whatever
 * becomes of them: a failure is a line in the log. */
void hooks_after_restore(const struct settings *settings, const struct ready_target *target);

#endif
