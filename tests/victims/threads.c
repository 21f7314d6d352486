/*
 * Eight threads: names, TIDs, TLS, what they hold and wait for, scheduling, pthread_join across the
 * restore, and threads created right after it.
 */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define THREADS 8

static int own_nice; /* the caller's, which need not be 0 */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t go = PTHREAD_COND_INITIALIZER;
static volatile int started;
static bool gone;
static int woken;
static __thread unsigned char tls[5000];
static __thread int tls_number = 42;

static void *work(void *arg)
{
	int number = (intptr_t)arg;
	pid_t tid = gettid();
	char name[16], got[16];
	cpu_set_t set, got_set;

	snprintf(name, sizeof(name), "victim-%d", number);
	SETUP(prctl(PR_SET_NAME, name) == 0);
	victim_fill(tls, sizeof(tls));
	tls_number += number;
	CPU_ZERO(&set);
	SETUP(sched_getaffinity(0, sizeof(set), &set) == 0);
	if (number == 3) { /* one CPU of those allowed */
		for (int cpu = 0, found = 0; cpu < CPU_SETSIZE; cpu++) {
			if (CPU_ISSET(cpu, &set) && found++)
				CPU_CLR(cpu, &set);
		}
		SETUP(sched_setaffinity(0, sizeof(set), &set) == 0);
	}
	if (number == 4)
		SETUP(setpriority(PRIO_PROCESS, tid, 7) == 0);
	if (number == 5)
		SETUP(sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}) == 0);
	pthread_mutex_lock(&mutex);
	started++;
	while (!gone)
		pthread_cond_wait(&go, &mutex);
	woken++;
	pthread_mutex_unlock(&mutex);

	EXPECT_EQ(gettid(), tid);
	EXPECT_EQ(syscall(SYS_gettid), tid);
	prctl(PR_GET_NAME, got);
	EXPECT_STR(got, name);
	victim_expect_filled("TLS", tls, sizeof(tls));
	EXPECT_EQ(tls_number, 42 + number);
	EXPECT_EQ(sched_getaffinity(0, sizeof(got_set), &got_set), 0);
	EXPECT(CPU_EQUAL(&set, &got_set));
	EXPECT_EQ(getpriority(PRIO_PROCESS, 0), number == 4 ? 7 : own_nice);
	EXPECT_EQ(sched_getscheduler(0), number == 5 ? SCHED_BATCH : SCHED_OTHER);
	return (void *)(intptr_t)(number * 3);
}

static void *joiner(void *arg)
{
	void *result;

	EXPECT_EQ(pthread_join(*(pthread_t *)arg, &result), 0);
	return result;
}

static void *late(void *arg)
{
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS], join, fresh;
	pid_t pid = getpid();
	void *result;

	victim_init(argc, argv);
	own_nice = getpriority(PRIO_PROCESS, 0);
	for (intptr_t i = 0; i < THREADS; i++) {
		SETUP(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	}
	while (started < THREADS)
		victim_sleep_ms(1);
	victim_sleep_ms(5); /* the last one is on its way into the wait */
	/* A thread that hangs in pthread_join all the while. */
	SETUP(pthread_create(&join, NULL, joiner, &threads[0]) == 0);
	victim_ready();
	EXPECT_EQ(getpid(), pid);
	EXPECT_EQ(gettid(), pid);
	for (intptr_t i = 1; i <= 3; i++) {
		EXPECT_EQ(pthread_create(&fresh, NULL, late, (void *)i), 0);
		EXPECT_EQ(pthread_join(fresh, &result), 0);
		EXPECT_EQ((intptr_t)result, i);
	}
	pthread_mutex_lock(&mutex);
	EXPECT_EQ(woken, 0);
	gone = true;
	pthread_cond_broadcast(&go);
	pthread_mutex_unlock(&mutex);
	for (int i = 1; i < THREADS; i++) {
		EXPECT_EQ(pthread_join(threads[i], &result), 0);
		EXPECT_EQ((intptr_t)result, i * 3);
	}
	EXPECT_EQ(pthread_join(join, &result), 0);
	EXPECT_EQ((intptr_t)result, 0);
	EXPECT_EQ(woken, THREADS);
	return victim_result();
}
