/*
 * Building a manifest: tables and pools that grow. See manifest.h.
 *
 * Invariant: a table or pool with capacity 0 is not an allocation of its own: it is empty, or it
 * lies in `buffer` (a loaded manifest) and is copied out before it first grows.
 */
#include "image/manifest.h"

#include "base/cleanup.h"
#include "image/manifest_tables.h"

#include <string.h>

#define GROW_FIRST 16u

const struct manifest_table_info manifest_table_infos[MANIFEST_N_TABLES] = {
#define X(id, member, type, max)                \
	{id,                                    \
	 #member,                               \
	 sizeof(type),                          \
	 max,                                   \
	 offsetof(struct manifest, member),     \
	 offsetof(struct manifest, n_##member), \
	 offsetof(struct manifest, cap_##member)},
	MANIFEST_TABLES(X)
#undef X
};

/* Makes room for `need` items in all, doubling, never beyond `max`. */
static int grow(void **items, uint32_t count, uint32_t *cap, size_t item, uint64_t need,
		uint32_t max)
{
	uint64_t bigger = *cap ? *cap : GROW_FIRST;
	void *grown;

	if (need <= *cap)
		return 0;
	if (need > max)
		return -E2BIG;
	while (bigger < need)
		bigger *= 2;
	if (bigger > max)
		bigger = max;
	grown = realloc(*cap ? *items : NULL, bigger * item);
	if (!grown)
		return -ENOMEM;
	if (!*cap && count)
		memcpy(grown, *items, count * item);
	*items = grown;
	*cap = (uint32_t)bigger;
	return 0;
}

void *manifest_append(struct manifest *m, enum manifest_table table)
{
	const struct manifest_table_info *info = &manifest_table_infos[table - 1];
	void **items = manifest_table_at(m, info);
	uint32_t *count = manifest_table_count(m, info);
	char *record;

	if (grow(items, *count, manifest_table_cap(m, info), info->record_size,
		 (uint64_t)*count + 1, info->max) < 0)
		return NULL;
	record = (char *)*items + *count * info->record_size;
	memset(record, 0, info->record_size);
	(*count)++;
	return record;
}

int manifest_string(struct manifest *m, const char *text, uint32_t *ret_offset)
{
	size_t size = strlen(text) + 1;
	uint64_t end = (uint64_t)m->strings_size + size;
	int r;

	if (size == 1 && m->strings_size) {
		*ret_offset = 0;
		return 0;
	}
	r = grow((void **)&m->strings, m->strings_size, &m->strings_cap, 1, end,
		 MANIFEST_STRINGS_MAX);
	if (r < 0)
		return r;
	memcpy(m->strings + m->strings_size, text, size);
	*ret_offset = m->strings_size;
	m->strings_size = (uint32_t)end;
	return 0;
}

int manifest_blob(struct manifest *m, const void *data, size_t size, struct m_blob *ret_blob)
{
	uint64_t start = ((uint64_t)m->blobs_size + MANIFEST_ALIGN - 1) & -(uint64_t)MANIFEST_ALIGN;
	int r;

	if (!size) {
		*ret_blob = (struct m_blob){0};
		return 0;
	}
	if (size > MANIFEST_BLOBS_MAX)
		return -E2BIG;
	r = grow((void **)&m->blobs, m->blobs_size, &m->blobs_cap, 1, start + size,
		 MANIFEST_BLOBS_MAX);
	if (r < 0)
		return r;
	memset(m->blobs + m->blobs_size, 0, start - m->blobs_size);
	memcpy(m->blobs + start, data, size);
	m->blobs_size = (uint32_t)(start + size);
	*ret_blob = (struct m_blob){.offset = (uint32_t)start, .size = (uint32_t)size};
	return 0;
}

int manifest_init(struct manifest *m, struct jsnap_error *err)
{
	uint32_t empty;

	memset(m, 0, sizeof(*m));
	if (!MANIFEST_ADD(m, process) || manifest_string(m, "", &empty) < 0) {
		manifest_free(m);
		return error_set(err, ENOMEM, "no memory for an empty manifest");
	}
	return 0;
}

void manifest_free(struct manifest *m)
{
	for (size_t i = 0; i < MANIFEST_N_TABLES; i++) {
		const struct manifest_table_info *info = &manifest_table_infos[i];

		if (*manifest_table_cap(m, info))
			free(*manifest_table_at(m, info));
	}
	if (m->strings_cap)
		free(m->strings);
	if (m->blobs_cap)
		free(m->blobs);
	free(m->buffer);
	memset(m, 0, sizeof(*m));
}

static struct m_note *note_find(const struct manifest *m, const char *key)
{
	for (uint32_t i = 0; i < m->n_notes; i++)
		if (strcmp(manifest_str(m, m->notes[i].key), key) == 0)
			return &m->notes[i];
	return NULL;
}

const char *manifest_note(const struct manifest *m, const char *key)
{
	const struct m_note *note = note_find(m, key);

	return note ? manifest_str(m, note->value) : NULL;
}

int manifest_set_note(struct manifest *m, const char *key, const char *value,
		      struct jsnap_error *err)
{
	struct m_note *note = note_find(m, key);
	uint32_t key_at, value_at;
	int r;

	if (note && strcmp(manifest_str(m, note->value), value) == 0)
		return 0;
	r = manifest_string(m, value, &value_at);
	if (r == 0 && note) {
		note->value = value_at;
		return 0;
	}
	if (r == 0)
		r = manifest_string(m, key, &key_at);
	if (r < 0)
		return error_set(err, -r, "note \"%s\": the manifest's string pool cannot grow: %s",
				 key, strerror(-r));
	note = MANIFEST_ADD(m, notes);
	if (!note)
		return error_set(err, ENOMEM, "note \"%s\": no room for another note (%u)", key,
				 m->n_notes);
	note->key = key_at;
	note->value = value_at;
	return 0;
}
