/* See cpu.h. Intel SDM volume 2, CPUID; volume 1, chapter 13; AMD APM volume 3, appendix E. */
#include "proc/cpu.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>

#define OSXSAVE (1u << 27) /* leaf 1, ecx */

enum word { /* index into cpu.words: leaf, subleaf, register */
	    W_1_ECX,
	    W_1_EDX,
	    W_7_EBX,
	    W_7_ECX,
	    W_7_EDX,
	    W_7_1_EAX,
	    W_7_1_EDX,
	    W_EXT1_ECX, /* 0x80000001 */
	    W_EXT1_EDX,
	    W_EXT8_EBX, /* 0x80000008 */
	    W_D_1_EAX,
};

/* Every feature that adds instructions for programs; named as Linux does in /proc/cpuinfo. */
static const struct feature {
	uint8_t word, bit;
	char name[20];
} features[] = {
	{W_1_ECX, 0, "sse3"},
	{W_1_ECX, 1, "pclmulqdq"},
	{W_1_ECX, 9, "ssse3"},
	{W_1_ECX, 12, "fma"},
	{W_1_ECX, 13, "cx16"},
	{W_1_ECX, 19, "sse4_1"},
	{W_1_ECX, 20, "sse4_2"},
	{W_1_ECX, 22, "movbe"},
	{W_1_ECX, 23, "popcnt"},
	{W_1_ECX, 25, "aes"},
	{W_1_ECX, 26, "xsave"},
	{W_1_ECX, 27, "osxsave"},
	{W_1_ECX, 28, "avx"},
	{W_1_ECX, 29, "f16c"},
	{W_1_ECX, 30, "rdrand"},
	{W_1_EDX, 4, "tsc"},
	{W_1_EDX, 8, "cx8"},
	{W_1_EDX, 15, "cmov"},
	{W_1_EDX, 19, "clflush"},
	{W_1_EDX, 23, "mmx"},
	{W_1_EDX, 24, "fxsr"},
	{W_1_EDX, 25, "sse"},
	{W_1_EDX, 26, "sse2"},
	{W_7_EBX, 0, "fsgsbase"},
	{W_7_EBX, 3, "bmi1"},
	{W_7_EBX, 4, "hle"},
	{W_7_EBX, 5, "avx2"},
	{W_7_EBX, 8, "bmi2"},
	{W_7_EBX, 9, "erms"},
	{W_7_EBX, 11, "rtm"},
	{W_7_EBX, 16, "avx512f"},
	{W_7_EBX, 17, "avx512dq"},
	{W_7_EBX, 18, "rdseed"},
	{W_7_EBX, 19, "adx"},
	{W_7_EBX, 21, "avx512ifma"},
	{W_7_EBX, 23, "clflushopt"},
	{W_7_EBX, 24, "clwb"},
	{W_7_EBX, 26, "avx512pf"},
	{W_7_EBX, 27, "avx512er"},
	{W_7_EBX, 28, "avx512cd"},
	{W_7_EBX, 29, "sha_ni"},
	{W_7_EBX, 30, "avx512bw"},
	{W_7_EBX, 31, "avx512vl"},
	{W_7_ECX, 1, "avx512vbmi"},
	{W_7_ECX, 3, "pku"},
	{W_7_ECX, 4, "ospke"},
	{W_7_ECX, 5, "waitpkg"},
	{W_7_ECX, 6, "avx512_vbmi2"},
	{W_7_ECX, 8, "gfni"},
	{W_7_ECX, 9, "vaes"},
	{W_7_ECX, 10, "vpclmulqdq"},
	{W_7_ECX, 11, "avx512_vnni"},
	{W_7_ECX, 12, "avx512_bitalg"},
	{W_7_ECX, 14, "avx512_vpopcntdq"},
	{W_7_ECX, 22, "rdpid"},
	{W_7_ECX, 25, "cldemote"},
	{W_7_ECX, 27, "movdiri"},
	{W_7_ECX, 28, "movdir64b"},
	{W_7_EDX, 2, "avx512_4vnniw"},
	{W_7_EDX, 3, "avx512_4fmaps"},
	{W_7_EDX, 4, "fsrm"},
	{W_7_EDX, 5, "uintr"},
	{W_7_EDX, 8, "avx512_vp2intersect"},
	{W_7_EDX, 14, "serialize"},
	{W_7_EDX, 16, "tsxldtrk"},
	{W_7_EDX, 22, "amx_bf16"},
	{W_7_EDX, 23, "avx512_fp16"},
	{W_7_EDX, 24, "amx_tile"},
	{W_7_EDX, 25, "amx_int8"},
	{W_7_1_EAX, 0, "sha512"},
	{W_7_1_EAX, 1, "sm3"},
	{W_7_1_EAX, 2, "sm4"},
	{W_7_1_EAX, 4, "avx_vnni"},
	{W_7_1_EAX, 5, "avx512_bf16"},
	{W_7_1_EAX, 7, "cmpccxadd"},
	{W_7_1_EAX, 10, "fzrm"},
	{W_7_1_EAX, 11, "fsrs"},
	{W_7_1_EAX, 12, "fsrc"},
	{W_7_1_EAX, 21, "amx_fp16"},
	{W_7_1_EAX, 23, "avx_ifma"},
	{W_7_1_EDX, 4, "avx_vnni_int8"},
	{W_7_1_EDX, 5, "avx_ne_convert"},
	{W_7_1_EDX, 8, "amx_complex"},
	{W_7_1_EDX, 10, "avx_vnni_int16"},
	{W_7_1_EDX, 19, "avx10"},
	{W_7_1_EDX, 21, "apx"},
	{W_EXT1_ECX, 0, "lahf_lm"},
	{W_EXT1_ECX, 5, "abm"},
	{W_EXT1_ECX, 6, "sse4a"},
	{W_EXT1_ECX, 7, "misalignsse"},
	{W_EXT1_ECX, 8, "3dnowprefetch"},
	{W_EXT1_ECX, 11, "xop"},
	{W_EXT1_ECX, 16, "fma4"},
	{W_EXT1_ECX, 21, "tbm"},
	{W_EXT1_EDX, 11, "syscall"},
	{W_EXT1_EDX, 22, "mmxext"},
	{W_EXT1_EDX, 27, "rdtscp"},
	{W_EXT1_EDX, 29, "lm"},
	{W_EXT8_EBX, 0, "clzero"},
	{W_EXT8_EBX, 4, "rdpru"},
	{W_D_1_EAX, 0, "xsaveopt"},
	{W_D_1_EAX, 1, "xsavec"},
	{W_D_1_EAX, 2, "xgetbv1"},
};

