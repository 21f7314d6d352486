/*
 * Is this machine one that a snapshot's process can live on? Pure functions of what was recorded
 * and what is found, so that a test can change each item alone.
 */
#ifndef JSNAP_RESTORE_HOST_H
#define JSNAP_RESTORE_HOST_H

#include "image/manifest.h"
#include "proc/cpu.h"
#include "proc/machine.h"

/* Instructions and extended state; the error names what is missing. */
int host_check_cpu(const struct manifest *m, const struct cpu *here, struct jsnap_error *err);
/* Address space and memory. */
int host_check_machine(const struct manifest *m, const struct machine *here,
		       struct jsnap_error *err);

/* The processor that recorded the threads' extended state, as far as its layout goes. */
void host_layout(const struct manifest *m, struct cpu *ret_cpu);

#endif
