/*
 * Do two restores of one snapshot share random numbers? Restores it twice, one after the other, has
 * the agent draw from each source, and compares. The application does not run meanwhile: its
 * threads are held from the snapshot on, and the restored process is killed with them held.
 */
#ifndef JSNAP_LAUNCHER_UNIQUENESS_H
#define JSNAP_LAUNCHER_UNIQUENESS_H

#include "agent/message.h"
#include "launcher/options/settings.h"
#include "launcher/store/store.h"

#include <stdbool.h>

/* 0: nothing is shared, and `words` says what was compared. 1: `words` says what is. `image_fd`
 * stays the caller's. */
int uniqueness_check(const struct settings *settings, int image_fd, const struct store_slot *slot,
		     char *words, size_t size, struct jsnap_error *err);

/* Pure: as above, of two answers of the agent, whose samples are "sample" fields
 * "SOURCE=VALUE,VALUE,...". Its "own" fields, of generators that are left alone, are words alone.
 */
int uniqueness_compare(const struct agent_payload *first, const struct agent_payload *second,
		       char *words, size_t size, struct jsnap_error *err);

#endif
