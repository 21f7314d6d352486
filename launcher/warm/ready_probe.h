/*
 * One look at one condition of --ready (ready.h).
 */
#ifndef JSNAP_LAUNCHER_READY_PROBE_H
#define JSNAP_LAUNCHER_READY_PROBE_H

#include "launcher/warm/ready.h"

struct ready_probe {
	const struct ready_condition *condition;
	const struct ready_target *target;
	uint64_t deadline_ns; /* for a question that takes time itself; 0: none */
	bool quiet_only;      /* READY_AUTO: leave out what it has to have reached */
	struct quiet quiet;
	struct http_url url; /* READY_HTTP: the condition's, with addresses once it was looked up */
	uint64_t next_ns;    /* not before: expensive questions are asked less often */
	char missing[160];   /* what was missing at the last look */
};

/* 1 when the condition holds, 0 when not yet (probe->missing says why), negative: it never will. */
int ready_probe_ask(struct ready_probe *probe, struct jsnap_error *err);

#endif
