/*
 * MANIFEST_TABLES as data, for code that treats every table alike. Internal to snapshot/image.
 */
#ifndef JSNAP_IMAGE_MANIFEST_TABLES_H
#define JSNAP_IMAGE_MANIFEST_TABLES_H

#include "image/manifest.h"

#include <stddef.h>
#include <stdint.h>

#define MANIFEST_STRINGS_MAX (128u << 20) /* bytes */
#define MANIFEST_BLOBS_MAX   (1024u << 20)
#define MANIFEST_SIZE_MAX    (1536ull << 20) /* serialized; above the sum of all maxima */
#define MANIFEST_STREAM_MAX  (16ull << 40)
#define MANIFEST_ALIGN	     16u /* of sections and blobs */

enum {
#define X(id, member, type, max) +1
	MANIFEST_N_TABLES = 0 MANIFEST_TABLES(X)
#undef X
};

struct manifest_table_info {
	uint32_t id;
	const char *name;
	size_t record_size;
	uint32_t max;		     /* records */
	size_t at, at_count, at_cap; /* offsets of the three members in struct manifest */
};

extern const struct manifest_table_info manifest_table_infos[MANIFEST_N_TABLES]; /* id - 1 */

static inline void **manifest_table_at(const struct manifest *m,
				       const struct manifest_table_info *info)
{
	return (void **)((char *)m + info->at);
}

static inline uint32_t *manifest_table_count(const struct manifest *m,
					     const struct manifest_table_info *info)
{
	return (uint32_t *)((char *)m + info->at_count);
}

static inline uint32_t *manifest_table_cap(const struct manifest *m,
					   const struct manifest_table_info *info)
{
	return (uint32_t *)((char *)m + info->at_cap);
}

#endif
