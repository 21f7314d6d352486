/*
 * Names and short descriptions of a manifest's records, for people: what text and JSON output
 * share. Internal to snapshot/image. Strings from the manifest are returned as they are: escaping
 * is the output's business.
 */
#ifndef JSNAP_IMAGE_MANIFEST_DESCRIBE_H
#define JSNAP_IMAGE_MANIFEST_DESCRIBE_H

#include "image/manifest.h"

#include <stddef.h>
#include <stdint.h>

#define DESCRIBE_ADDRESS   256 /* bytes that any socket address needs as text */
#define DESCRIBE_VMA_KINDS 6

const char *describe_vma_kind(uint32_t kind);
const char *describe_object_kind(uint32_t kind);
const char *describe_read_through(uint32_t way);
const char *describe_file_kind(uint32_t kind);
const char *describe_socket_family(uint32_t family);
const char *describe_socket_type(uint32_t type);
const char *describe_socket_state(uint32_t state);

/* What an open file is about: a path, a slot or an object's name; "" when there is nothing. */
const char *describe_file_target(const struct manifest *m, const struct m_file *file);

/* A sockaddr as "127.0.0.1:8080", "[::1]:8080", "/path", "@abstract"; "" when unset. */
void describe_address(const struct manifest *m, struct m_blob address,
		      char ret_text[DESCRIBE_ADDRESS]);

/* "2026-01-31T12:00:00Z" */
void describe_time(uint64_t realtime_ns, char *ret_text, size_t size);

struct describe_vmas { /* one kind of mappings, summed up */
	uint32_t count;
	uint64_t size, stored; /* bytes of address space; of the page stream */
};
void describe_sum_vmas(const struct manifest *m,
		       struct describe_vmas ret_kinds[DESCRIBE_VMA_KINDS]);
uint64_t describe_stored(const struct manifest *m, uint32_t first_piece, uint32_t n_pieces);

#endif
