/* See nearest.h. */
#include "conf/nearest.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][NEAREST_MAX_LENGTH + 1];

	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t substitute = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = least(substitute, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

void nearest_begin(struct nearest *nearest, const char *word, size_t length)
{
	*nearest = (struct nearest){.word = word, .length = length, .distance = length / 3 + 1};
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t length = strlen(candidate), distance;

	if (nearest->length > NEAREST_MAX_LENGTH || length > NEAREST_MAX_LENGTH)
		return;
	distance = edit_distance(nearest->word, nearest->length, candidate, length);
	if (distance < nearest->distance + (nearest->best ? 0 : 1)) {
		nearest->best = candidate;
		nearest->distance = distance;
	}
}
