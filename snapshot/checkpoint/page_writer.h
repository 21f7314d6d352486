/*
 * Writes the page stream beside the reading of it: the target stands still meanwhile, and so do its
 * processors. A few buffers go round between the caller, who fills them, and one thread, which
 * writes them in the order they were submitted. Where no thread can be had the caller writes.
 */
#ifndef JSNAP_CHECKPOINT_PAGE_WRITER_H
#define JSNAP_CHECKPOINT_PAGE_WRITER_H

#include "base/error.h"
#include "checkpoint/stream_room.h"

#include <stddef.h>
#include <stdint.h>

#define PAGE_WRITER_BUFFER (512u << 10)			/* bytes: stays in the processor's cache */
#define PAGE_WRITER_PIECES (PAGE_WRITER_BUFFER / 4096u) /* in one buffer */

struct page_writer;

/* NULL: no memory. `fd` stays the caller's. */
struct page_writer *page_writer_new(int fd);
/* Ends the thread; what was not written by then is not. */
void page_writer_free(struct page_writer *writer);

/* The buffer to fill next, PAGE_WRITER_BUFFER bytes, page aligned; NULL when a write has failed. */
unsigned char *page_writer_buffer(struct page_writer *writer);
/* Part of that buffer that goes to `offset` of the file; at most PAGE_WRITER_PIECES of them. */
void page_writer_add(struct page_writer *writer, const unsigned char *data, size_t size,
		     uint64_t offset);
void page_writer_submit(struct page_writer *writer);

/* Between what was added, in the order of their places; those that memory was short for are
 * missing. Valid until the next call. */
const struct stream_gap *page_writer_gaps(const struct page_writer *writer, size_t *ret_count);

/* Waits until all is written; the first failure. */
int page_writer_drain(struct page_writer *writer, struct jsnap_error *err);

#endif
