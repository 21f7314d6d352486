/*
 * Pointers into the vDSO: glibc's own, and those a program looks up at the address in the auxiliary
 * vector, work after the kernel, and with it the vDSO, has changed.
 */
#include "victim.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>

static int (*gettime)(clockid_t, struct timespec *);
static int (*get_cpu)(unsigned *, unsigned *, void *);

static void *look_up(const char *name)
{
	const char *base = (void *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *elf = (const void *)base;
	const Elf64_Shdr *sections = (const void *)(base + elf->e_shoff);

	for (int i = 0; i < elf->e_shnum; i++) {
		const Elf64_Sym *symbols = (const void *)(base + sections[i].sh_offset);
		const char *strings;

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		strings = base + sections[sections[i].sh_link].sh_offset;
		for (size_t k = 0; k < sections[i].sh_size / sizeof(*symbols); k++)
			if (strcmp(strings + symbols[k].st_name, name) == 0)
				return (void *)(base + symbols[k].st_value);
	}
	return NULL;
}

static int64_t kernels_time(clockid_t clock)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, clock, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Between two answers of the kernel itself. */
static void check(clockid_t clock)
{
	int64_t before = kernels_time(clock), libc = victim_now(clock), after;
	struct timespec ts;

	EXPECT_EQ(gettime(clock, &ts), 0);
	after = kernels_time(clock);
	EXPECT(before <= libc && libc <= ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec);
	EXPECT(ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec <= after);
}

int main(int argc, char **argv)
{
	struct timespec resolution;
	struct timeval tv;
	unsigned cpu = 9999;

	victim_init(argc, argv);
	gettime = (int (*)(clockid_t, struct timespec *))look_up("__vdso_clock_gettime");
	get_cpu = (int (*)(unsigned *, unsigned *, void *))look_up("__vdso_getcpu");
	SETUP(gettime && get_cpu);
	check(CLOCK_MONOTONIC);
	victim_ready();
	for (int i = 0; i < 10000; i++) {
		check(CLOCK_MONOTONIC);
		check(CLOCK_BOOTTIME);
	}
	EXPECT_EQ(get_cpu(&cpu, NULL, NULL), 0);
	EXPECT(cpu < 9999);
	EXPECT_EQ(clock_getres(CLOCK_MONOTONIC, &resolution), 0);
	EXPECT_EQ(gettimeofday(&tv, NULL), 0);
	EXPECT(labs(tv.tv_sec - time(NULL)) <= 1);
	EXPECT(gettime(12345, &resolution) < 0);
	return victim_result();
}
