/* Memory without a name: one memfd for each object, shared by all that map or hold it. */
#include "restore/open_files.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define COPY_SIZE (1u << 20)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 16u
#endif

int opening_fill(struct opening *o, const struct m_object *object, int fd, struct jsnap_error *err)
{
	CLEANUP_FREE char *buffer = malloc(COPY_SIZE);

	if (!buffer)
		return error_set(err, ENOMEM, "out of memory");
	if (ftruncate(fd, (off_t)object->size) < 0)
		return error_errno(err, "make a restored file of %llu bytes",
				   (unsigned long long)object->size);
	for (uint32_t i = 0; i < object->n_pieces; i++) {
		const struct m_piece *piece = &o->m->pieces[object->first_piece + i];
		uint64_t end = piece->addr + piece->size;

		if (end > object->size)
			end = object->size;
		for (uint64_t at = piece->addr; at < end;) {
			size_t size = end - at < COPY_SIZE ? (size_t)(end - at) : COPY_SIZE;
			off_t from = (off_t)(o->plan->options->stream_offset + piece->offset +
					     (at - piece->addr));
			int r = pread_full(o->stream_fd, buffer, size, from);

			if (r == 0)
				r = pwrite_full(fd, buffer, size, (off_t)at);
			if (r < 0)
				return error_set(err, -r, "fill a restored file: %s", strerror(-r));
			at += size;
		}
	}
	return 0;
}

/* "/memfd:name (deleted)" -> "name" */
static void object_name(const char *recorded, char *name, size_t size)
{
	const char *base = strncmp(recorded, "/memfd:", 7) == 0 ? recorded + 7
			   : strrchr(recorded, '/')		? strrchr(recorded, '/') + 1
								: recorded;
	char *suffix;

	snprintf(name, size, "%.200s", base);
	suffix = strstr(name, " (deleted)");
	if (suffix)
		*suffix = '\0';
}

static int open_object(struct opening *o, uint32_t index, struct jsnap_error *err)
{
	const struct m_object *object = &o->m->objects[index];
	char name[256];
	int fd, r;

	object_name(manifest_str(o->m, object->name), name, sizeof(name));
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fd = opening_lift(o, fd);
	if (fd < 0)
		return error_set(err, -fd, "make a memory file: %s", strerror(-fd));
	o->objects[index] = fd;
	r = opening_fill(o, object, fd, err);
	if (r == 0 && fchmod(fd, object->mode & 07777) < 0)
		r = error_errno(err, "set the permissions of a memory file");
	return r;
}

/* Contents kept for a file that may be missing are written by open_backing when it is. */
static bool only_content(const struct manifest *m, uint32_t index)
{
	for (uint32_t i = 0; i < m->n_backings; i++)
		if (m->backings[i].content_object == index)
			return true;
	return false;
}

int opening_stand_in(struct opening *o, uint32_t index, struct jsnap_error *err)
{
	int fd, r = o->objects[index] < 0 ? open_object(o, index, err) : 0;

	if (r < 0)
		return r;
	fd = fcntl(o->objects[index], F_DUPFD_CLOEXEC, o->first_temporary);
	return fd < 0 ? error_errno(err, "copy a descriptor") : fd;
}

int open_objects(struct opening *o, struct jsnap_error *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < o->m->n_objects; i++)
		if (!only_content(o->m, i))
			r = open_object(o, i, err);
	return r;
}
