/* See pages.h. */
#include "checkpoint/pages.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "checkpoint/page_writer.h"
#include "proc/pagemap_private.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define CONGRUENT     (64ull << 10)
#define CONGRUENT_BIG MANIFEST_PIECE_GAP /* so that large folios can be mapped by one entry */

#define BATCH 256 /* stretches read by one system call; IOV_MAX is 1024 */

struct store {
	struct capture *c;
	const struct pages_source *source;
	enum pages_layout layout;
	uint64_t page;
	bool open; /* the last piece of the manifest may be extended */
	uint32_t first, count;
	/* What goes into the next buffer, in one system call. */
	struct iovec parts[BATCH];
	uint64_t spans[BATCH]; /* from a part to the end of its run */
	size_t n_parts, bytes;
};

static int read_file_part(struct store *s, const struct iovec *part, unsigned char *buffer,
			  struct jsnap_error *err)
{
	int r;

	memset(buffer, 0, part->iov_len);
	r = pread_full(s->source->fd, buffer, part->iov_len, (off_t)part->iov_base);
	/* The tail of a file that is no multiple of pages reads as zeros. */
	if (r < 0 && r != -ENODATA)
		return error_set(err, -r, "read shared memory of process %d: %s",
				 s->c->options->pid, strerror(-r));
	return 0;
}

static int read_batch(struct store *s, unsigned char *buffer, struct jsnap_error *err)
{
	struct iovec local = {.iov_base = buffer, .iov_len = s->bytes};
	int r = 0;

	/* Half the copies of /proc/PID/mem, but it honours PROT_NONE and may be filtered. */
	if (s->source->fd < 0 && process_vm_readv(s->source->tracee->pid, &local, 1, s->parts,
						  s->n_parts, 0) == (ssize_t)s->bytes)
		return 0;
	for (size_t i = 0; r == 0 && i < s->n_parts; buffer += s->parts[i++].iov_len)
		r = s->source->fd >= 0 ? read_file_part(s, &s->parts[i], buffer, err)
				       : tracee_read(s->source->tracee,
						     remote_at((uint64_t)s->parts[i].iov_base),
						     buffer, s->parts[i].iov_len, err);
	return r;
}

static bool is_zero(const unsigned char *page, size_t size)
{
	const uint64_t *words = (const uint64_t *)page;

	for (size_t i = 0; i < size / sizeof(*words); i += 8)
		if (words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] |
		    words[i + 5] | words[i + 6] | words[i + 7])
			return false;
	return true;
}

/* Where in the stream a new piece for `addr` begins. Its final size is not known yet: the span that
 * is left of its run is the best guess for which alignment pays. */
static uint64_t place(const struct store *s, uint64_t addr, uint64_t span)
{
	uint64_t end = s->c->m->process->stream_size;
	uint64_t unit = span >= CONGRUENT_BIG ? CONGRUENT_BIG : CONGRUENT;

	if (s->layout != PAGES_MAPPED)
		return end;
	return end + ((addr - end) & (unit - 1));
}

static int grow_piece(struct store *s, uint64_t addr, uint64_t size, uint64_t span,
		      struct m_piece **ret_piece, struct jsnap_error *err)
{
	uint64_t bridge = s->layout == PAGES_MAPPED ? PAGES_BRIDGE * s->page : 0;
	struct manifest *m = s->c->m;
	struct m_piece *piece = s->open ? &m->pieces[m->n_pieces - 1] : NULL;

	if (!piece || addr - (piece->addr + piece->size) > bridge) {
		piece = MANIFEST_ADD(m, pieces);
		if (!piece)
			return error_set(err, ENOMEM, "too many stretches of memory");
		*piece = (struct m_piece){.addr = addr, .offset = place(s, addr, span)};
		if (s->count++ == 0)
			s->first = m->n_pieces - 1;
		s->open = true;
	}
	piece->size = addr + size - piece->addr;
	m->process->stream_size = piece->offset + piece->size;
	*ret_piece = piece;
	return 0;
}

static int write_pages(struct store *s, uint64_t addr, const unsigned char *data, size_t size,
		       uint64_t span, struct jsnap_error *err)
{
	struct m_piece *piece = NULL;
	int r = grow_piece(s, addr, size, span, &piece, err);

	if (r < 0)
		return r;
	page_writer_add(s->c->writer, data, size,
			s->c->options->stream_offset + piece->offset + (addr - piece->addr));
	s->c->stored_bytes += size;
	return 0;
}

/* Hands the stretches of a part that are not all zero to the writer. */
static int store_part(struct store *s, uint64_t addr, const unsigned char *data, size_t size,
		      uint64_t span, struct jsnap_error *err)
{
	size_t from = 0;
	int r = 0;

	for (size_t at = 0; r == 0 && at <= size; at += s->page) {
		bool zero = at == size || is_zero(data + at, s->page);

		if (s->layout == PAGES_EXACT && at < size)
			zero = false; /* what lies below is a file's page, not a zero */
		if (!zero)
			continue;
		if (at > from)
			r = write_pages(s, addr + from, data + from, at - from, span - from, err);
		from = at + s->page;
	}
	return r;
}

