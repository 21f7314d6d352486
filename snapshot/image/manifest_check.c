/*
 * The invariants of manifest.h, one function for each table.
 *
 * What a record's kind leaves unused is not looked at. Everything that restore follows is checked
 * here, once: offsets, indices, order, alignment. Work is linear in the manifest's size.
 */
#include "image/manifest.h"

#include "base/cleanup.h"
#include "image/manifest_tables.h"
#include "image/messages.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define CHECK_PAGE	4096u
#define CHECK_ADDR_MAX	(1ull << 56) /* user addresses end there with five-level page tables */
#define CHECK_TID_MAX	4194304u     /* PID_MAX_LIMIT, include/linux/threads.h */
#define CHECK_VDSO_MAX	(1u << 20)
#define CHECK_XSAVE_MAX 65536u

#define BAD(...) error_set(err, EBADMSG, "manifest: " __VA_ARGS__)

static bool string_ok(const struct manifest *m, uint32_t offset)
{
	return offset < m->strings_size; /* the pool ends with NUL, so every string does */
}

static bool blob_ok(const struct manifest *m, struct m_blob blob, uint32_t max)
{
	if (!blob.size)
		return !blob.offset;
	return blob.size <= max && blob.offset % MANIFEST_ALIGN == 0 &&
	       blob.offset <= m->blobs_size && blob.size <= m->blobs_size - blob.offset;
}

static bool index_ok(uint32_t index, uint32_t count)
{
	return index < count;
}

static bool index_or_none(uint32_t index, uint32_t count)
{
	return index == MANIFEST_NONE || index < count;
}

static bool aligned(uint64_t value)
{
	return value % CHECK_PAGE == 0;
}

static int check_pools(const struct manifest *m, struct jsnap_error *err)
{
	if (m->strings_size == 0 || m->strings_size > MANIFEST_STRINGS_MAX ||
	    m->strings[0] != '\0' || m->strings[m->strings_size - 1] != '\0')
		return BAD("the string pool does not begin and end with NUL");
	if (m->blobs_size > MANIFEST_BLOBS_MAX)
		return BAD("the blob pool has %u bytes, more than allowed", m->blobs_size);
	return 0;
}

static int check_process(const struct manifest *m, struct jsnap_error *err)
{
	const struct m_process *p = m->process;

	if (m->n_process != 1)
		return BAD("%u process records, there must be one", m->n_process);
	if (p->page_size != CHECK_PAGE)
		return BAD("page size %llu, only %u is supported", (unsigned long long)p->page_size,
			   CHECK_PAGE);
	if (!aligned(p->stream_size) || p->stream_size > MANIFEST_STREAM_MAX)
		return BAD("process: bad page stream size %llu",
			   (unsigned long long)p->stream_size);
	if (!index_or_none(p->exe_backing, m->n_backings))
		return BAD("process: executable is backing %u of %u", p->exe_backing,
			   m->n_backings);
	if (!string_ok(m, p->cwd))
		return BAD("process: working folder outside the string pool");
	if (!blob_ok(m, p->auxv, 4096) || p->auxv.size % 16)
		return BAD("process: bad auxiliary vector");
	if (!blob_ok(m, p->vdso, CHECK_VDSO_MAX))
		return BAD("process: bad vDSO");
	return 0;
}

