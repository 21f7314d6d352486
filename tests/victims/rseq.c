/*
 * Restartable sequences: the area glibc registered for each thread is registered still, for the
 * kernel writes the CPU number into it; and a critical section that a stop interrupts is aborted.
 */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#define THREADS 3

static volatile bool leave;
static unsigned long added[THREADS];
static unsigned long aborted;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/*
 * Adds 1 to *counter, committed by one store at the end of the section; the loop inside makes it
 * likely that a stop falls into it. Returns false when the kernel sent it to the abort handler.
 */
static bool add_one(unsigned long *counter)
{
	struct rseq *rs = area();

	__asm__ goto volatile("	.pushsection __rseq_cs, \"aw\"\n"
			      "	.balign 32\n"
			      "10:	.long 0, 0\n"
			      "	.quad 1f, 2f - 1f, 4f\n"
			      "	.popsection\n"
			      "	leaq 10b(%%rip), %%rax\n"
			      "	movq %%rax, %0\n"
			      "1:	movq (%1), %%rdx\n"
			      "	incq %%rdx\n"
			      "	movl $3000, %%ecx\n"
			      "3:	pause\n"
			      "	decl %%ecx\n"
			      "	jnz 3b\n"
			      "	movq %%rdx, (%1)\n"
			      "2:\n"
			      "	.pushsection .text.rseq_abort, \"ax\"\n"
			      "	.byte 0x0f, 0xb9, 0x3d\n"
			      "	.long 0x53053053\n"
			      "4:	jmp %l[abort]\n"
			      "	.popsection\n"
			      :
			      : "m"(rs->rseq_cs), "r"(counter)
			      : "rax", "rcx", "rdx", "memory", "cc"
			      : abort);
	return true;
abort:
	return false;
}

static void *work(void *arg)
{
	unsigned long *counter = arg, done = 0;

	while (!leave) {
		if (add_one(counter))
			done++;
		else
			__atomic_fetch_add(&aborted, 1, __ATOMIC_RELAXED);
		if (done % 8 == 0)
			victim_sleep_ms(1);
	}
	/* Private to the thread: a section that ran on in its middle would have lost an update. */
	EXPECT_EQ(*counter, done);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	cpu_set_t all, one;
	int cpus = 0;

	victim_init(argc, argv);
	if (__rseq_size == 0)
		victim_skip("glibc registered no rseq area (an old kernel, or GLIBC_TUNABLES)");
	for (int i = 0; i < THREADS; i++)
		SETUP(pthread_create(&threads[i], NULL, work, &added[i]) == 0);
	victim_ready();
	SETUP(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned now;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		SETUP(sched_setaffinity(0, sizeof(one), &one) == 0);
		SETUP(syscall(SYS_getcpu, &now, NULL, NULL) == 0);
		EXPECT_EQ(now, cpu);
		EXPECT_EQ(*(volatile uint32_t *)&area()->cpu_id, cpu);
		cpus++;
	}
	EXPECT(cpus > 0);
	leave = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	fprintf(stderr, "%lu sections were aborted and begun again\n", aborted);
	return victim_result();
}
