/* See cpu_fact.h (Intel SDM volume 2, CPUID; volume 1, 13.3 for XCR0). */
#include "launcher/cpu_fact.h"

#include <cpuid.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define LEAF1_ECX_OSXSAVE (1u << 27)

static uint32_t enabled_features(uint32_t leaf1_ecx)
{
	uint32_t low = 0, high = 0;

	if (leaf1_ecx & LEAF1_ECX_OSXSAVE)
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

static void brand(char text[49])
{
	uint32_t words[12] = {0};

	for (uint32_t i = 0; i < 3; i++)
		__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
			    &words[4 * i + 3]);
	memcpy(text, words, 48);
	text[48] = '\0';
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = ' ';
	for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
}

void cpu_fact(char ret_text[CPU_FACT_SIZE])
{
	uint32_t a, b, c, d, words[16] = {0};
	char name[49];

	if (__get_cpuid(1, &a, &b, &c, &d)) {
		/* ebx has the number of the processor that runs this, and is left out */
		words[0] = a;
		words[1] = c;
		words[2] = d;
		words[3] = enabled_features(c);
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		words[4] = b;
		words[5] = c;
		words[6] = d;
	}
	if (__get_cpuid_count(7, 1, &a, &b, &c, &d))
		words[7] = a;
	/* ecx: bytes of the largest XSAVE area; ebx depends on what is in use right now */
	if (__get_cpuid_count(0xd, 0, &a, &b, &c, &d)) {
		words[8] = a;
		words[9] = c;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
		words[10] = c;
		words[11] = d;
	}
	brand(name);
	snprintf(ret_text, CPU_FACT_SIZE, "%s features=%016llx", name,
		 (unsigned long long)XXH3_64bits(words, sizeof(words)));
}
