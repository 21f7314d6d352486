/*
 * --cpu x86-64-vN: what makes a JVM, and the C library below it, use no more of the processor than
 * that level has, so that its snapshot lives on every processor of the level (proc/cpu.h).
 */
#ifndef JSNAP_LAUNCHER_CPU_LEVEL_H
#define JSNAP_LAUNCHER_CPU_LEVEL_H

#include "launcher/supervise/environment.h"
#include "launcher/options/settings.h"

#define CPU_LEVEL_MAX_VARS 2u

/* 0: native; else N of x86-64-vN. */
unsigned cpu_level_of(enum cpu_policy policy);

/* -ENOTSUP names what this processor lacks of the level. */
int cpu_level_check(unsigned level, struct jsnap_error *err);

/* JVM options, NULL-terminated; an option of the user's that says otherwise comes later and wins.
 */
const char *const *cpu_level_options(unsigned level);

/* Sets variables that the C library reads at a program's start; with `scrub_native` also those that
 * make its malloc overwrite what is freed. Their strings are returned, owned
 * (free), for they must outlive `env`. */
int cpu_level_environment(unsigned level, bool scrub_native, struct environment *env,
			  char *ret_vars[CPU_LEVEL_MAX_VARS], struct jsnap_error *err);

#endif
