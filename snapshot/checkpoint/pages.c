/* See pages.h. */
#include "checkpoint/pages.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/pagemap_private.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define CHUNK	      (1u << 20) /* bytes copied at a time: stays in the processor's cache */
#define CONGRUENT     (64ull << 10)
#define CONGRUENT_BIG (2ull << 20) /* so that large folios can be mapped by one entry */

struct store {
	struct capture *c;
	const struct pages_source *source;
	enum pages_layout layout;
	uint64_t page;
	unsigned char *buffer; /* CHUNK bytes */
	bool open;	       /* the last piece of the manifest may be extended */
	uint32_t first, count;
};

static int read_source(struct store *s, uint64_t from, size_t size, struct jsnap_error *err)
{
	struct iovec local = {.iov_base = s->buffer, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)from, .iov_len = size};

	if (s->source->fd >= 0) {
		int r = pread_full(s->source->fd, s->buffer, size, (off_t)from);

		if (r == -ENODATA)
			r = 0; /* the tail of a file that is no multiple of pages reads as zeros */
		if (r < 0)
			return error_set(err, -r, "read shared memory of process %d: %s",
					 s->c->options->pid, strerror(-r));
		return 0;
	}
	/* Half the copies of /proc/PID/mem, but it honours PROT_NONE and may be filtered. */
	if (process_vm_readv(s->source->tracee->pid, &local, 1, &remote, 1, 0) == (ssize_t)size)
		return 0;
	return tracee_read(s->source->tracee, remote_at(from), s->buffer, size, err);
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
	const struct checkpoint_options *o = s->c->options;
	struct m_piece *piece = NULL;
	uint64_t at;
	int r = grow_piece(s, addr, size, span, &piece, err);

	if (r < 0)
		return r;
	at = o->stream_offset + piece->offset + (addr - piece->addr);
	r = pwrite_full(o->stream_fd, data, size, (off_t)at);
	if (r < 0)
		return error_set(err, -r, "write the snapshot's pages: %s", strerror(-r));
	s->c->stored_bytes += size;
	return 0;
}

/* Writes the stretches of a chunk that are not all zero. */
static int store_chunk(struct store *s, uint64_t addr, size_t size, uint64_t span,
		       struct jsnap_error *err)
{
	size_t from = 0;
	int r = 0;

	for (size_t at = 0; r == 0 && at <= size; at += s->page) {
		bool zero = at == size || is_zero(s->buffer + at, s->page);

		if (s->layout == PAGES_EXACT && at < size)
			zero = false; /* what lies below is a file's page, not a zero */
		if (!zero)
			continue;
		if (at > from)
			r = write_pages(s, addr + from, s->buffer + from, at - from, span - from,
					err);
		from = at + s->page;
	}
	return r;
}

int pages_store(struct capture *c, const struct pages_source *source, enum pages_layout layout,
		const struct pagemap_runs *runs, uint32_t *ret_first, uint32_t *ret_count,
		struct jsnap_error *err)
{
	CLEANUP_FREE unsigned char *buffer = NULL;
	struct store s = {
		.c = c, .source = source, .layout = layout, .page = c->m->process->page_size};
	int r = 0;

	if (posix_memalign((void **)&buffer, 4096, CHUNK) != 0)
		return error_set(err, ENOMEM, "out of memory");
	s.buffer = buffer;
	for (size_t i = 0; r == 0 && i < runs->count; i++) {
		uint64_t end = runs->runs[i].end;

		for (uint64_t at = runs->runs[i].start; r == 0 && at < end;) {
			size_t size = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

			if (source->fd >= 0)
				memset(buffer, 0, size);
			r = read_source(&s, at, size, err);
			if (r == 0)
				r = store_chunk(&s, at, size, end - at, err);
			at += size;
		}
	}
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
	int r = 0;

	for (; r == 0 && entry && entry < last && entry->start < vma->end; entry++) {
		if (capture_from_stream(c, entry))
			r = capture_between_guards(c, entry->start, entry->end, runs, err);
		else
			r = pagemap_scan(c->pagemap_fd, entry->start, entry->end, PAGEMAP_ANON,
					 runs, err);
	}
	return r;
}

int capture_pages(struct capture *c, struct jsnap_error *err)
{
	struct pages_source source = {.fd = -1, .tracee = &c->tracee};
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m->n_vmas; i++) {
		struct m_vma *vma = &c->m->vmas[i];
		enum pages_layout layout = PAGES_EXACT;

		if (vma->kind != M_VMA_ANON && vma->kind != M_VMA_FILE_PRIVATE &&
		    !(vma->kind == M_VMA_OBJECT && (vma->map_flags & MAP_PRIVATE)))
			continue;
		if (vma->kind == M_VMA_ANON)
			layout = vma->must_be_anon ? PAGES_PACKED : PAGES_MAPPED;
		runs.count = 0;
		r = own_runs(c, vma, &runs, err);
		if (r == 0)
			r = pages_store(c, &source, layout, &runs, &vma->first_piece,
					&vma->n_pieces, err);
	}
	return r;
}
