/*
 * The manifest as bytes (docs/image-format.md, "Manifest"): a head, a directory of sections, and
 * the sections themselves, each of them usable in place.
 *
 * The form is canonical: one manifest has one serialization, byte for byte, so that the hash of it
 * is the image's identity and a loaded manifest saves to what it was loaded from.
 */
#include "image/manifest.h"

#include "base/cleanup.h"
#include "image/manifest_tables.h"

#include <string.h>

#define FORMAT_MAGIC   "JSNAPMAN"
#define FORMAT_VERSION 3u
#define N_SECTIONS     (MANIFEST_N_TABLES + 2)
#define ID_STRINGS     0x10000u
#define ID_BLOBS       0x10001u

struct format_head {
	char magic[8];
	uint32_t version, n_sections;
	uint64_t size; /* of everything, head included */
	uint64_t reserved;
};

struct format_section {
	uint32_t id, record_size;
	uint64_t offset; /* from the start of the head */
	uint32_t count, reserved;
};

struct section { /* where a section's bytes are in a struct manifest */
	const char *name;
	uint32_t id, max;
	size_t record_size;
	void **items;
	uint32_t *count;
};

_Static_assert(sizeof(struct format_head) == 32, "format");
_Static_assert(sizeof(struct format_section) == 24, "format");
_Static_assert(sizeof(struct m_process) == 512, "format");
_Static_assert(sizeof(struct m_thread) == 384, "format");
_Static_assert(sizeof(struct m_vma) == 64, "format");
_Static_assert(sizeof(struct m_piece) == 24, "format");
_Static_assert(sizeof(struct m_object) == 40, "format");
_Static_assert(sizeof(struct m_backing) == 72, "format");
_Static_assert(sizeof(struct m_host) == 336, "format");
_Static_assert(sizeof(struct m_file) == 88, "format");
_Static_assert(sizeof(struct m_fd) == 12, "format");
_Static_assert(sizeof(struct m_socket) == 64, "format");
_Static_assert(sizeof(struct m_sockopt) == 16, "format");
_Static_assert(sizeof(struct m_epoll_target) == 24, "format");
_Static_assert(sizeof(struct m_inotify_watch) == 16, "format");
_Static_assert(sizeof(struct m_lock) == 32, "format");
_Static_assert(sizeof(struct m_sigaction) == 40, "format");
_Static_assert(sizeof(struct m_siginfo) == 136, "format");
_Static_assert(sizeof(struct m_posix_timer) == 48, "format");
_Static_assert(sizeof(struct m_note) == 8, "format");

static uint64_t align_up(uint64_t value)
{
	return (value + MANIFEST_ALIGN - 1) & -(uint64_t)MANIFEST_ALIGN;
}

static void section_get(const struct manifest *m, size_t index, struct section *s)
{
	struct manifest *w = (struct manifest *)m;

	if (index < MANIFEST_N_TABLES) {
		const struct manifest_table_info *info = &manifest_table_infos[index];

		*s = (struct section){info->name,
				      info->id,
				      info->max,
				      info->record_size,
				      manifest_table_at(m, info),
				      manifest_table_count(m, info)};
	} else if (index == MANIFEST_N_TABLES) {
		*s = (struct section){"strings", ID_STRINGS,	       MANIFEST_STRINGS_MAX,
				      1,	 (void **)&w->strings, &w->strings_size};
	} else {
		*s = (struct section){"blobs", ID_BLOBS,	   MANIFEST_BLOBS_MAX,
				      1,       (void **)&w->blobs, &w->blobs_size};
	}
}

int manifest_save(const struct manifest *m, void **ret_data, size_t *ret_size,
		  struct jsnap_error *err)
{
	uint64_t size = sizeof(struct format_head) + N_SECTIONS * sizeof(struct format_section);
	struct format_section directory[N_SECTIONS];
	struct format_head head = {.magic = FORMAT_MAGIC, .version = FORMAT_VERSION};
	CLEANUP_FREE char *data = NULL;
	struct section s;

