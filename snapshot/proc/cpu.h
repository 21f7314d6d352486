/*
 * What a processor offers to a program: instructions, and the layout of its XSAVE area. A program
 * chooses its code by this once, at its start, so a snapshot has to find it again.
 */
#ifndef JSNAP_PROC_CPU_H
#define JSNAP_PROC_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPU_WORDS      12u
#define CPU_COMPONENTS 32u /* of extended state; XCR0 has no more in use */

struct cpu {
	uint32_t words[CPU_WORDS]; /* registers of CPUID that hold features, cpu_x86_64.c */
	uint64_t xcr0;		   /* components of extended state that the kernel has enabled */
	/* Of the standard format, by component; size 0: not there. */
	uint32_t xsave_at[CPU_COMPONENTS], xsave_size[CPU_COMPONENTS];
};

void cpu_here(struct cpu *ret_cpu);
/* Model name; "" when the processor tells none. */
void cpu_name(char ret_name[49]);

/* Keeps only the features that a program's instructions depend on, of those jsnap knows. */
void cpu_keep_known(struct cpu *cpu);
/* What is in `needs` and not in `has`: how many, and their names ("avx512f, avx512bw") as far as
 * they fit. */
unsigned cpu_missing(const struct cpu *needs, const struct cpu *has, char *names, size_t size);
/* Takes the feature of that name away; false: there is none of that name. */
bool cpu_remove(struct cpu *cpu, const char *name);

#define CPU_LEVEL_MIN 2u
#define CPU_LEVEL_MAX 4u
/*
 * What --cpu x86-64-vLEVEL stands for: the level of the x86-64 psABI, and with v3 AES and
 * PCLMULQDQ, with v4 ADX too, which every processor of these levels has and HotSpot can't be kept
 * from using at a fair price. `here`: features that nothing switches off are added when this
 * processor has them. Words only.
 */
void cpu_level(unsigned level, const struct cpu *here, struct cpu *ret_cpu);

/* Name of a component of extended state: "AVX". */
const char *cpu_component_name(unsigned component);

#endif
