/*
 * What tells one program file from another: the build id that the linker computed from its content
 * (ELF note NT_GNU_BUILD_ID), or a digest of all its bytes where it has none.
 */
#ifndef JSNAP_IMAGE_FILE_IDENTITY_H
#define JSNAP_IMAGE_FILE_IDENTITY_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define FILE_BUILD_ID_MAX 64u

struct file_build_id {
	uint32_t size; /* 0: the file has none, or is no 64-bit ELF file */
	unsigned char bytes[FILE_BUILD_ID_MAX];
};

/* Reads no more than 128 KiB. */
int file_build_id(int fd, struct file_build_id *ret_id, struct jsnap_error *err);

/* XXH3-64 of all bytes. */
int file_digest(int fd, uint64_t *ret_digest, struct jsnap_error *err);

/* Hexadecimal; cut to `size` bytes. */
void file_build_id_text(const void *bytes, uint32_t n, char *ret_text, size_t size);

#endif