	for (size_t i = 0; i < N_SECTIONS; i++) {
		section_get(m, i, &s);
		size = align_up(size);
		directory[i] = (struct format_section){.id = s.id,
						       .record_size = (uint32_t)s.record_size,
						       .offset = size,
						       .count = *s.count};
		size += *s.count * (uint64_t)s.record_size;
	}
	if (size > MANIFEST_SIZE_MAX)
		return error_set(err, E2BIG,
				 "the manifest has %llu bytes, more than the %llu that "
				 "an image may hold",
				 (unsigned long long)size, (unsigned long long)MANIFEST_SIZE_MAX);
	data = calloc(1, size);
	if (!data)
		return error_set(err, ENOMEM, "no memory for the %llu bytes of the manifest",
				 (unsigned long long)size);
	head.n_sections = N_SECTIONS;
	head.size = size;
	memcpy(data, &head, sizeof(head));
	memcpy(data + sizeof(head), directory, sizeof(directory));
	for (size_t i = 0; i < N_SECTIONS; i++) {
		section_get(m, i, &s);
		if (*s.count)
			memcpy(data + directory[i].offset, *s.items, *s.count * s.record_size);
	}
	*ret_data = STEAL_PTR(data);
	*ret_size = size;
	return 0;
}

static int load_head(const char *data, size_t size, struct jsnap_error *err)
{
	struct format_head head;

	if (size < sizeof(head))
		return error_set(err, EBADMSG, "manifest: %zu bytes are too few for its head",
				 size);
	memcpy(&head, data, sizeof(head));
	if (memcmp(head.magic, FORMAT_MAGIC, sizeof(head.magic)) != 0)
		return error_set(err, EBADMSG, "manifest: it does not begin with " FORMAT_MAGIC);
	if (head.version != FORMAT_VERSION)
		return error_set(err, ENOTSUP,
				 "manifest: format version %u, this jsnap reads version %u",
				 head.version, FORMAT_VERSION);
	if (head.size != size || size > MANIFEST_SIZE_MAX)
		return error_set(err, EBADMSG, "manifest: it claims %llu bytes and has %zu",
				 (unsigned long long)head.size, size);
	if (head.n_sections != N_SECTIONS || head.reserved ||
	    size < sizeof(head) + N_SECTIONS * sizeof(struct format_section))
		return error_set(err, EBADMSG, "manifest: bad directory (%u sections)",
				 head.n_sections);
	return 0;
}

/* One entry of the directory: `at` is where the previous section ended, and is moved on. */
static int load_section(char *data, size_t size, size_t index, uint64_t *at, struct manifest *m,
			struct jsnap_error *err)
{
	struct format_section entry;
	uint64_t bytes;
	struct section s;

	section_get(m, index, &s);
	memcpy(&entry, data + sizeof(struct format_head) + index * sizeof(entry), sizeof(entry));
	if (entry.id != s.id || entry.record_size != s.record_size || entry.reserved)
		return error_set(err, EBADMSG,
				 "manifest: directory entry %zu is not that of %s (id %u, records "
				 "of %u bytes)",
				 index, s.name, entry.id, entry.record_size);
	if (entry.count > s.max)
		return error_set(err, EBADMSG, "manifest: %u %s, more than the %u allowed",
				 entry.count, s.name, s.max);
	bytes = entry.count * (uint64_t)s.record_size;
	if (entry.offset != align_up(*at) || entry.offset > size || bytes > size - entry.offset)
		return error_set(err, EBADMSG, "manifest: %s do not lie where they must", s.name);
	for (; *at < entry.offset; (*at)++)
		if (data[*at])
			return error_set(err, EBADMSG, "manifest: padding before %s is not zero",
					 s.name);
	*at = entry.offset + bytes;
	*s.items = data + entry.offset;
	*s.count = entry.count;
	return 0;
}

int manifest_load(void *data, size_t size, struct manifest *ret_m, struct jsnap_error *err)
{
	uint64_t at = sizeof(struct format_head) + N_SECTIONS * sizeof(struct format_section);
	struct manifest m = {0};
	int r = load_head(data, size, err);

	for (size_t i = 0; i < N_SECTIONS && r == 0; i++)
		r = load_section(data, size, i, &at, &m, err);
	if (r < 0)
		return r;
	if (at != size)
		return error_set(err, EBADMSG, "manifest: %llu bytes after its last section",
				 (unsigned long long)(size - at));
	r = manifest_check(&m, err);
	if (r < 0)
		return r;
	m.buffer = data;
	*ret_m = m;
	return 0;
}