#define N_FEATURES (sizeof(features) / sizeof(features[0]))

static uint64_t read_xcr0(uint32_t leaf1_ecx)
{
	uint32_t low = 0, high = 0;

	if (leaf1_ecx & OSXSAVE)
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

struct leaf {
	uint32_t a, b, c, d;
};

/* The leaves that there are, of which each costs microseconds on a virtual machine: <cpuid.h> would
 * ask for the greatest before each. False: there is no such leaf. */
static bool ask_leaf(uint32_t number, uint32_t sub, struct leaf *ret_leaf)
{
	static uint32_t greatest[2]; /* basic, extended */
	bool extended = number >> 31;
	uint32_t *max = &greatest[extended];

	if (!*max)
		*max = __get_cpuid_max(extended ? 0x80000000 : 0, NULL);
	if (number > *max)
		return false;
	__cpuid_count(number, sub, ret_leaf->a, ret_leaf->b, ret_leaf->c, ret_leaf->d);
	return true;
}

static void ask(struct cpu *ret_cpu)
{
	struct cpu cpu = {0};
	struct leaf leaf;

	if (ask_leaf(1, 0, &leaf)) {
		cpu.words[W_1_ECX] = leaf.c;
		cpu.words[W_1_EDX] = leaf.d;
	}
	if (ask_leaf(7, 0, &leaf)) {
		cpu.words[W_7_EBX] = leaf.b;
		cpu.words[W_7_ECX] = leaf.c;
		cpu.words[W_7_EDX] = leaf.d;
		if (leaf.a >= 1 && ask_leaf(7, 1, &leaf)) {
			cpu.words[W_7_1_EAX] = leaf.a;
			cpu.words[W_7_1_EDX] = leaf.d;
		}
	}
	if (ask_leaf(0x80000001, 0, &leaf)) {
		cpu.words[W_EXT1_ECX] = leaf.c;
		cpu.words[W_EXT1_EDX] = leaf.d;
	}
	if (ask_leaf(0x80000008, 0, &leaf))
		cpu.words[W_EXT8_EBX] = leaf.b;
	if (ask_leaf(0xd, 1, &leaf))
		cpu.words[W_D_1_EAX] = leaf.a;
	cpu.xcr0 = read_xcr0(cpu.words[W_1_ECX]);
	for (unsigned i = 2; i < CPU_COMPONENTS; i++) {
		if (!(cpu.xcr0 >> i & 1) || !ask_leaf(0xd, i, &leaf))
			continue;
		cpu.xsave_size[i] = leaf.a;
		cpu.xsave_at[i] = leaf.b;
	}
	*ret_cpu = cpu;
}

/* Asking takes microseconds for each leaf on a virtual machine, and the answer stays the same. */
void cpu_here(struct cpu *ret_cpu)
{
	static struct cpu known;
	static bool asked;

	if (!asked)
		ask(&known);
	asked = true;
	*ret_cpu = known;
}

void cpu_name(char ret_name[49])
{
	struct leaf leaves[3] = {0};
	size_t n;

	for (uint32_t i = 0; i < 3; i++)
		ask_leaf(0x80000002 + i, 0, &leaves[i]);
	memcpy(ret_name, leaves, sizeof(leaves));
	ret_name[48] = '\0';
	for (char *p = ret_name; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = ' ';
	for (n = strlen(ret_name); n > 0 && ret_name[n - 1] == ' '; n--)
		ret_name[n - 1] = '\0';
}

static bool has(const struct cpu *cpu, const struct feature *f)
{
	return cpu->words[f->word] >> f->bit & 1;
}

void cpu_keep_known(struct cpu *cpu)
{
	uint32_t known[CPU_WORDS] = {0};

	for (size_t i = 0; i < N_FEATURES; i++)
		known[features[i].word] |= 1u << features[i].bit;
	for (size_t i = 0; i < CPU_WORDS; i++)
		cpu->words[i] &= known[i];
}

unsigned cpu_missing(const struct cpu *needs, const struct cpu *has_cpu, char *names, size_t size)
{
	unsigned missing = 0;
	size_t used = 0;

	if (size)
		names[0] = '\0';
	for (size_t i = 0; i < N_FEATURES; i++) {
		if (!has(needs, &features[i]) || has(has_cpu, &features[i]))
			continue;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%s",
						 missing ? ", " : "", features[i].name);
		missing++;
	}
	return missing;
}

static const struct feature *find(const char *name, size_t length)
{
	for (size_t i = 0; i < N_FEATURES; i++)
		if (strlen(features[i].name) == length &&
		    strncmp(features[i].name, name, length) == 0)
			return &features[i];
	return NULL;
}

bool cpu_remove(struct cpu *cpu, const char *name)
{
	const struct feature *f = find(name, strlen(name));

	if (f)
		cpu->words[f->word] &= ~(1u << f->bit);
	return f;
}

void cpu_level(unsigned level, const struct cpu *here, struct cpu *ret_cpu)
{
	static const char *const levels[] = {
		"lm cmov cx8 fxsr mmx sse sse2 syscall tsc",
		"cx16 lahf_lm popcnt sse3 sse4_1 sse4_2 ssse3 xsave osxsave",
		"avx avx2 bmi1 bmi2 f16c fma abm movbe aes pclmulqdq xsavec",
		"avx512f avx512bw avx512cd avx512dq avx512vl adx",
	};
	/* HotSpot looks at these itself, and has no option for them. */
	static const char lasting[] = "serialize rdtscp";
	struct cpu cpu = {0};

	for (unsigned i = 0; i <= level && i <= CPU_LEVEL_MAX; i++) {
		bool base = i < level;
		const char *word = base ? levels[i] : lasting;

		while (*word) {
			size_t n = strcspn(word, " ");
			const struct feature *f = find(word, n);

			if (f && (base || has(here, f)))
				cpu.words[f->word] |= 1u << f->bit;
			word += n + (word[n] == ' ');
		}
	}
	*ret_cpu = cpu;
}

const char *cpu_component_name(unsigned component)
{
	static const char *const names[] = {
		"x87",	   "SSE",	 "AVX",		"MPX bounds",	   "MPX configuration",
		"AVX-512", "AVX-512",	 "AVX-512",	"processor trace", "PKRU",
		"PASID",   "CET (user)", "CET (kernel)"};

	if (component < sizeof(names) / sizeof(names[0]))
		return names[component];
	return component == 17 || component == 18 ? "AMX" : "unknown";
}
