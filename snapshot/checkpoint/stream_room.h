/*
 * Memory for the page stream, had while the target still runs: the price of a page that is written
 * for the first time is the page, not the copy (measured: 2 us for a new one, up to 10 where the
 * host has to back it, 0.5 for one that is there), and the target would pay it standing still.
 */
#ifndef JSNAP_CHECKPOINT_STREAM_ROOM_H
#define JSNAP_CHECKPOINT_STREAM_ROOM_H

#include <stddef.h>
#include <stdint.h>

/* Writes zeros to [offset, offset + bytes) of the empty file, where memory is plentiful. Returns
 * how many, for checkpoint_options.stream_room; failures only make it fewer. */
uint64_t stream_room_make(int fd, uint64_t offset, uint64_t bytes);

struct stream_gap { /* of the file */
	uint64_t start, end;
};

/* Afterwards: what of the room holds nothing becomes holes again, and the file ends at `end`. */
void stream_room_return(int fd, uint64_t offset, uint64_t room, const struct stream_gap *gaps,
			size_t n_gaps, uint64_t end);

#endif