static bool thread_exists(const struct manifest *m, uint32_t tid)
{
	uint32_t low = 0, high = m->n_threads;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->threads[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->n_threads && m->threads[low].tid == tid;
}

static int check_threads(const struct manifest *m, struct jsnap_error *err)
{
	uint32_t previous = 0;

	for (uint32_t i = 0; i < m->n_threads; i++) {
		const struct m_thread *t = &m->threads[i];

		if (t->tid <= previous || t->tid > CHECK_TID_MAX)
			return BAD("thread %u: TID %u after TID %u", i, t->tid, previous);
		previous = t->tid;
		if (!memchr(t->comm, '\0', sizeof(t->comm)))
			return BAD("thread %u (TID %u): its name does not end", i, t->tid);
		if (t->restart > M_RESTART_ABSOLUTE_BOOTTIME)
			return BAD("thread %u (TID %u): unknown restart kind %u", i, t->tid,
				   t->restart);
		if (!blob_ok(m, t->affinity, CHECK_PAGE) || !blob_ok(m, t->xsave, CHECK_XSAVE_MAX))
			return BAD("thread %u (TID %u): bad affinity or XSAVE bytes", i, t->tid);
	}
	if (m->n_threads && !thread_exists(m, m->process->pid))
		return BAD("no thread has the process's PID %u", m->process->pid);
	return 0;
}

/* A run of pieces of one owner, whose pages are [start, end). `owned` counts over all owners: a
 * piece has one owner, which also bounds this function's work. */
static int check_run(const struct manifest *m, const char *owner, uint32_t index, uint32_t first,
		     uint32_t count, uint64_t start, uint64_t end, uint64_t *owned,
		     struct jsnap_error *err)
{
	*owned += count;
	if (!count)
		return 0;
	if (*owned > m->n_pieces || first > m->n_pieces || count > m->n_pieces - first)
		return BAD("%s %u: pieces %u to %llu of %u", owner, index, first,
			   (unsigned long long)first + count - 1, m->n_pieces);
	for (uint32_t i = first; i < first + count; i++) {
		const struct m_piece *piece = &m->pieces[i];

		if (piece->addr < start || piece->addr > end || piece->size > end - piece->addr)
			return BAD("%s %u: piece %u is outside it or out of order", owner, index,
				   i);
		start = piece->addr + piece->size;
	}
	return 0;
}

static int check_pieces(const struct manifest *m, struct jsnap_error *err)
{
	uint64_t stream = m->process->stream_size, end = 0;

	for (uint32_t i = 0; i < m->n_pieces; i++) {
		const struct m_piece *p = &m->pieces[i];

		if (!p->size || !aligned(p->size) || !aligned(p->addr) || !aligned(p->offset))
			return BAD("piece %u is empty or not page aligned", i);
		if (p->offset > stream || p->size > stream - p->offset)
			return BAD("piece %u lies outside the page stream", i);
		if (p->offset < end || p->offset - end >= MANIFEST_PIECE_GAP)
			return BAD("piece %u does not follow the one before it in the page stream",
				   i);
		end = p->offset + p->size;
	}
	if (end != stream)
		return BAD("the page stream has %llu bytes, and its pieces end after %llu",
			   (unsigned long long)stream, (unsigned long long)end);
	return 0;
}

static int check_vma_backing(const struct manifest *m, uint32_t i, struct jsnap_error *err)
{
	const struct m_vma *v = &m->vmas[i];

	switch (v->kind) {
	case M_VMA_FILE_SHARED:
		if (v->n_pieces)
			return BAD("VMA %u is a shared file and has pieces", i);
		/* fall through */
	case M_VMA_FILE_PRIVATE:
		if (!index_ok(v->backing, m->n_backings))
			return BAD("VMA %u: backing %u of %u", i, v->backing, m->n_backings);
		return 0;
	case M_VMA_OBJECT:
		if (!index_ok(v->backing, m->n_objects))
			return BAD("VMA %u: object %u of %u", i, v->backing, m->n_objects);
		return 0;
	case M_VMA_ANON:
	case M_VMA_VDSO:
	case M_VMA_VVAR:
		return 0;
	}
	return BAD("VMA %u: unknown kind %u", i, v->kind);
}

static int check_vmas(const struct manifest *m, uint64_t *owned, struct jsnap_error *err)
{
	uint64_t previous = 0;

	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const struct m_vma *v = &m->vmas[i];
		int r;

		if (!aligned(v->start) || !aligned(v->end) || !aligned(v->offset))
			return BAD("VMA %u is not page aligned", i);
		if (v->start < previous || v->start >= v->end || v->end > CHECK_ADDR_MAX)
			return BAD("VMA %u: %#llx-%#llx is empty, out of order or out of range", i,
				   (unsigned long long)v->start, (unsigned long long)v->end);
		previous = v->end;
		if (!string_ok(m, v->name))
			return BAD("VMA %u: its name is outside the string pool", i);
		r = check_vma_backing(m, i, err);
		if (r == 0)
			r = check_run(m, "VMA", i, v->first_piece, v->n_pieces, v->start, v->end,
				      owned, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_objects(const struct manifest *m, uint64_t *owned, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_objects; i++) {
		const struct m_object *o = &m->objects[i];
		int r;

		if (o->kind > M_OBJECT_DELETED_FILE)
			return BAD("object %u: unknown kind %u", i, o->kind);
		if (o->read_through > M_READ_THROUGH_MEMORY)
			return BAD("object %u: unknown way %u to its contents", i, o->read_through);
		if (o->size > CHECK_ADDR_MAX)
			return BAD("object %u: impossible size %llu", i,
				   (unsigned long long)o->size);
		if (!string_ok(m, o->name))
			return BAD("object %u: its name is outside the string pool", i);
		r = check_run(m, "object", i, o->first_piece, o->n_pieces, 0,
			      (o->size + CHECK_PAGE - 1) & -(uint64_t)CHECK_PAGE, owned, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* As the kernel tells them: absolute, and without ".." to make one place look like another. */
static bool path_ok(const char *path)
{
	size_t length = strlen(path);

	return *path == '/' && !strstr(path, "/../") &&
	       (length < 3 || strcmp(path + length - 3, "/..") != 0);
}

static int check_backings(const struct manifest *m, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_backings; i++) {
		const struct m_backing *b = &m->backings[i];

		if (!string_ok(m, b->path))
			return BAD("backing %u: its path is outside the string pool", i);
		if (!path_ok(manifest_str(m, b->path)))
			return BAD("backing %u: no absolute path", i);
		if (!index_or_none(b->content_object, m->n_objects))
			return BAD("backing %u: contents are object %u of %u", i, b->content_object,
				   m->n_objects);
		if (!blob_ok(m, b->build_id, 1024))
			return BAD("backing %u: bad build ID", i);
	}
	return 0;
}

static int check_files(const struct manifest *m, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_files; i++) {
		const struct m_file *f = &m->files[i];
		uint32_t limit = f->kind == M_FILE_PATH	    ? m->n_backings
				 : f->kind == M_FILE_OBJECT ? m->n_objects
				 : f->kind == M_FILE_SOCKET ? m->n_sockets
							    : MANIFEST_NONE;

		if (f->kind > M_FILE_CLOSED)
			return BAD("file %u: unknown kind %u", i, f->kind);
		if (limit != MANIFEST_NONE && !index_ok(f->target, limit))
			return BAD("file %u: target %u of %u", i, f->target, limit);
		if (!string_ok(m, f->name))
			return BAD("file %u: its name is outside the string pool", i);
		if (!blob_ok(m, f->data, MANIFEST_BLOBS_MAX))
			return BAD("file %u: its data is outside the blob pool", i);
	}
	return 0;
}

static int check_fds(const struct manifest *m, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_fds; i++) {
		if (m->fds[i].fd >= INT32_MAX || (i && m->fds[i].fd <= m->fds[i - 1].fd))
			return BAD("descriptor record %u: number %u is out of order or range", i,
				   m->fds[i].fd);
		if (!index_ok(m->fds[i].file, m->n_files))
			return BAD("descriptor %u: file %u of %u", m->fds[i].fd, m->fds[i].file,
				   m->n_files);
	}
	return 0;
}

static bool options_ok(const struct manifest *m, struct m_blob blob)
{
	const char *bytes = blob.size ? manifest_bytes(m, blob) : NULL;
	uint64_t at = 0;

	while (at < blob.size) {
		struct m_sockopt option;

		if (blob.size - at < sizeof(option))
			return false;
		memcpy(&option, bytes + at, sizeof(option));
		at += sizeof(option);
		if (option.size > blob.size - at)
			return false;
		at += ((uint64_t)option.size + 7) & ~7ull;
	}
	return at == blob.size;
}

static bool messages_ok(const struct manifest *m, struct m_blob blob)
{
	const char *bytes = blob.size ? manifest_bytes(m, blob) : NULL;
	uint32_t count = 0;
	uint64_t at = 0;

	while (at < blob.size) {
		uint32_t length;

		if (count++ == MESSAGES_COUNT_MAX || blob.size - at < sizeof(length))
			return false;
		memcpy(&length, bytes + at, sizeof(length));
		at += sizeof(length);
		if (length > blob.size - at)
			return false;
		at += ((uint64_t)length + 3) & ~3ull;
	}
	return at == blob.size;
}

static int check_sockets(const struct manifest *m, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_sockets; i++) {
		const struct m_socket *s = &m->sockets[i];

		if (s->state > M_SOCKET_RESET)
			return BAD("socket %u: unknown state %u", i, s->state);
		if (!index_or_none(s->peer, m->n_sockets))
			return BAD("socket %u: peer %u of %u", i, s->peer, m->n_sockets);
		if (!blob_ok(m, s->local, sizeof(struct sockaddr_storage)) ||
		    !blob_ok(m, s->remote, sizeof(struct sockaddr_storage)))
			return BAD("socket %u: bad address", i);
		if (!blob_ok(m, s->options, 1u << 20) || !options_ok(m, s->options))
			return BAD("socket %u: bad options", i);
		if (!blob_ok(m, s->data, MESSAGES_BYTES_MAX) || !messages_ok(m, s->data))
			return BAD("socket %u: bad unread data", i);
		if (s->state == M_SOCKET_PAIR && s->peer != MANIFEST_NONE &&
		    (s->peer == i || m->sockets[s->peer].peer != i ||
		     m->sockets[s->peer].state != M_SOCKET_PAIR))
			return BAD("socket %u: its peer %u is not connected to it", i, s->peer);
	}
	return 0;
}

static bool file_is(const struct manifest *m, uint32_t index, uint32_t kind)
{
	return index_ok(index, m->n_files) && m->files[index].kind == kind;
}

static int check_watchers(const struct manifest *m, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_epoll_targets; i++)
		if (!file_is(m, m->epoll_targets[i].file, M_FILE_EPOLL))
			return BAD("epoll target %u: file %u is not an epoll", i,
				   m->epoll_targets[i].file);
	for (uint32_t i = 0; i < m->n_epoll_targets; i++)
		if (m->epoll_targets[i].target_file >= m->n_files ||
		    m->epoll_targets[i].fd >= INT32_MAX)
			return BAD("epoll target %u: file %u does not exist", i,
				   m->epoll_targets[i].target_file);
	return 0;
}

