/*
 * Has an application gone quiet? A pure function over samples: through a whole window it used
 * little processor time, loaded next to no classes and compiled little. One slow moment is not
 * quiet, and neither is a busy loop that loads nothing.
 *
 * Where clients ask it without a pause it never is. So one that has clients counts as quiet when
 * for longer it has loaded and compiled as little, whatever the processors it used.
 */
#ifndef JSNAP_LAUNCHER_QUIET_H
#define JSNAP_LAUNCHER_QUIET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIET_SAMPLES 64u

#define QUIET_INTERVAL_NS 50000000ull  /* between samples */
#define QUIET_WINDOW_NS	  400000000ull /* how long it has to be quiet */
#define QUIET_CPU_PERCENT 15u	       /* of one processor */
#define QUIET_CLASSES	  5u	       /* loaded within a window */
#define QUIET_COMPILES	  40u	       /* compiled within a window */
#define QUIET_SERVING	  5u	       /* windows that one with clients has to be quiet for */

struct quiet_sample {
	uint64_t time_ns, cpu_ns;
	uint64_t classes, compiles; /* so far; 0 when unknown */
	bool serves;		    /* a client is connected to a port it listens on */
};

struct quiet { /* all zeros at the start */
	struct quiet_sample samples[QUIET_SAMPLES];
	size_t count, next;
};

/* Adds a sample (times ascend) and tells whether the window that ends with it was quiet.
 * *ret_cpu_percent (may be NULL) is the use of processors in it. */
bool quiet_add(struct quiet *quiet, const struct quiet_sample *sample, unsigned *ret_cpu_percent);

#endif
