/*
 * Signals that wait behind a mask: for the process and for one thread, with sigqueue's value and
 * the sender's code, two of the same real-time number in their order.
 */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static atomic_int queued, go, done;

static void expect_signal(const sigset_t *set, int sig, int code, int value)
{
	siginfo_t info = {0};
	/* Not glibc's, which makes SI_USER of SI_TKILL. */
	int got = syscall(SYS_rt_sigtimedwait, set, &info, &(struct timespec){0}, 8);

	EXPECT_EQ(got, sig);
	EXPECT_EQ(info.si_signo, sig);
	EXPECT_EQ(info.si_code, code);
	if (code == SI_QUEUE)
		EXPECT_EQ(info.si_value.sival_int, value);
	EXPECT_EQ(info.si_pid, getpid());
	EXPECT_EQ(info.si_uid, getuid());
}

static void block(sigset_t *set, int a, int b)
{
	sigemptyset(set);
	sigaddset(set, a);
	sigaddset(set, b);
	SETUP(pthread_sigmask(SIG_BLOCK, set, NULL) == 0);
}

static void *thread_main(void *arg)
{
	sigset_t set;

	block(&set, SIGUSR2, SIGRTMIN + 5);
	SETUP(pthread_kill(pthread_self(), SIGUSR2) == 0);
	SETUP(pthread_sigqueue(pthread_self(), SIGRTMIN + 5, (union sigval){.sival_int = 77}) == 0);
	atomic_store(&queued, 1);
	while (!go)
		victim_sleep_ms(2);
	expect_signal(&set, SIGUSR2, SI_TKILL, 0);
	expect_signal(&set, SIGRTMIN + 5, SI_QUEUE, 77);
	EXPECT_EQ(sigtimedwait(&set, NULL, &(struct timespec){0}), -1);
	atomic_store(&done, 1);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t set, pending;

	victim_init(argc, argv);
	/* Blocked before the thread exists, which else would take what is for the process. */
	block(&set, SIGUSR1, SIGRTMIN + 4);
	SETUP(pthread_create(&thread, NULL, thread_main, NULL) == 0);
	SETUP(kill(getpid(), SIGUSR1) == 0);
	SETUP(sigqueue(getpid(), SIGRTMIN + 4, (union sigval){.sival_int = 1}) == 0);
	SETUP(sigqueue(getpid(), SIGRTMIN + 4, (union sigval){.sival_int = 2}) == 0);
	while (!queued)
		victim_sleep_ms(1);
	victim_ready();
	SETUP(sigpending(&pending) == 0);
	EXPECT(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGRTMIN + 4));
	EXPECT(!sigismember(&pending, SIGUSR2));
	expect_signal(&set, SIGUSR1, SI_USER, 0);
	expect_signal(&set, SIGRTMIN + 4, SI_QUEUE, 1);
	expect_signal(&set, SIGRTMIN + 4, SI_QUEUE, 2);
	EXPECT_EQ(sigtimedwait(&set, NULL, &(struct timespec){0}), -1);
	atomic_store(&go, 1);
	pthread_join(thread, NULL);
	EXPECT_EQ(done, 1);
	return victim_result();
}
