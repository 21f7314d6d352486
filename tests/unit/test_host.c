/* What a machine must have for a snapshot: each item changed alone, and the words of the refusal.
 */
#include "restore/host.h"

#include "base/cleanup.h"
#include "base/region.h"
#include "check.h"
#include "restore/plan.h"
#include "trace/sigframe.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define GIB (1ull << 30)

static struct cpu cpu;
static struct machine machine;

/* A snapshot made here, that this machine satisfies. */
static void build(struct manifest *m)
{
	struct m_host *h;

	CHECK_EQ(manifest_init(m, NULL), 0);
	m->process->page_size = 4096;
	h = MANIFEST_ADD(m, host);
	*MANIFEST_ADD(m, vmas) = (struct m_vma){.start = 0x400000,
						.end = 0x400000 + GIB,
						.prot = PROT_READ | PROT_WRITE,
						.map_flags = MAP_PRIVATE};
	*MANIFEST_ADD(m, vmas) = (struct m_vma){.start = 0x7f0000000000,
						.end = 0x7f0000000000 + GIB,
						.prot = PROT_READ,
						.map_flags = MAP_PRIVATE};
	*MANIFEST_ADD(m, pieces) = (struct m_piece){0x400000, GIB / 2, 0};
	CHECK_EQ(manifest_string(m, "A processor", &h->cpu_name), 0);
	cpu_here(&cpu);
	cpu_keep_known(&cpu);
	memcpy(h->cpu_words, cpu.words, sizeof(h->cpu_words));
	h->xcr0 = cpu.xcr0;
	memcpy(h->xsave_at, cpu.xsave_at, sizeof(h->xsave_at));
	memcpy(h->xsave_size, cpu.xsave_size, sizeof(h->xsave_size));
	machine = (struct machine){.page_size = 4096,
				   .memory_limit = GIB,
				   .mmap_min_addr = 65536,
				   .user_end = 0x7ffffffff000,
				   .max_mappings = 65530,
				   .address_space = UINT64_MAX,
				   .data = UINT64_MAX};
}

static void expect(int r, const struct jsnap_error *err, const char *words)
{
	if (!words) {
		CHECK_EQ(r, 0);
		return;
	}
	CHECK(r < 0);
	if (!strstr(err->text, words))
		fprintf(stderr, "not in \"%s\"\n", err->text);
	CHECK(strstr(err->text, words));
}

static void check_cpu(const struct manifest *m, const struct cpu *here, const char *words)
{
	struct jsnap_error err = {0};

	expect(host_check_cpu(m, here, &err), &err, words);
}

static void test_cpu(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	struct cpu here;

	build(&m);
	check_cpu(&m, &cpu, NULL);
	here = cpu;
	CHECK(cpu_remove(&here, "sse4_2"));
	check_cpu(&m, &here, "lacks sse4_2, which the snapshot (made for A processor)");
	CHECK(cpu_remove(&here, "popcnt"));
	check_cpu(&m, &here, "lacks sse4_2, popcnt,");
	here = cpu;
	here.words[2] |= 1u << 16; /* more than it needs: AVX-512 */
	check_cpu(&m, &here, NULL);
	here = cpu;
	here.xcr0 &= ~4ull;
	check_cpu(&m, &here, "has AVX registers (extended state 2)");
	here = cpu;
	here.xsave_at[2] += 64;
	check_cpu(&m, &here, "AVX registers at another place");
	here = cpu;
	here.xsave_size[2] += 64;
	check_cpu(&m, &here, "AVX registers take");
	CHECK(!cpu_remove(&here, "no such feature"));
}

