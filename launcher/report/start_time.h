/*
 * When this process was started, for the times that jsnap reports: a user counts from the command,
 * not from the moment some function was called. main marks it first of all; what exec and the
 * dynamic linker took before main (about a millisecond) is not in it.
 */
#ifndef JSNAP_LAUNCHER_START_TIME_H
#define JSNAP_LAUNCHER_START_TIME_H

#include <stdint.h>

void start_time_mark(void);
double start_time_elapsed_ms(void);
uint64_t start_time_ns(void); /* CLOCK_MONOTONIC */

#endif
