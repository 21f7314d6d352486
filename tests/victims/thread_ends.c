/*
 * Threads that end and begin around the snapshot: one is joined across it, threads come and go all
 * the while, each with its own storage, others sit in handlers on the smallest alternate stacks or
 * deep in the smallest stack there is.
 */
#include "victim.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define SMALL 4

static __thread int own = 5;
static atomic_int leave, inside, joined, made, wrong;
static atomic_bool stop;

static void stay(int sig)
{
	volatile int mark = sig;

	inside++;
	while (!leave)
		victim_sleep_ms(2);
	if (mark != sig)
		wrong++;
}

static void *on_small_stack(void *arg)
{
	size_t size = sysconf(_SC_MINSIGSTKSZ) + 1024; /* room for the frame and nanosleep */
	stack_t stack = {.ss_size = size}, now;
	unsigned char *area =
		mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(area != MAP_FAILED);
	/* What lies directly below the stack is somebody's. */
	memset(area, 0x5a, 8192);
	stack.ss_sp = area + 8192;
	SETUP(sigaltstack(&stack, NULL) == 0);
	pthread_kill(pthread_self(), SIGUSR1);
	for (int i = 0; i < 8192; i++)
		if (area[i] != 0x5a)
			wrong++;
	sigaltstack(NULL, &now);
	if (now.ss_sp != stack.ss_sp || now.ss_size != size || now.ss_flags)
		wrong++;
	return arg;
}

static void *joiner(void *arg)
{
	void *result;

	if (pthread_join(*(pthread_t *)arg, &result) == 0 && result == &joined)
		joined = 1;
	return NULL;
}

static void *joinee(void *arg)
{
	(void)arg;
	while (!leave)
		victim_sleep_ms(2);
	return &joined;
}

static void *brief(void *arg)
{
	if (own != 5)
		wrong++;
	own = 6;
	return arg;
}

static void *breeder(void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
	while (!stop) {
		pthread_t thread;
		void *result = NULL;

		if (pthread_create(&thread, &attr, brief, &made) || pthread_join(thread, &result) ||
		    result != &made)
			wrong++;
		made++;
	}
	return arg;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stay, .sa_flags = SA_ONSTACK};
	pthread_t small[SMALL], breeders[2], target, waiter;
	int before;

	victim_init(argc, argv);
	SETUP(sigaction(SIGUSR1, &action, NULL) == 0);
	for (int i = 0; i < SMALL; i++)
		SETUP(pthread_create(&small[i], NULL, on_small_stack, NULL) == 0);
	SETUP(pthread_create(&target, NULL, joinee, NULL) == 0);
	SETUP(pthread_create(&waiter, NULL, joiner, &target) == 0);
	for (int i = 0; i < 2; i++)
		SETUP(pthread_create(&breeders[i], NULL, breeder, NULL) == 0);
	while (inside < SMALL || !made)
		victim_sleep_ms(1);
	victim_ready();
	before = made;
	EXPECT_EQ(joined, 0);
	leave = 1;
	pthread_join(waiter, NULL);
	EXPECT_EQ(joined, 1);
	for (int i = 0; i < SMALL; i++)
		pthread_join(small[i], NULL);
	for (int i = 0; i < 10000 && made < before + 10; i++)
		victim_sleep_ms(1);
	EXPECT(made >= before + 10); /* threads still come and go */
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(breeders[i], NULL);
	EXPECT_EQ(wrong, 0);
	return victim_result();
}
