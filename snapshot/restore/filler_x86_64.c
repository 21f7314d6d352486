/* See walk.h. The thread runs three instructions on no stack at all, so that any number of them may
 * end while others start. */
#include "restore/walk.h"

#include <asm/unistd.h>
#include <linux/sched.h>

long walk_filler(void)
{
	const unsigned long flags =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	char unused[64];
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "mov %6, %%eax\n"
			 "xor %%edi, %%edi\n"
			 "syscall\n"
			 "hlt\n"
			 "1:\n"
			 : "=a"(result)
			 : "a"(__NR_clone), "D"(flags), "S"(unused + sizeof(unused)), "d"(0L),
			   "r"(r10), "i"(__NR_exit), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}