static int check_inotify(const struct manifest *m, struct jsnap_error *err)
{
	const struct m_inotify_watch *before = NULL;

	for (uint32_t i = 0; i < m->n_inotify_watches; i++) {
		const struct m_inotify_watch *w = &m->inotify_watches[i];

		if (!file_is(m, w->file, M_FILE_INOTIFY))
			return BAD("inotify watch %u: file %u is not an inotify", i, w->file);
		if (w->wd < 1 || w->wd > MANIFEST_WD_MAX)
			return BAD("inotify watch %u: bad number %u", i, w->wd);
		if (before &&
		    (w->file < before->file || (w->file == before->file && w->wd <= before->wd)))
			return BAD("inotify watch %u: number %u is out of order", i, w->wd);
		if (!string_ok(m, w->path) || !path_ok(manifest_str(m, w->path)))
			return BAD("inotify watch %u: no absolute path", i);
		before = w;
	}
	return 0;
}

static int check_signals(const struct manifest *m, struct jsnap_error *err)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < m->n_sigactions; i++) {
		uint32_t signo = m->sigactions[i].signo;

		if (signo < 1 || signo > 64 || seen >> (signo - 1) & 1)
			return BAD("signal disposition %u: bad or repeated signal %u", i, signo);
		seen |= 1ull << (signo - 1);
	}
	for (uint32_t i = 0; i < m->n_siginfos; i++)
		if (m->siginfos[i].tid && !thread_exists(m, m->siginfos[i].tid))
			return BAD("pending signal %u: no thread %u", i, m->siginfos[i].tid);
	for (uint32_t i = 1; i < m->n_posix_timers; i++)
		if (m->posix_timers[i].id <= m->posix_timers[i - 1].id)
			return BAD("POSIX timer record %u: id %u is out of order", i,
				   m->posix_timers[i].id);
	return 0;
}

