/*
 * Walking the PID counter: plain clone hands out the next free number, so the numbers before a
 * wanted one are used up by threads that end at once. Works wherever a program may start a thread,
 * and costs some 15 microseconds a number. It only goes up, until pid_max, and on from
 * RESERVED_PIDS then (kernel/pid.c, alloc_pid).
 */
#ifndef JSNAP_RESTORE_WALK_H
#define JSNAP_RESTORE_WALK_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WALK_RESERVED_PIDS 300	/* RESERVED_PIDS: where the counter goes on after pid_max */
#define WALK_YOUNG	   2048 /* a namespace that has given out fewer is young: a container's */

struct walk_place {   /* the counter of this PID namespace */
	pid_t cursor; /* given out last */
	pid_t pid_max;
};

/* Reads the counter; where /proc doesn't tell, by taking one number. */
int walk_place_read(struct walk_place *ret_place, struct jsnap_error *err);

/* Pure: how many numbers are given out before it is `wanted`'s turn; -1 when it never is, because
 * the counter is past it and will not come back to numbers that low. */
int64_t walk_distance(const struct walk_place *place, pid_t wanted);

/* Pure: whether a walk of `steps` fits the budget; -E2BIG says what it would cost. */
int walk_afford(int64_t steps, uint64_t step_ns, uint64_t budget_ns, struct jsnap_error *err);

/* What one number costs here, ns: the median of samples, so that one in which the processor was
 * somebody else's does not count. Takes WALK_SAMPLES times WALK_SAMPLE numbers. */
#define WALK_SAMPLES 5u
#define WALK_SAMPLE  5u
int walk_measure(uint64_t *ret_step_ns, struct jsnap_error *err);

/*
 * Makes `wanted` the number that is given out next. -ERANGE: the counter is past it. Somebody else
 * may take it all the same: whoever clones has to look at what he got.
 */
int walk_to(pid_t wanted, struct jsnap_error *err);

/* Whether some task has this number. */
bool walk_in_use(pid_t tid);

/* filler_x86_64.c: starts a thread that ends at once; its TID or -errno. Touches no memory. */
long walk_filler(void);

#endif
