/*
 * System calls that leave the C library's errno alone: for tasks that share their creator's memory
 * while that goes on (clone(2), CLONE_VM), and so its thread-local storage.
 */
#ifndef JSNAP_RESTORE_RAW_X86_64_H
#define JSNAP_RESTORE_RAW_X86_64_H

/* The kernel's own answer, -errno for a failure (syscall(2), "Architecture calling conventions").
 */
static inline long raw_call(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
