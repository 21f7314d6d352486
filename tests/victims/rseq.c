/*
 * Restartable sequences: the area glibc registered for each thread is registered still, for the
 * kernel writes the CPU number into it; and a critical section that a stop interrupts is aborted:
 * each adds to the counter of its CPU, which the threads there share.
 */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#define THREADS 4

static volatile bool leave;
static unsigned long done_by[THREADS];
static unsigned long counters[CPU_SETSIZE][8]; /* a line of the cache each */
static unsigned long aborted;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/*
 * Adds 1 to the counter of this CPU, committed by one store at the end of the section; the loop
 * inside makes it likely that a stop falls into it. Gone on with when another thread has added
 * there meanwhile, it would undo that. Returns false when it did not come to its end.
 */
static bool add_one(void)
{
	struct rseq *rs = area();
	uint32_t cpu = *(volatile uint32_t *)&rs->cpu_id_start;
	unsigned long *counter = counters[cpu];

	__asm__ goto volatile("	.pushsection __rseq_cs, \"aw\"\n"
			      "	.balign 32\n"
			      "10:	.long 0, 0\n"
			      "	.quad 1f, 2f - 1f, 4f\n"
			      "	.popsection\n"
			      "	leaq 10b(%%rip), %%rax\n"
			      "	movq %%rax, %0\n"
			      "1:	cmpl %2, %3\n"
			      "	jne 4f\n"
			      "	movq (%1), %%rdx\n"
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
			      : "m"(rs->rseq_cs), "r"(counter), "r"(cpu), "m"(rs->cpu_id)
			      : "rax", "rcx", "rdx", "memory", "cc"
			      : abort);
	return true;
abort:
	return false;
}

static void *work(void *arg)
{
	unsigned long done = 0;

	while (!leave) {
		if (add_one())
			done++;
		else
			__atomic_fetch_add(&aborted, 1, __ATOMIC_RELAXED);
		if (done % 8 == 0)
			victim_sleep_ms(1);
	}
	*(unsigned long *)arg = done;
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	cpu_set_t all, one;
	unsigned long counted = 0, done = 0;
	int cpus = 0;

	victim_init(argc, argv);
	if (__rseq_size == 0)
		victim_skip("glibc registered no rseq area (an old kernel, or GLIBC_TUNABLES)");
	for (int i = 0; i < THREADS; i++)
		SETUP(pthread_create(&threads[i], NULL, work, &done_by[i]) == 0);
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
	for (int i = 0; i < THREADS; i++)
		done += done_by[i];
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		counted += counters[cpu][0];
	EXPECT_EQ(counted, done);
	fprintf(stderr, "%lu sections were aborted and begun again\n", aborted);
	return victim_result();
}
