/* See read_ahead.h. */
#include "launcher/restore/read_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

/* Runs and the mappings' pieces both ascend by address: one walk over both. The objects' pieces
 * come before, at their offsets, which lie below nearly every mapping; where one does not, a run is
 * read in vain or not at all, and its pages come as they are touched. */
struct walk {
	const struct hot *hot;
	uint32_t piece;
};

/* Where that page is in the file; -1: it was not stored. */
static off_t place_of(struct walk *walk, uint64_t address)
{
	const struct manifest *m = &walk->hot->manifest;
	const struct m_piece *piece;

	while (walk->piece < m->n_pieces &&
	       m->pieces[walk->piece].addr + m->pieces[walk->piece].size <= address)
		walk->piece++;
	if (walk->piece == m->n_pieces)
		return -1;
	piece = &m->pieces[walk->piece];
	if (address < piece->addr)
		return -1;
	return (off_t)(walk->hot->stream_offset + piece->offset + (address - piece->addr));
}

/* A read that would wait for the disk is none (preadv2(2), RWF_NOWAIT); where a file system does
 * not know that, it counts as cached. */
static bool is_cached(const struct hot *hot, const struct working_run *run)
{
	struct walk walk = {.hot = hot};
	off_t at = place_of(&walk, run->start);
	char byte;
	struct iovec one = {&byte, sizeof(byte)};

	return at < 0 || preadv2(hot->fd, &one, 1, at, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

bool read_ahead(const struct hot *hot, const struct working_set *set)
{
	struct walk walk = {.hot = hot};

	if (!set->count ||
	    (is_cached(hot, &set->runs[0]) && is_cached(hot, &set->runs[set->count / 2]) &&
	     is_cached(hot, &set->runs[set->count - 1])))
		return false;
	for (uint32_t i = 0; i < set->count; i++) {
		off_t at = place_of(&walk, set->runs[i].start);

		if (at >= 0)
			posix_fadvise(hot->fd, at, (off_t)(set->runs[i].end - set->runs[i].start),
				      POSIX_FADV_WILLNEED);
	}
	return true;
}
