/*
 * Memory that several mappings and descriptors may share and that has no name in the file system:
 * memfds, shared anonymous memory, deleted files. Each comes back once, with its sharing.
 */
#include "checkpoint/pages.h"

#include "base/cleanup.h"
#include "proc/pagemap_private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Looking at a page of shared memory makes it exist: of more than this, in bytes, that is harm. */
#define MAPPING_READ_MAX (256ull << 20)
#define OBJECT_MAX	 (1ull << 44) /* bytes */

/* The first descriptor is kept. */
static void offer(struct capture *c, struct capture_object *object, struct object_source source)
{
	if (object->source_fd >= 0 || source.fd < 0)
		return;
	object->source_fd = fcntl(source.fd, F_DUPFD_CLOEXEC, 0);
	if (object->source_fd >= 0)
		c->m->objects[object->index].read_through = source.through;
}

int capture_object(struct capture *c, uint64_t dev, uint64_t inode, enum m_object_kind kind,
		   const char *name, struct object_source source, uint32_t *ret_index,
		   struct jsnap_error *err)
{
	struct capture_object *grown, *object = NULL;
	struct m_object *record;
	int r;

	for (size_t i = 0; i < c->n_objects; i++)
		if (c->objects[i].dev == dev && c->objects[i].inode == inode)
			object = &c->objects[i];
	if (object) {
		offer(c, object, source);
		*ret_index = object->index;
		return 0;
	}
	grown = realloc(c->objects, (c->n_objects + 1) * sizeof(*grown));
	if (!grown)
		return error_set(err, ENOMEM, "out of memory");
	c->objects = grown;
	record = MANIFEST_ADD(c->m, objects);
	if (!record)
		return error_set(err, ENOMEM, "too many memory objects");
	record->kind = kind;
	r = manifest_string(c->m, name, &record->name);
	if (r < 0)
		return error_set(err, -r, "out of memory");
	record->read_through = M_READ_THROUGH_MEMORY;
	object = &c->objects[c->n_objects++];
	*object = (struct capture_object){
		.dev = dev, .inode = inode, .source_fd = -1, .index = c->m->n_objects - 1};
	offer(c, object, source);
	*ret_index = object->index;
	return 0;
}

static int store_from_fd(struct capture *c, int fd, struct m_object *object,
			 struct jsnap_error *err)
{
	uint64_t page = c->m->process->page_size;
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};
	struct pages_source source = {.fd = fd};
	struct stat st;
	off_t at = 0;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "stat shared memory");
	object->size = (uint64_t)st.st_size;
	object->mode = st.st_mode & 07777;
	if (object->kind == M_OBJECT_MEMFD) {
		int seals = fcntl(fd, F_GET_SEALS);

		object->seals = seals > 0 ? (uint32_t)seals : 0;
	}
	while (at < st.st_size) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			hole = st.st_size;
		if (pagemap_append(&runs, (uint64_t)data & ~(page - 1),
				   ((uint64_t)hole + page - 1) & ~(page - 1), err) < 0)
			return -ENOMEM;
		at = (off_t)(((uint64_t)hole + page - 1) & ~(page - 1));
	}
	return pages_store(c, &source, PAGES_PACKED, &runs, &object->first_piece, &object->n_pieces,
			   err);
}

/* Where the mapped file ends: pages behind that can't be read, all before can. */
static uint64_t readable_end(const struct capture *c, uint64_t start, uint64_t end)
{
	uint64_t page = c->m->process->page_size;
	unsigned char byte;

	if (tracee_read(&c->tracee, remote_at(end - page), &byte, 1, NULL) == 0)
		return end;
	while (start < end) {
		uint64_t middle = start + (end - start) / page / 2 * page;

		if (tracee_read(&c->tracee, remote_at(middle), &byte, 1, NULL) == 0)
			start = middle + page;
		else
			end = middle;
	}
	return start;
}

/*
 * Without a descriptor the contents are what the mappings show. Mappings of one object are visited
 * in ascending offset, so that each of its pages is stored once.
 */
static int store_from_mappings(struct capture *c, uint32_t index, struct m_object *object,
			       struct jsnap_error *err)
{
	struct pages_source source = {.fd = -1, .tracee = &c->tracee};
	uint64_t done = 0;

	for (;;) {
		CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};
		const struct m_vma *next = NULL;
		uint64_t from, end;
		uint32_t first, count;
		int r;

		for (uint32_t i = 0; i < c->m->n_vmas; i++) {
			const struct m_vma *vma = &c->m->vmas[i];

			if (vma->kind != M_VMA_OBJECT || vma->backing != index ||
			    vma->offset + (vma->end - vma->start) <= done)
				continue;
			if (!next || vma->offset < next->offset)
				next = vma;
		}
		if (!next)
			break;
		if (next->end - next->start > MAPPING_READ_MAX)
			return error_set(
				err, ENOTSUP,
				"%llu bytes of shared anonymous memory at %#llx can be read "
				"only by filling them; with CAP_CHECKPOINT_RESTORE they can be "
				"carried",
				(unsigned long long)(next->end - next->start),
				(unsigned long long)next->start);
		from = next->start + (done > next->offset ? done - next->offset : 0);
		done = next->offset + (next->end - next->start);
		/* A library's mapping may reach beyond the end of its file. */
		end = readable_end(c, from, next->end);
		if (end == from)
			continue;
		if (pagemap_append(&runs, from, end, err) < 0)
			return -ENOMEM;
		r = pages_store(c, &source, PAGES_PACKED, &runs, &first, &count, err);
		if (r < 0)
			return r;
		for (uint32_t i = 0; i < count; i++)
			c->m->pieces[first + i].addr += next->offset - next->start;
		if (object->n_pieces == 0)
			object->first_piece = first;
		object->n_pieces += count;
		object->size = next->offset + (end - next->start);
	}
	object->mode = 0600;
	return 0;
}

int capture_objects(struct capture *c, struct jsnap_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_objects; i++) {
		struct m_object *object = &c->m->objects[c->objects[i].index];

		if (c->objects[i].source_fd >= 0)
			r = store_from_fd(c, c->objects[i].source_fd, object, err);
		else
			r = store_from_mappings(c, c->objects[i].index, object, err);
		if (r == 0 && object->size > OBJECT_MAX)
			r = error_set(err, ENOTSUP, "a memory object of %llu bytes is too large",
				      (unsigned long long)object->size);
	}
	return r;
}
