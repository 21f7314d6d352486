/* See vdso.h. */
#include "restore/vdso.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#define SECTIONS_MAX 64u
#define SYMBOLS_MAX  256u
#define JUMP_SIZE    5u	 /* jmp rel32 */
#define FAR_SIZE     14u /* jmp *0(%rip) and the address */
#define CALL_SIZE    8u	 /* mov $nr,%eax; syscall; ret */

struct symbols {
	const Elf64_Sym *table;
	size_t count;
	const char *strings;
	size_t strings_size;
};

/* A section's bytes: inside the image and aligned for its records. */
static const void *section(const unsigned char *image, size_t size, const Elf64_Shdr *s)
{
	if (s->sh_offset > size || s->sh_size > size - s->sh_offset || s->sh_offset % 8)
		return NULL;
	return image + s->sh_offset;
}

static int find_symbols(const unsigned char *image, size_t size, struct symbols *ret,
			struct jsnap_error *err)
{
	const Elf64_Ehdr *elf = (const void *)image;
	const Elf64_Shdr *sections;
	const Elf64_Shdr *dynsym = NULL, *strtab;

	if (size < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_shentsize != sizeof(*sections) ||
	    elf->e_shnum > SECTIONS_MAX || elf->e_shoff % 8 || elf->e_shoff > size ||
	    elf->e_shnum * sizeof(*sections) > size - elf->e_shoff)
		return error_set(err, EBADMSG, "the vDSO is no ELF image that jsnap can read");
	sections = (const void *)(image + elf->e_shoff);
	for (unsigned i = 0; i < elf->e_shnum; i++)
		if (sections[i].sh_type == SHT_DYNSYM)
			dynsym = &sections[i];
	if (!dynsym || dynsym->sh_link >= elf->e_shnum)
		return error_set(err, EBADMSG, "the vDSO has no table of symbols");
	strtab = &sections[dynsym->sh_link];
	*ret = (struct symbols){.table = section(image, size, dynsym),
				.count = dynsym->sh_size / sizeof(Elf64_Sym),
				.strings_size = strtab->sh_size};
	if (strtab->sh_offset <= size && strtab->sh_size <= size - strtab->sh_offset)
		ret->strings = (const char *)image + strtab->sh_offset;
	if (!ret->table || !ret->strings || !ret->strings_size || ret->count > SYMBOLS_MAX ||
	    ret->strings[ret->strings_size - 1] != '\0')
		return error_set(err, EBADMSG, "the vDSO's table of symbols is damaged");
	return 0;
}

static const char *name_of(const struct symbols *s, const Elf64_Sym *symbol)
{
	return symbol->st_name < s->strings_size ? s->strings + symbol->st_name : "";
}

static bool is_function(const Elf64_Sym *symbol, size_t size)
{
	return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
	       symbol->st_value < size && symbol->st_size <= size - symbol->st_value;
}

static const Elf64_Sym *find(const struct symbols *s, const char *name, size_t size)
{
	for (size_t i = 0; i < s->count; i++)
		if (is_function(&s->table[i], size) && strcmp(name_of(s, &s->table[i]), name) == 0)
			return &s->table[i];
	return NULL;
}

static int call_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} calls[] = {
		{"clock_gettime", SYS_clock_gettime},
		{"gettimeofday", SYS_gettimeofday},
		{"time", SYS_time},
		{"clock_getres", SYS_clock_getres},
		{"getcpu", SYS_getcpu},
		{"getrandom", SYS_getrandom},
	};

	if (strncmp(name, "__vdso_", 7) == 0)
		name += 7;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	return -1;
}

static bool write_jump(unsigned char *code, size_t room, uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - (from + JUMP_SIZE));

	if (distance == (int32_t)distance && room >= JUMP_SIZE) {
		int32_t near = (int32_t)distance;

		code[0] = 0xe9;
		memcpy(code + 1, &near, sizeof(near));
		return true;
	}
	if (room < FAR_SIZE)
		return false;
	memcpy(code, "\xff\x25\0\0\0", 6);
	memcpy(code + 6, &to, sizeof(to));
	return true;
}

/* The raw system call returns what the vDSO's function returns: 0, or -errno. */
static bool write_call(unsigned char *code, size_t room, int number)
{
	if (room < CALL_SIZE)
		return false;
	code[0] = 0xb8;
	memcpy(code + 1, &(int32_t){number}, 4);
	memcpy(code + 5, "\x0f\x05\xc3", 3);
	return true;
}

static bool write_enosys(unsigned char *code, size_t room)
{
	if (room < CALL_SIZE)
		return false;
	memcpy(code, "\x48\xc7\xc0", 3);
	memcpy(code + 3, &(int32_t){-ENOSYS}, 4);
	code[7] = 0xc3;
	return true;
}

int vdso_patch(unsigned char *old, size_t size, uint64_t old_at, const struct vdso_image *new,
	       unsigned *ret_patched, struct jsnap_error *err)
{
	struct symbols theirs, ours;
	unsigned patched = 0;
	int r = find_symbols(old, size, &theirs, err);

	if (r < 0)
		return error_context(err, "the snapshot's kernel");
	r = find_symbols(new->bytes, new->size, &ours, err);
	if (r < 0)
		return error_context(err, "this kernel");
	for (size_t i = 0; i < theirs.count; i++) {
		const Elf64_Sym symbol = theirs.table[i];
		const char *name = name_of(&theirs, &symbol);
		const Elf64_Sym *to;
		int number;
		bool ok;

		if (!is_function(&symbol, size))
			continue;
		to = find(&ours, name, new->size);
		number = call_number(name);
		ok = to && write_jump(old + symbol.st_value, symbol.st_size,
				      old_at + symbol.st_value, new->at + to->st_value);
		if (!ok)
			ok = number >= 0 ? write_call(old + symbol.st_value, symbol.st_size, number)
					 : write_enosys(old + symbol.st_value, symbol.st_size);
		if (!ok)
			return error_set(err, ENOTSUP,
					 "the vDSO function %s of the snapshot's kernel can't be "
					 "led to this kernel's: it has %u bytes",
					 name, (unsigned)symbol.st_size);
		patched++;
	}
	*ret_patched = patched;
	return 0;
}
