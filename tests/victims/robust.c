/*
 * What the kernel does for a thread when it ends: the robust list (a mutex whose owner dies after
 * the restore is handed on with EOWNERDEAD, one with priority inheritance too), priority
 * inheritance, and clear_child_tid, by which pthread_join learns of the end.
 */
#include "victim.h"

#include <pthread.h>
#include <sys/syscall.h>

struct robust_list_head;

static pthread_mutex_t robust, robust_inheriting, inheriting, held;
static volatile bool owned, leave;
static void *list_before, *list_after;

static void *list_head(void)
{
	struct robust_list_head *head = NULL;
	size_t size;

	EXPECT_EQ(syscall(SYS_get_robust_list, 0, &head, &size), 0);
	return head;
}

static void *die_with_locks(void *arg)
{
	list_before = list_head();
	SETUP(pthread_mutex_lock(&robust) == 0);
	SETUP(pthread_mutex_lock(&robust_inheriting) == 0);
	SETUP(pthread_mutex_lock(&inheriting) == 0);
	owned = true;
	while (!leave)
		victim_sleep_ms(2);
	list_after = list_head();
	EXPECT_EQ(pthread_mutex_unlock(&inheriting), 0);
	return arg; /* with the robust ones still locked */
}

static void *wait_for_lock(void *arg)
{
	EXPECT_EQ(pthread_mutex_lock(&inheriting), 0);
	EXPECT_EQ(pthread_mutex_unlock(&inheriting), 0);
	return arg;
}

static void *wait_for_end(void *arg)
{
	EXPECT_EQ(pthread_mutex_lock(&robust_inheriting), EOWNERDEAD);
	EXPECT_EQ(pthread_mutex_consistent(&robust_inheriting), 0);
	EXPECT_EQ(pthread_mutex_unlock(&robust_inheriting), 0);
	return arg;
}

static void make(pthread_mutex_t *mutex, int is_robust, int protocol)
{
	pthread_mutexattr_t attr;

	SETUP(pthread_mutexattr_init(&attr) == 0);
	SETUP(pthread_mutexattr_setrobust(&attr, is_robust) == 0);
	SETUP(pthread_mutexattr_setprotocol(&attr, protocol) == 0);
	SETUP(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK) == 0);
	SETUP(pthread_mutex_init(mutex, &attr) == 0);
}

int main(int argc, char **argv)
{
	pthread_t owner, waiter, heir;
	void *result;

	victim_init(argc, argv);
	make(&robust, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
	make(&robust_inheriting, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT);
	make(&inheriting, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT);
	make(&held, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
	SETUP(pthread_mutex_lock(&held) == 0);
	SETUP(pthread_create(&owner, NULL, die_with_locks, &robust) == 0);
	while (!owned)
		victim_sleep_ms(1);
	/* Waits in the kernel for a lock with an owner whom the kernel must know. */
	SETUP(pthread_create(&waiter, NULL, wait_for_lock, NULL) == 0);
	SETUP(pthread_create(&heir, NULL, wait_for_end, NULL) == 0);
	victim_sleep_ms(20);
	victim_ready();
	EXPECT_EQ(pthread_mutex_trylock(&robust), EBUSY);
	EXPECT_EQ(pthread_mutex_trylock(&robust_inheriting), EBUSY);
	EXPECT_EQ(pthread_mutex_trylock(&inheriting), EBUSY);
	EXPECT_EQ(pthread_mutex_lock(&held), EDEADLK);
	EXPECT_EQ(pthread_mutex_unlock(&held), 0);
	leave = true;
	EXPECT_EQ(pthread_join(owner, &result), 0);
	EXPECT(result == &robust);
	EXPECT(list_before && list_after == list_before);
	EXPECT_EQ(pthread_join(waiter, NULL), 0);
	EXPECT_EQ(pthread_join(heir, NULL), 0);
	EXPECT_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	EXPECT_EQ(pthread_mutex_consistent(&robust), 0);
	EXPECT_EQ(pthread_mutex_unlock(&robust), 0);
	return victim_result();
}
