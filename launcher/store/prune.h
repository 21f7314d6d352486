/*
 * Which snapshots of a store are to go: a pure function of what is there and what was asked.
 */
#ifndef JSNAP_LAUNCHER_PRUNE_H
#define JSNAP_LAUNCHER_PRUNE_H

#include "launcher/store/store.h"

#define PRUNE_WHY 1024 /* bytes of a reason */

struct prune_choice {
	bool remove;
	char why[PRUNE_WHY]; /* for people, when it goes */
};

/*
 * Decides about entry i in `choices[i]`; those that are to go already stay so and do not count for
 * the size. `now_ns` is real time. Age first, then the oldest until image and hot copies together
 * are no larger than settings->larger_than.
 */
void prune_choose(const struct settings *settings, const struct store_entries *entries,
		  int64_t now_ns, struct prune_choice *choices);

#endif
