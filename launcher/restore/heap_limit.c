/* See heap_limit.h. */
#include "launcher/restore/heap_limit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NOTE "heap.max"

int heap_limit_store(uint64_t heap_max, struct manifest *m, struct jsnap_error *err)
{
	char text[24];

	if (!heap_max)
		return 0;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)heap_max);
	return manifest_set_note(m, NOTE, text, err);
}

int heap_limit_check(const struct manifest *m, uint64_t limit, struct jsnap_error *err)
{
	const char *note = manifest_note(m, NOTE);
	unsigned long long heap = note ? strtoull(note, NULL, 10) : 0;
	uint64_t then = m->n_host ? m->host->memory_limit : UINT64_MAX;

	/* Whoever gave a heap more than its limit from the start wants it so. */
	if (heap <= limit || heap > then)
		return 0;
	error_set(
		err, ENOMEM,
		"the snapshot's Java heap may grow to %llu MiB, and this control group allows %llu "
		"MiB",
		heap >> 20, (unsigned long long)(limit >> 20));
	return error_hint(err, "allow more memory, or take a snapshot here (or with -Xmx)");
}
