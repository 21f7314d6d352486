/* An old vDSO image led to a new one: jumps, far jumps, system calls, and damaged images. */
#include "restore/vdso.h"

#include "check.h"
#include "proc/maps.h"

#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIZE 8192u

struct symbol {
	const char *name;
	uint64_t value, size;
};

/* A shared object of one page of headers and one of text, with these functions. */
static void make(unsigned char *image, const struct symbol *symbols, size_t n)
{
	Elf64_Ehdr *elf = (void *)image;
	Elf64_Shdr *sections = (void *)(image + 64);
	Elf64_Sym *table = (void *)(image + 512);
	char *strings = (char *)image + 2048;
	size_t used = 1;

	memset(image, 0, SIZE);
	memset(image + 4096, 0xcc, 4096);
	memcpy(elf->e_ident, ELFMAG, SELFMAG);
	elf->e_ident[EI_CLASS] = ELFCLASS64;
	elf->e_shoff = 64;
	elf->e_shentsize = sizeof(Elf64_Shdr);
	elf->e_shnum = 3;
	sections[1] = (Elf64_Shdr){.sh_type = SHT_DYNSYM,
				   .sh_offset = 512,
				   .sh_size = (n + 1) * sizeof(Elf64_Sym),
				   .sh_link = 2};
	for (size_t i = 0; i < n; i++) {
		table[i + 1] = (Elf64_Sym){.st_name = (Elf64_Word)used,
					   .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					   .st_shndx = 1,
					   .st_value = symbols[i].value,
					   .st_size = symbols[i].size};
		strcpy(strings + used, symbols[i].name);
		used += strlen(symbols[i].name) + 1;
	}
	sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = 2048, .sh_size = used};
}

static void test_patches(void)
{
	static const struct symbol before[] = {{"__vdso_clock_gettime", 4096, 64},
					       {"time", 4224, 16},
					       {"getrandom", 4352, 64},
					       {"__vdso_sgx_enter_enclave", 4480, 64}},
				   after[] = {{"time", 4500, 64},
					      {"__vdso_clock_gettime", 5000, 64}};
	unsigned char old[SIZE], new[SIZE];
	struct vdso_image image = {.bytes = new, .size = SIZE, .at = 0x7000000};
	struct jsnap_error err = {0};
	unsigned patched;
	int32_t jump;
	uint64_t far;

	make(old, before, 4);
	make(new, after, 2);
	CHECK_EQ(vdso_patch(old, SIZE, 0x7800000, &image, &patched, &err), 0);
	CHECK_EQ(patched, 4);
	CHECK_EQ(old[4096], 0xe9);
	memcpy(&jump, old + 4097, 4);
	CHECK_EQ(0x7800000 + 4096 + 5 + jump, 0x7000000 + 5000);
	CHECK_EQ(old[4224], 0xe9);
	memcpy(&jump, old + 4225, 4);
	CHECK_EQ(0x7800000 + 4224 + 5 + jump, 0x7000000 + 4500);
	CHECK(memcmp(old + 4352, "\xb8\x3e\x01\0\0\x0f\x05\xc3", 8) == 0); /* getrandom, 318 */
	CHECK(memcmp(old + 4480, "\x48\xc7\xc0\xda\xff\xff\xff\xc3", 8) == 0);
	CHECK_EQ(old[4104], 0xcc); /* nothing but the entries */

	/* too far for a short jump: a long one where it fits, else the system call */
	make(old, before, 2);
	image.at = 0x7f0000000000;
	CHECK_EQ(vdso_patch(old, SIZE, 0x7800000, &image, &patched, &err), 0);
	CHECK(memcmp(old + 4096, "\xff\x25\0\0\0\0", 6) == 0);
	memcpy(&far, old + 4102, 8);
	CHECK(far == 0x7f0000000000 + 5000);
	make(old, (const struct symbol[]){{"time", 4224, 10}}, 1);
	CHECK_EQ(vdso_patch(old, SIZE, 0x7800000, &image, &patched, &err), 0);
	CHECK_EQ(old[4224], 0xb8);
	make(old, (const struct symbol[]){{"getcpu", 4224, 4}}, 1);
	CHECK_EQ(vdso_patch(old, SIZE, 0x7800000, &image, &patched, &err), -ENOTSUP);
	CHECK(strstr(err.text, "getcpu"));
}

static void test_bad_images(void)
{
	static const struct symbol symbols[] = {{"time", 4224, 16}, {"getcpu", 8191, 64}};
	unsigned char old[SIZE], new[SIZE];
	struct vdso_image image = {.bytes = new, .size = SIZE, .at = 0x7000000};
	struct jsnap_error err = {0};
	unsigned patched;

	make(new, symbols, 1);
	make(old, symbols, 2); /* one reaches beyond the image: left alone */
	CHECK_EQ(vdso_patch(old, SIZE, 0x7800000, &image, &patched, &err), 0);
	CHECK_EQ(patched, 1);
	srand(7);
	for (int i = 0; i < 200000; i++) { /* under ASan this proves the bounds */
		make(old, symbols, 2);
		for (int k = rand() % 8; k >= 0; k--)
			old[rand() % 640] = (unsigned char)rand();
		(void)vdso_patch(old, 1 + (size_t)rand() % SIZE, 0x7800000, &image, &patched, &err);
	}
}

/* This kernel's own image, copied away and led back, tells the same time. */
static void test_runs(void)
{
	CLEANUP_MAPS struct maps self = {0};
	struct jsnap_error err = {0};
	unsigned patched = 0;

	CHECK_EQ(maps_read(getpid(), false, &self, &err), 0);
	for (size_t i = 0; i < self.count; i++) {
		const struct maps_entry *own = &self.entries[i];
		size_t size = own->end - own->start;
		struct vdso_image image = {
			.bytes = (void *)own->start, .size = size, .at = own->start};
		const Elf64_Ehdr *elf;
		unsigned char *copy;

		if (strcmp(own->name, "[vdso]") != 0)
			continue;
		copy = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(copy != MAP_FAILED);
		memcpy(copy, image.bytes, size);
		CHECK_EQ(vdso_patch(copy, size, (uint64_t)copy, &image, &patched, &err), 0);
		CHECK(patched >= 4);
		elf = (void *)copy;
		for (unsigned s = 0; s < elf->e_shnum; s++) {
			const Elf64_Shdr *table = (const void *)(copy + elf->e_shoff);
			const Elf64_Sym *symbols = (const void *)(copy + table[s].sh_offset);

			for (size_t k = 0; table[s].sh_type == SHT_DYNSYM &&
					   k < table[s].sh_size / sizeof(*symbols);
			     k++) {
				const char *name = (char *)copy +
						   table[table[s].sh_link].sh_offset +
						   symbols[k].st_name;
				int (*get)(clockid_t, struct timespec *) =
					(void *)(copy + symbols[k].st_value);
				struct timespec ts = {0}, now;

				if (strcmp(name, "__vdso_clock_gettime") != 0)
					continue;
				CHECK_EQ(get(CLOCK_MONOTONIC, &ts), 0);
				clock_gettime(CLOCK_MONOTONIC, &now);
				CHECK(now.tv_sec - ts.tv_sec < 5 && ts.tv_sec);
				patched = 100;
			}
		}
		munmap(copy, size);
	}
	CHECK_EQ(patched, 100);
}

int main(void)
{
	test_patches();
	test_bad_images();
	test_runs();
	return 0;
}
