/*
 * What only a thread itself is told: its alternate signal stack, its parent-death signal, its timer
 * slack, the word that the kernel clears at its end. That it was asked leaves no trace, not even in
 * a program that means something by signals that others ignore (argv[2] is "meant").
 */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#define THREADS 6

static const int ignored[] = {SIGURG, SIGWINCH, SIGCHLD};
static bool meant;
static atomic_int prepared, leave, caught;
static char stacks[THREADS][64 << 10];

static void count(int signo)
{
	(void)signo;
	caught++;
}

/* The first of them has a handler, the others are blocked in one thread each. */
static void mean_them(int number)
{
	struct sigaction action = {.sa_handler = count};
	sigset_t set;

	sigemptyset(&set);
	if (number == 0)
		SETUP(sigaction(ignored[0], &action, NULL) == 0);
	else if (number < 3)
		sigaddset(&set, ignored[number]);
	SETUP(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

static void expect_no_signal(void)
{
	sigset_t pending;

	EXPECT_EQ(sigpending(&pending), 0);
	for (size_t i = 0; i < 3; i++)
		EXPECT_EQ(sigismember(&pending, ignored[i]), 0);
}

static void *work(void *arg)
{
	int number = (intptr_t)arg, death = -1;
	stack_t stack = {.ss_sp = stacks[number], .ss_size = sizeof(stacks[0]) - number * 1024},
		now;

	if (meant)
		mean_them(number);
	SETUP(sigaltstack(&stack, NULL) == 0);
	SETUP(prctl(PR_SET_PDEATHSIG, number % 2 ? SIGUSR1 + number : 0) == 0);
	SETUP(prctl(PR_SET_TIMERSLACK, 60000 + number * 1000) == 0);
	prepared++;
	while (!leave)
		victim_sleep_ms(2);
	EXPECT_EQ(sigaltstack(NULL, &now), 0);
	EXPECT(now.ss_sp == stack.ss_sp);
	EXPECT_EQ(now.ss_size, stack.ss_size);
	EXPECT_EQ(now.ss_flags, 0);
	EXPECT_EQ(prctl(PR_GET_PDEATHSIG, &death), 0);
	EXPECT_EQ(death, number % 2 ? SIGUSR1 + number : 0);
	EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 60000 + number * 1000);
	expect_no_signal();
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	victim_init(argc, argv);
	meant = argc > 2 && strcmp(argv[2], "meant") == 0;
	for (intptr_t i = 0; i < THREADS; i++)
		SETUP(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
	while (prepared < THREADS)
		victim_sleep_ms(1);
	victim_ready();
	leave = 1;
	for (intptr_t i = 0; i < THREADS; i++) {
		void *result;

		EXPECT_EQ(pthread_join(threads[i], &result), 0);
		EXPECT_EQ((intptr_t)result, i);
	}
	EXPECT_EQ(caught, 0);
	expect_no_signal();
	return victim_result();
}