static int check_locks(const struct manifest *m, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_locks; i++) {
		const struct m_lock *l = &m->locks[i];

		if (!index_ok(l->fd, m->n_fds))
			return BAD("lock %u: descriptor record %u of %u", i, l->fd, m->n_fds);
		if (l->kind > M_LOCK_OFD || (l->type != F_RDLCK && l->type != F_WRLCK))
			return BAD("lock %u: unknown kind %u or type %u", i, l->kind, l->type);
		if (l->start > INT64_MAX || l->length > INT64_MAX - l->start)
			return BAD("lock %u: its range ends beyond any file", i);
	}
	return 0;
}

static bool may_have_guards(const struct m_vma *vma)
{
	return vma->kind != M_VMA_VDSO && vma->kind != M_VMA_VVAR;
}

/* After the VMAs, which are then known to ascend. */
static int check_guards(const struct manifest *m, struct jsnap_error *err)
{
	uint64_t floor = 0;
	uint32_t v = 0;

	for (uint32_t i = 0; i < m->n_guards; i++) {
		const struct m_guard *g = &m->guards[i];

		if (!aligned(g->start) || !aligned(g->end) || g->start >= g->end ||
		    g->start < floor || g->end > CHECK_ADDR_MAX)
			return BAD("guard %u: %llx-%llx is not a range above the one before", i,
				   (unsigned long long)g->start, (unsigned long long)g->end);
		floor = g->end;
		while (v < m->n_vmas && m->vmas[v].end <= g->start)
			v++;
		if (v == m->n_vmas || m->vmas[v].start > g->start || m->vmas[v].end < g->end ||
		    !may_have_guards(&m->vmas[v]))
			return BAD("guard %u: %llx-%llx is outside every mapping", i,
				   (unsigned long long)g->start, (unsigned long long)g->end);
	}
	return 0;
}

