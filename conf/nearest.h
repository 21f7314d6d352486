/*
 * The name somebody probably meant: edit distance with transpositions (Damerau's restricted form),
 * within a third of the word's length.
 */
#ifndef JSNAP_CONF_NEAREST_H
#define JSNAP_CONF_NEAREST_H

#include <stddef.h>

#define NEAREST_MAX_LENGTH 64u /* bytes; longer words have no neighbour */

struct nearest {
	const char *word; /* what was written */
	size_t length;
	const char *best; /* NULL while nothing is near enough */
	size_t distance;
};

/* Starts a search for `word` (length bytes). */
void nearest_begin(struct nearest *nearest, const char *word, size_t length);
/* Offers a candidate, which must outlive the search. */
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
