/*
 * The whole register file of threads that hold a pattern in all of it: general purpose, x87 stack
 * and control word, MXCSR, XMM/YMM or ZMM and the opmasks where the CPU has them. One thread is
 * stopped in user mode, the others inside system calls, which keep all of it but rax, rcx and r11.
 */
#include "victim.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <asm/prctl.h>

#define THREADS 4

struct file {			      /* offsets are used by the assembly below */
	uint64_t gpr[8];	      /* 0: rbx rbp r8 r9 r10 r12 r13 r15 */
	unsigned char vector[32][64]; /* 64 */
	uint64_t mask[8];	      /* 2112 */
	long double x87[8];	      /* 2176 */
	uint32_t mxcsr;		      /* 2304 */
	uint16_t control;	      /* 2308 */
} __attribute__((aligned(64)));

struct job {
	struct file in, out;
	volatile uint32_t stop;
	struct timespec nap; /* zero: never enter the kernel */
	int number;
} __attribute__((aligned(64)));

enum level { SSE, AVX, AVX512 };

void hold_registers(struct job *job, uint64_t napping, uint64_t level);

/* rdi: job, rsi: struct timespec or 0, rdx: level. */
__asm__(".text\n"
	".set stop, 2*2368\n"
	"hold_registers:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rdi, %r14\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	sub $16, %rsp\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 8(%rsp)\n"
	"	fninit\n"
	"	fldcw 2308(%r14)\n"
	"	ldmxcsr 2304(%r14)\n"
	"	.irp n,0,1,2,3,4,5,6,7\n"
	"	fldt 2176+16*\\n(%r14)\n"
	"	.endr\n"
	"	cmp $1, %edx\n"
	"	jb 1f\n"
	"	je 2f\n"
	"	.irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	vmovdqu64 64+64*\\n(%r14), %zmm\\n\n"
	"	.endr\n"
	"	.irp n,0,1,2,3,4,5,6,7\n"
	"	kmovq 2112+8*\\n(%r14), %k\\n\n"
	"	.endr\n"
	"	jmp 3f\n"
	"2:\n"
	"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	vmovdqu 64+64*\\n(%r14), %ymm\\n\n"
	"	.endr\n"
	"	jmp 3f\n"
	"1:\n"
	"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqu 64+64*\\n(%r14), %xmm\\n\n"
	"	.endr\n"
	"3:	mov (%r14), %rbx; mov 8(%r14), %rbp; mov 16(%r14), %r8; mov 24(%r14), %r9\n"
	"	mov 32(%r14), %r10; mov 40(%r14), %r12; mov 48(%r14), %r13; mov 56(%r14), %r15\n"
	"	mov 16(%rsp), %rdi\n" /* the nap */
	"4:	test %rdi, %rdi\n"
	"	jz 5f\n"
	"	xor %esi, %esi\n"
	"	mov $35, %eax\n" /* nanosleep */
	"	syscall\n"
	"5:	pause\n"
	"	cmpl $0, stop(%r14)\n"
	"	je 4b\n"
	"	mov %rbx, 2368(%r14); mov %rbp, 2376(%r14); mov %r8, 2384(%r14); mov %r9, "
	"2392(%r14)\n"
	"	mov %r10, 2400(%r14); mov %r12, 2408(%r14); mov %r13, 2416(%r14); mov %r15, "
	"2424(%r14)\n"
	"	mov 24(%rsp), %rdx\n"
	"	cmp $1, %edx\n"
	"	jb 1f\n"
	"	je 2f\n"
	"	.irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	vmovdqu64 %zmm\\n, 2368+64+64*\\n(%r14)\n"
	"	.endr\n"
	"	.irp n,0,1,2,3,4,5,6,7\n"
	"	kmovq %k\\n, 2368+2112+8*\\n(%r14)\n"
	"	.endr\n"
	"	vzeroupper\n"
	"	jmp 3f\n"
	"2:\n"
	"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	vmovdqu %ymm\\n, 2368+64+64*\\n(%r14)\n"
	"	.endr\n"
	"	vzeroupper\n"
	"	jmp 3f\n"
	"1:\n"
	"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqu %xmm\\n, 2368+64+64*\\n(%r14)\n"
	"	.endr\n"
	"3:	.irp n,7,6,5,4,3,2,1,0\n"
	"	fstpt 2368+2176+16*\\n(%r14)\n"
	"	.endr\n"
	"	fnstcw 2368+2308(%r14)\n"
	"	stmxcsr 2368+2304(%r14)\n"
	"	ldmxcsr (%rsp)\n"
	"	fninit\n"
	"	fldcw 8(%rsp)\n"
	"	add $32, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

_Static_assert(sizeof(struct file) == 2368, "the assembly's offsets");
_Static_assert(offsetof(struct file, vector) == 64 && offsetof(struct file, mask) == 2112 &&
		       offsetof(struct file, x87) == 2176 && offsetof(struct file, mxcsr) == 2304,
	       "the assembly's offsets");
_Static_assert(offsetof(struct job, stop) == 2 * 2368, "the assembly's offsets");

static enum level level(void)
{
	if (__builtin_cpu_supports("avx512bw"))
		return AVX512;
	return __builtin_cpu_supports("avx") ? AVX : SSE;
}

static void *hold(void *arg)
{
	struct job *job = arg;
	uint64_t base = 0x5a00000000000000u + job->number;
	unsigned long got;

	SETUP(syscall(SYS_arch_prctl, ARCH_SET_GS, base) < 0); /* not canonical: refused */
	base = 0x10000000u + job->number;
	SETUP(syscall(SYS_arch_prctl, ARCH_SET_GS, base) == 0);
	hold_registers(job, job->nap.tv_nsec ? (uint64_t)&job->nap : 0, level());
	EXPECT_EQ(syscall(SYS_arch_prctl, ARCH_GET_GS, &got), 0);
	EXPECT_EQ(got, base);
	return NULL;
}

static void prepare(struct job *job, int number)
{
	memset(job, 0, sizeof(*job));
	victim_fill(&job->in, sizeof(job->in));
	for (int i = 0; i < 8; i++) {
		job->in.gpr[i] ^= number;
		job->in.x87[i] = (number + 1) / (i + 3.0L);
	}
	for (int i = 0; i < 32; i++)
		job->in.vector[i][i] ^= number + 1;
	job->in.mxcsr =
		0x1f80 | (unsigned)(number & 3) << 13 | 0x8000; /* rounding, flush to zero */
	job->in.control = 0x037f | (number & 3) << 10;
	job->nap.tv_nsec = number ? number * 1000000L : 0; /* number 0 spins */
	job->number = number;
}

static void compare(const struct job *job)
{
	static const int vectors[] = {16, 16, 32}, widths[] = {16, 32, 64};

	for (int i = 0; i < 8; i++)
		EXPECT_EQ(job->out.gpr[i], job->in.gpr[i]);
	for (int i = 0; i < vectors[level()]; i++) {
		if (memcmp(job->out.vector[i], job->in.vector[i], widths[level()]) != 0)
			victim_fault(__FILE__, __LINE__, "thread %d: vector register %d changed",
				     job->number, i);
	}
	for (int i = 0; level() == AVX512 && i < 8; i++)
		EXPECT_EQ(job->out.mask[i], job->in.mask[i]);
	for (int i = 0; i < 8; i++)
		EXPECT(job->out.x87[i] == job->in.x87[i]);
	EXPECT_EQ(job->out.mxcsr & ~0x3fu, job->in.mxcsr);
	EXPECT_EQ(job->out.control, job->in.control);
}

int main(int argc, char **argv)
{
	static struct job jobs[THREADS];
	pthread_t threads[THREADS];

	victim_init(argc, argv);
	for (int i = 0; i < THREADS; i++) {
		prepare(&jobs[i], i);
		SETUP(pthread_create(&threads[i], NULL, hold, &jobs[i]) == 0);
	}
	victim_sleep_ms(20);
	victim_ready();
	for (int i = 0; i < THREADS; i++)
		jobs[i].stop = 1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		compare(&jobs[i]);
	}
	return victim_result();
}