static int check_host(const struct manifest *m, struct jsnap_error *err)
{
	const struct m_host *h = m->host;

	if (!m->n_host)
		return 0;
	if (!string_ok(m, h->cpu_name))
		return BAD("the processor's name is outside the string pool");
	if (h->cpu_level == 1 || h->cpu_level > 4)
		return BAD("unknown processor level %u", h->cpu_level);
	for (unsigned i = 0; i < MANIFEST_CPU_COMPONENTS; i++)
		if (h->xsave_at[i] > CHECK_XSAVE_MAX || h->xsave_size[i] > CHECK_XSAVE_MAX)
			return BAD("component %u of extended state lies too far away", i);
	return 0;
}

static int check_notes(const struct manifest *m, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < m->n_notes; i++)
		if (!string_ok(m, m->notes[i].key) || !string_ok(m, m->notes[i].value))
			return BAD("note %u is outside the string pool", i);
	return 0;
}

int manifest_check(const struct manifest *m, struct jsnap_error *err)
{
	static int (*const checks[])(const struct manifest *, struct jsnap_error *) = {
		check_pools,   check_process, check_threads, check_pieces,   check_backings,
		check_files,   check_fds,     check_sockets, check_watchers, check_inotify,
		check_signals, check_locks,   check_host,    check_notes,
	};
	uint64_t owned = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		r = checks[i](m, err);
		if (r < 0)
			return r;
	}
	r = check_vmas(m, &owned, err);
	if (r == 0)
		r = check_guards(m, err);
	return r < 0 ? r : check_objects(m, &owned, err);
}
