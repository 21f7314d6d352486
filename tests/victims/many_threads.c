/*
 * Many threads at once (argv[2] of them), each of which must come back with its TID and its number.
 */
#include "victim.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static _Atomic uint32_t gate;
static atomic_int running, right;
static __thread pid_t tid;

static void *work(void *arg)
{
	tid = gettid();
	atomic_fetch_add(&running, 1);
	while (!gate)
		syscall(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	if (tid == syscall(SYS_gettid))
		atomic_fetch_add(&right, 1);
	return arg;
}

int main(int argc, char **argv)
{
	int n;
	pthread_t *threads;
	pthread_attr_t attr;

	victim_init(argc, argv);
	n = argc > 2 ? atoi(argv[2]) : 100;
	threads = calloc(n, sizeof(*threads));
	SETUP(threads && pthread_attr_init(&attr) == 0);
	SETUP(pthread_attr_setstacksize(&attr, 64 << 10) == 0);
	for (intptr_t i = 0; i < n; i++) {
		int rc = pthread_create(&threads[i], &attr, work, (void *)i);

		if (rc == EAGAIN)
			victim_skip("no more than %d threads are allowed here", (int)i);
		SETUP(rc == 0);
	}
	while (running < n)
		victim_sleep_ms(1);
	victim_ready();
	gate = 1;
	syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
	for (intptr_t i = 0; i < n; i++) {
		void *result;

		EXPECT_EQ(pthread_join(threads[i], &result), 0);
		EXPECT_EQ((intptr_t)result, i);
	}
	EXPECT_EQ(right, n);
	return victim_result();
}