static void zero_dead(const struct store *s, uint64_t addr, unsigned char *data, size_t size)
{
	uint64_t end = s->source->zero_until;

	if (end > addr)
		memset(data, 0, end - addr < size ? (size_t)(end - addr) : size);
}

static int flush(struct store *s, struct jsnap_error *err)
{
	unsigned char *buffer = page_writer_buffer(s->c->writer);
	int r = buffer ? read_batch(s, buffer, err) : page_writer_drain(s->c->writer, err);

	for (size_t i = 0; r == 0 && i < s->n_parts; buffer += s->parts[i++].iov_len) {
		zero_dead(s, (uint64_t)s->parts[i].iov_base, buffer, s->parts[i].iov_len);
		r = store_part(s, (uint64_t)s->parts[i].iov_base, buffer, s->parts[i].iov_len,
			       s->spans[i], err);
	}
	page_writer_submit(s->c->writer);
	s->n_parts = s->bytes = 0;
	return r;
}

static int store_run(struct store *s, uint64_t at, uint64_t end, struct jsnap_error *err)
{
	int r = 0;

	while (r == 0 && at < end) {
		size_t room = PAGE_WRITER_BUFFER - s->bytes;
		size_t size = end - at < room ? (size_t)(end - at) : room;

		s->spans[s->n_parts] = end - at;
		s->parts[s->n_parts++] = (struct iovec){.iov_base = (void *)at, .iov_len = size};
		s->bytes += size;
		at += size;
		if (s->bytes == PAGE_WRITER_BUFFER || s->n_parts == BATCH)
			r = flush(s, err);
	}
	return r;
}

int pages_store(struct capture *c, const struct pages_source *source, enum pages_layout layout,
		const struct pagemap_runs *runs, uint32_t *ret_first, uint32_t *ret_count,
		struct jsnap_error *err)
{
	struct store s = {
		.c = c, .source = source, .layout = layout, .page = c->m->process->page_size};
	int r = 0;

	if (!c->writer)
		c->writer = page_writer_new(c->options->stream_fd);
	if (!c->writer)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < runs->count; i++)
		r = store_run(&s, runs->runs[i].start, runs->runs[i].end, err);
	if (r == 0 && s.n_parts)
		r = flush(&s, err);
	*ret_first = s.first;
	*ret_count = s.count;
	return r;
}

/* The pages a mapping owns; of an earlier restore's stream, all. */
static int own_runs(struct capture *c, const struct m_vma *vma, struct pagemap_runs *runs,
		    struct jsnap_error *err)
{
	const struct maps_entry *entry = maps_find(&c->maps, vma->start);
	const struct maps_entry *last = c->maps.entries + c->maps.count;
	int pagemap_fd = c->twin.pid ? c->twin_pagemap_fd : c->pagemap_fd;
	int r = 0;

	for (; r == 0 && entry && entry < last && entry->start < vma->end; entry++) {
		if (capture_from_stream(c, entry))
			r = capture_between_guards(c, entry->start, entry->end, runs, err);
		else
			r = pagemap_scan(pagemap_fd, entry->start, entry->end, PAGEMAP_ANON, runs,
					 err);
	}
	return r;
}

int capture_pages(struct capture *c, struct jsnap_error *err)
{
	struct pages_source source = {.fd = -1, .tracee = c->twin.pid ? &c->twin : &c->tracee};
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m->n_vmas; i++) {
		struct m_vma *vma = &c->m->vmas[i];
		enum pages_layout layout = PAGES_EXACT;

		/* The kernel may drop these pages at any time, and their owner counts on that: a
		 * generator's state (vgetrandom(3)) must not come back twice. */
		if (vma->vmflags & MAPS_VM_DROPPABLE)
			continue;
		if (vma->kind != M_VMA_ANON && vma->kind != M_VMA_FILE_PRIVATE &&
		    !(vma->kind == M_VMA_OBJECT && (vma->map_flags & MAP_PRIVATE)))
			continue;
		if (vma->kind == M_VMA_ANON)
			layout = vma->must_be_anon ? PAGES_PACKED : PAGES_MAPPED;
		source.zero_until = c->dead_ends[i];
		runs.count = 0;
		r = own_runs(c, vma, &runs, err);
		if (r == 0)
			r = pages_store(c, &source, layout, &runs, &vma->first_piece,
					&vma->n_pieces, err);
	}
	return r;
}

int capture_written(struct capture *c, struct jsnap_error *err)
{
	return c->writer ? page_writer_drain(c->writer, err) : 0;
}