static void test_level(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	struct cpu level, here;
	char names[200];

	build(&m);
	for (unsigned n = CPU_LEVEL_MIN; n <= CPU_LEVEL_MAX; n++) {
		cpu_level(n, &cpu, &level);
		memcpy(m.host->cpu_words, level.words, sizeof(level.words));
		m.host->cpu_level = n;
		check_cpu(&m, &level, NULL); /* all that the level has is enough */
		here = level;
		CHECK(cpu_remove(&here, n == 2 ? "ssse3" : n == 3 ? "fma" : "avx512bw"));
		check_cpu(&m, &here,
			  n == 2   ? "lacks ssse3, which the snapshot (made for x86-64-v2)"
			  : n == 3 ? "lacks fma, which the snapshot (made for x86-64-v3)"
				   : "lacks avx512bw, which the snapshot (made for x86-64-v4)");
	}
	cpu_level(4, &cpu, &level);
	cpu_level(3, &cpu, &here);
	CHECK_EQ(cpu_missing(&level, &here, names, sizeof(names)), 6);
	CHECK_STR(names, "avx512f, avx512dq, adx, avx512cd, avx512bw, avx512vl");
	/* names that do not fit are cut, never overrun */
	CHECK_EQ(cpu_missing(&level, &here, names, 10), 6);
	CHECK_EQ(strlen(names), 9);
}

/* An image of x86-64-v3 from a processor that keeps PKRU elsewhere, and none of it here. */
static void test_layout(void)
{
	struct cpu from = {.xcr0 = 0x207}, to = {.xcr0 = 7};
	unsigned char xsave[2700] = {0}, frame[SIGFRAME_MAX];
	uint64_t enabled = 0x207, in_use = 0x207, got;
	struct user_regs_struct regs = {0};
	struct sigframe_input in = {.regs = &regs,
				    .xsave = xsave,
				    .xsave_size = sizeof(xsave),
				    .from = &from,
				    .to = &to};
	struct jsnap_error err = {0};
	unsigned char *fp;
	size_t size;

	from.xsave_at[2] = 576, from.xsave_size[2] = 256;
	from.xsave_at[9] = 2688, from.xsave_size[9] = 8;
	to.xsave_at[2] = 640, to.xsave_size[2] = 256;
	memcpy(xsave + 464, &enabled, 8);
	memcpy(xsave + 512, &in_use, 8);
	memset(xsave + 576, 0xab, 256);
	CHECK_EQ(sigframe_build(&in, 0x1000, frame, sizeof(frame), &size, &err), 0);
	memcpy(&fp, frame + 224, 8); /* uc_mcontext.fpregs */
	fp = frame + ((uintptr_t)fp - 0x1000);
	CHECK(fp[640] == 0xab && fp[895] == 0xab && fp[639] == 0);
	memcpy(&got, fp + 512, 8);
	CHECK_EQ(got, 7);
	in_use = 0x227; /* AVX-512 state in use, which `to` has no registers for */
	memcpy(xsave + 512, &in_use, 8);
	CHECK_EQ(sigframe_build(&in, 0x1000, frame, sizeof(frame), &size, &err), -ENOTSUP);
	in_use = 0x207;
	memcpy(xsave + 512, &in_use, 8);
	from.xsave_at[2] = 2688; /* beyond its bytes */
	CHECK_EQ(sigframe_build(&in, 0x1000, frame, sizeof(frame), &size, &err), -EBADMSG);
}

static void test_machine(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};

	build(&m);
#define LINE(change, words)                                               \
	do {                                                              \
		struct machine here = machine;                            \
		struct jsnap_error err = {0};                             \
		change;                                                   \
		expect(host_check_machine(&m, &here, &err), &err, words); \
	} while (0)
	LINE((void)0, NULL);
	LINE(here.page_size = 16384, "pages of 4096 bytes, this machine of 16384");
	LINE(here.memory_limit = GIB / 4, "memory limit of this control group is 256 MiB here, the "
					  "snapshot's process needs 512");
	LINE(here.mmap_min_addr = 0x500000, "none below 0x500000 (sysctl vm.mmap_min_addr)");
	LINE(here.user_end = 0x7f0000000000, "no five-level page tables");
	LINE(here.max_mappings = 17, "takes 18 mappings, this machine allows 17");
	LINE(here.max_mappings = 18, NULL);
	LINE(here.address_space = GIB, "address space (ulimit -v) is 1024 MiB here");
	LINE(here.data = GIB / 2, "data memory (ulimit -d) is 512 MiB here");
	LINE(here.data = GIB, NULL);
