/*
 * Which processor code was compiled for: HotSpot and glibc choose instructions by CPUID when they
 * start, so native code of a snapshot is good only where CPUID says the same.
 */
#ifndef JSNAP_LAUNCHER_CPU_FACT_H
#define JSNAP_LAUNCHER_CPU_FACT_H

#define CPU_FACT_SIZE 96

/* "BRAND features=HEX", HEX a digest of the feature leaves 1, 7 and 0xd and of XCR0. */
void cpu_fact(char ret_text[CPU_FACT_SIZE]);

#endif
