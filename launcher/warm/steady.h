/*
 * Has a warm-up levelled off? A pure function over rounds of it: the compilers have next to nothing
 * to do any more and a request takes no less time than before. Both have to hold for STEADY_ROUNDS
 * rounds in a row: latency alone stands still for a while before the second compiler begins.
 */
#ifndef JSNAP_LAUNCHER_STEADY_H
#define JSNAP_LAUNCHER_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#define STEADY_ROUND_NS	       500000000ull /* how long a round takes at least */
#define STEADY_ROUND_REQUESTS  50u	    /* and how many requests */
#define STEADY_ROUNDS	       4u
#define STEADY_COMPILES	       10u /* methods a second, at most */
#define STEADY_LATENCY_PERCENT 5u  /* by which a round may be better than the best before it */

struct steady_round {
	uint64_t elapsed_ns;
	uint64_t requests;
	uint64_t latency_ns; /* mean, of a request */
	uint64_t compiles;   /* in this round */
};

struct steady {		  /* all zeros at the start */
	uint64_t best_ns; /* lowest latency so far; 0: none */
	unsigned level;	  /* rounds in a row that brought nothing */
};

/* Adds a round; true when the last STEADY_ROUNDS have brought nothing any more. */
bool steady_add(struct steady *steady, const struct steady_round *round);

#endif