#undef LINE
}

/* Which stretches are mapped where so many mappings are allowed: half of the spare ones at most. */
static void test_map_worth(void)
{
	CLEANUP_MANIFEST struct manifest m = {0};
	const uint64_t taken = 2 + REGION_MAPPINGS;

	build(&m); /* with one stretch, of half a GiB */
	for (uint64_t i = 0; i < 10; i++)
		*MANIFEST_ADD(&m, pieces) = (struct m_piece){0x7f0000000000 + i * 65536, 20480, 0};
	CHECK_EQ(plan_map_worth(&m, UINT64_MAX), 16384);
	CHECK_EQ(plan_map_worth(&m, taken + 2 * 22), 16384);
	CHECK_EQ(plan_map_worth(&m, taken + 2 * 22 - 1), 32768);
	CHECK_EQ(plan_map_worth(&m, taken + 2 * 2), 32768);
	CHECK_EQ(plan_map_worth(&m, taken + 2 * 2 - 1), GIB);
	CHECK_EQ(plan_map_worth(&m, 1), GIB);
}

static void write_file(const char *root, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	f = fopen(full, "we");
	CHECK(f);
	fputs(text, f);
	fclose(f);
}

static void test_cgroups(void)
{
	char root[] = "/tmp/jsnap-host-XXXXXX", command[64];
	struct machine here;

	CHECK(mkdtemp(root));
	CHECK(machine_memory_limit(root, "0::/\n") == UINT64_MAX);
	/* version 2: the smallest on the way up */
	write_file(root, "/sys/fs/cgroup/a/b/memory.max", "max\n");
	write_file(root, "/sys/fs/cgroup/a/memory.max", "1073741824\n");
	write_file(root, "/sys/fs/cgroup/memory.max", "2147483648\n");
	CHECK_EQ(machine_memory_limit(root, "0::/a/b\n"), 1073741824);
	CHECK_EQ(machine_memory_limit(root, "0::/a\n"), 1073741824);
	CHECK_EQ(machine_memory_limit(root, "0::/elsewhere/c\n"), 2147483648);
	CHECK_EQ(machine_memory_limit(root, "0::/\n"), 2147483648);
	/* version 1, and both */
	write_file(root, "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "536870912\n");
	write_file(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	CHECK_EQ(machine_memory_limit(root, "5:cpu,cpuacct:/y\n4:hugetlb,memory:/docker/x\n"),
		 536870912);
	CHECK_EQ(machine_memory_limit(root, "4:memory:/docker/x\n0::/a/b\n"), 536870912);
	CHECK(machine_memory_limit(root, "4:memory:/gone\n") == UINT64_MAX);
	CHECK(machine_memory_limit(root, "4:memoryless:/docker/x\n") == UINT64_MAX);
	CHECK(machine_memory_limit(root, "") == UINT64_MAX);
	CHECK(machine_memory_limit(root, "nonsense\n::\n:\n0::") == 2147483648);
	write_file(root, "/proc/self/cgroup", "0::/a/b\n");
	write_file(root, "/proc/sys/vm/mmap_min_addr", "4096\n");
	write_file(root, "/proc/sys/vm/max_map_count", "100\n");
	machine_here(root, &here);
	CHECK_EQ(here.memory_limit, 1073741824);
	CHECK_EQ(here.mmap_min_addr, 4096);
	CHECK_EQ(here.max_mappings, 100);
	CHECK(here.user_end >= 0x7ffffffff000);
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_EQ(system(command), 0);
}

int main(void)
{
	test_cpu();
	test_level();
	test_layout();
	test_machine();
	test_map_worth();
	test_cgroups();
	return 0;
}
