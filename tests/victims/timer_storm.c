/*
 * Timers that are due at any moment, also between their own restore and that of the rest: one that
 * notifies by a thread (with a signal that glibc keeps for itself), one by a queued signal, and an
 * interval timer, which the kernel sets anew only when its signal is taken.
 */
#include "victim.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

static atomic_int by_thread, by_signal, by_alarm;

static void on_thread(union sigval value)
{
	(void)value;
	by_thread++;
}

static void on_signal(int sig)
{
	(void)sig;
	by_signal++;
}

static void on_alarm(int sig)
{
	(void)sig;
	by_alarm++;
}

static void expect_more(const char *what, atomic_int *count)
{
	int before = *count;

	for (int i = 0; i < 20000 && *count < before + 5; i++)
		victim_sleep_ms(1);
	if (*count < before + 5)
		victim_fault(__FILE__, __LINE__, "%s has stopped", what);
}

int main(int argc, char **argv)
{
	struct sigevent thread = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread};
	struct sigevent queued = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec often = {.it_value = {0, 500000}, .it_interval = {0, 500000}};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction alarmed = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval interval = {{0, 500}, {0, 500}};
	timer_t timers[2];

	victim_init(argc, argv);
	SETUP(sigaction(SIGALRM, &alarmed, NULL) == 0);
	SETUP(setitimer(ITIMER_REAL, &interval, NULL) == 0);
	SETUP(sigaction(SIGRTMIN, &action, NULL) == 0);
	SETUP(timer_create(CLOCK_MONOTONIC, &thread, &timers[0]) == 0);
	SETUP(timer_create(CLOCK_REALTIME, &queued, &timers[1]) == 0);
	for (int i = 0; i < 2; i++)
		SETUP(timer_settime(timers[i], 0, &often, NULL) == 0);
	victim_ready();
	expect_more("the timer with a thread", &by_thread);
	expect_more("the timer with a signal", &by_signal);
	expect_more("the interval timer", &by_alarm);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(timer_delete(timers[i]), 0);
	return victim_result();
}
