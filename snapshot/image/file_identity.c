/* See file_identity.h; elf(5). Sizes and offsets come from the file and are believed only as far as
 * they are small. */
#include "image/file_identity.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define HEADERS_MAX 64u
#define NOTES_MAX   65536u
#define DIGEST_STEP (1u << 20)

static uint32_t align4(uint32_t value)
{
	return (value + 3) & ~3u;
}

/* A note: its three sizes, the owner's name and the bytes, each padded to 4 bytes. */
static bool find_in_notes(const char *notes, size_t size, struct file_build_id *ret_id)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr head;
		size_t need;

		memcpy(&head, notes, sizeof(head));
		if (head.n_namesz > NOTES_MAX || head.n_descsz > NOTES_MAX)
			return false;
		need = sizeof(head) + align4(head.n_namesz) + align4(head.n_descsz);
		if (need > size)
			return false;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
		    memcmp(notes + sizeof(head), "GNU", 4) == 0 && head.n_descsz &&
		    head.n_descsz <= FILE_BUILD_ID_MAX) {
			ret_id->size = head.n_descsz;
			memcpy(ret_id->bytes, notes + sizeof(head) + 4, head.n_descsz);
			return true;
		}
		notes += need;
		size -= need;
	}
	return false;
}

/* Where linkers put headers and notes: one read instead of four. */
struct front {
	_Alignas(Elf64_Ehdr) char bytes[4096];
	size_t size;
};

static int read_front(int fd, struct front *ret_front, struct jsnap_error *err)
{
	ssize_t n;

	do
		n = pread(fd, ret_front->bytes, sizeof(ret_front->bytes), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, "read the file");
	ret_front->size = (size_t)n;
	return 0;
}

/* Bytes of the front if it has them all, else of the file; -ENODATA when that ends before. */
static int read_at(int fd, const struct front *front, uint64_t offset, void *bytes, size_t size)
{
	if (offset > front->size || size > front->size - offset)
		return pread_full(fd, bytes, size, (off_t)offset);
	memcpy(bytes, front->bytes + offset, size);
	return 0;
}

static int read_notes(int fd, const struct front *front, const Elf64_Phdr *p,
		      struct file_build_id *ret_id, struct jsnap_error *err)
{
	CLEANUP_FREE char *notes = NULL;
	int r;

	if (p->p_type != PT_NOTE || !p->p_filesz || p->p_filesz > NOTES_MAX ||
	    p->p_offset > INT64_MAX)
		return 0;
	notes = malloc(p->p_filesz);
	if (!notes)
		return error_set(err, ENOMEM, "out of memory");
	r = read_at(fd, front, p->p_offset, notes, p->p_filesz);
	if (r < 0 && r != -ENODATA)
		return error_set(err, -r, "read the file's notes: %s", strerror(-r));
	return r == 0 && find_in_notes(notes, p->p_filesz, ret_id);
}

int file_build_id(int fd, struct file_build_id *ret_id, struct jsnap_error *err)
{
	struct file_build_id id = {0};
	Elf64_Phdr headers[HEADERS_MAX];
	struct front front;
	Elf64_Ehdr elf;
	int r = read_front(fd, &front, err);

	*ret_id = id;
	if (r < 0)
		return r;
	if (front.size < sizeof(elf))
		return 0;
	memcpy(&elf, front.bytes, sizeof(elf));
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf.e_phentsize != sizeof(Elf64_Phdr) || elf.e_phnum > HEADERS_MAX ||
	    elf.e_phoff > INT64_MAX)
		return 0;
	r = read_at(fd, &front, elf.e_phoff, headers, elf.e_phnum * sizeof(headers[0]));
	if (r < 0)
		return r == -ENODATA ? 0 : error_set(err, -r, "read the file: %s", strerror(-r));
	r = 0;
	for (unsigned i = 0; r == 0 && i < elf.e_phnum; i++)
		r = read_notes(fd, &front, &headers[i], &id, err);
	if (r < 0)
		return r;
	*ret_id = id;
	return 0;
}

int file_digest(int fd, uint64_t *ret_digest, struct jsnap_error *err)
{
	CLEANUP_FREE char *buffer = malloc(DIGEST_STEP);
	XXH3_state_t *state = XXH3_createState();
	off_t at = 0;
	ssize_t n = 0;

	if (!buffer || !state) {
		XXH3_freeState(state);
		return error_set(err, ENOMEM, "out of memory");
	}
	XXH3_64bits_reset(state);
	do {
		n = pread(fd, buffer, DIGEST_STEP, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0) {
			XXH3_64bits_update(state, buffer, (size_t)n);
			at += n;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	*ret_digest = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return n < 0 ? error_errno(err, "read the file") : 0;
}

void file_build_id_text(const void *bytes, uint32_t n, char *ret_text, size_t size)
{
	const unsigned char *p = bytes;

	if (size)
		ret_text[0] = '\0';
	for (uint32_t i = 0; i < n && 2 * i + 3 <= size; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", p[i]);
}
