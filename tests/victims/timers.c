/*
 * Timers that run on: setitimer of each kind, POSIX timers by signal and to a thread with their
 * value and interval, one disarmed, and timerfds, of one of which many periods were not read. None
 * may fire early, and all must fire in the end.
 */
#include "victim.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#define FAR 3000 /* s; a timer that must not fire in this test */

static atomic_int alarms, posix_value;

static void on_alarm(int sig)
{
	(void)sig;
	atomic_fetch_add(&alarms, 1);
}

static void on_posix(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	atomic_store(&posix_value, info->si_code == SI_TIMER ? info->si_value.sival_int : -1);
}

static timer_t timer(clockid_t clock, int notify, int value, int64_t first_ms, int64_t interval_ms)
{
	struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGRTMIN + 2};
	struct itimerspec spec = {
		.it_value = {first_ms / 1000, first_ms % 1000 * 1000000},
		.it_interval = {interval_ms / 1000, interval_ms % 1000 * 1000000}};
	timer_t id;

	event.sigev_value.sival_int = value;
	if (notify == SIGEV_THREAD_ID)
		event._sigev_un._tid = gettid();
	SETUP(timer_create(clock, &event, &id) == 0);
	SETUP(timer_settime(id, 0, &spec, NULL) == 0);
	return id;
}

static void expect_left(timer_t id, int64_t first_ms, int64_t interval_ms)
{
	struct itimerspec spec;
	int64_t left;

	EXPECT_EQ(timer_gettime(id, &spec), 0);
	left = spec.it_value.tv_sec * 1000 + spec.it_value.tv_nsec / 1000000;
	EXPECT(left <= first_ms && left >= first_ms - 60000);
	EXPECT(first_ms == 0 || left > 0);
	EXPECT_EQ(spec.it_interval.tv_sec * 1000 + spec.it_interval.tv_nsec / 1000000, interval_ms);
}

int main(int argc, char **argv)
{
	struct itimerval real = {.it_value = {FAR, 0}, .it_interval = {7, 5000}}, got;
	struct itimerval virtual = {.it_value = {FAR, 0}};
	struct itimerval profile = {.it_value = {2 * FAR, 0}, .it_interval = {0, 3000}};
	struct itimerspec in = {.it_value = {FAR, 0}, .it_interval = {11, 0}}, left;
	struct sigaction action = {.sa_sigaction = on_posix, .sa_flags = SA_SIGINFO | SA_RESTART};
	timer_t far, near, none, disarmed, absolute;
	int64_t start = victim_now(CLOCK_MONOTONIC);
	uint64_t ticks = 0;
	int fd, fd_near, unread;

	victim_init(argc, argv);
	signal(SIGALRM, on_alarm);
	SETUP(sigaction(SIGRTMIN + 2, &action, NULL) == 0);
	SETUP(setitimer(ITIMER_REAL, &real, NULL) == 0);
	SETUP(setitimer(ITIMER_VIRTUAL, &virtual, NULL) == 0);
	SETUP(setitimer(ITIMER_PROF, &profile, NULL) == 0);
	far = timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, 5, FAR * 1000, 250);
	near = timer(CLOCK_MONOTONIC, SIGEV_THREAD_ID, 99, 1500, 0);
	none = timer(CLOCK_REALTIME, SIGEV_NONE, 0, FAR * 1000, 0);
	disarmed = timer(CLOCK_BOOTTIME, SIGEV_SIGNAL, 3, 0, 0);
	absolute = timer(CLOCK_REALTIME, SIGEV_SIGNAL, 4, 0, 0);
	in.it_value.tv_sec = time(NULL) + FAR;
	SETUP(timer_settime(absolute, TIMER_ABSTIME, &in, NULL) == 0);
	in.it_value.tv_sec = FAR;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	SETUP(fd >= 0 && timerfd_settime(fd, 0, &in, NULL) == 0);
	unread = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	in = (struct itimerspec){.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
	SETUP(unread >= 0 && timerfd_settime(unread, 0, &in, NULL) == 0);
	victim_sleep_ms(400);
	fd_near = timerfd_create(CLOCK_BOOTTIME, 0);
	in = (struct itimerspec){.it_value = {1, 500000000}};
	SETUP(fd_near >= 0 && timerfd_settime(fd_near, 0, &in, NULL) == 0);
	victim_ready();

	EXPECT_EQ(getitimer(ITIMER_REAL, &got), 0);
	EXPECT(got.it_value.tv_sec > FAR - 60 && got.it_value.tv_sec <= FAR);
	EXPECT_EQ(got.it_interval.tv_sec * 1000000 + got.it_interval.tv_usec, 7005000);
	EXPECT_EQ(getitimer(ITIMER_VIRTUAL, &got), 0);
	EXPECT(got.it_value.tv_sec > FAR - 60 && got.it_value.tv_sec <= FAR);
	EXPECT_EQ(getitimer(ITIMER_PROF, &got), 0);
	EXPECT(got.it_value.tv_sec > 2 * FAR - 60 && got.it_value.tv_sec <= 2 * FAR);
	EXPECT_EQ(got.it_interval.tv_sec * 1000000 + got.it_interval.tv_usec, 3000);
	expect_left(far, FAR * 1000, 250);
	expect_left(none, FAR * 1000, 0);
	expect_left(disarmed, 0, 0);
	expect_left(absolute, FAR * 1000, 11000);
	EXPECT_EQ(timerfd_gettime(fd, &left), 0);
	EXPECT(left.it_value.tv_sec > FAR - 60 && left.it_value.tv_sec <= FAR);
	EXPECT_EQ(left.it_interval.tv_sec, 11);
	EXPECT(read(fd, &ticks, sizeof(ticks)) < 0 && errno == EAGAIN);
	EXPECT_EQ(read(unread, &ticks, sizeof(ticks)), sizeof(ticks));
	if (ticks < 400)
		victim_fault(__FILE__, __LINE__, "%" PRIu64 " periods were not read, not 400",
			     ticks);
	for (int i = 0; i < 1000 && !posix_value; i++)
		victim_sleep_ms(10);
	EXPECT_EQ(posix_value, 99);
	EXPECT_EQ(read(fd_near, &ticks, sizeof(ticks)), sizeof(ticks));
	EXPECT_EQ(ticks, 1);
	EXPECT(victim_now(CLOCK_MONOTONIC) - start >= INT64_C(1500000000));
	EXPECT_EQ(alarms, 0);
	/* The restored ids are live objects: another timer must get an id of its own. */
	EXPECT(timer(CLOCK_MONOTONIC, SIGEV_NONE, 0, 1000, 0) != far);
	EXPECT_EQ(timer_delete(near), 0);
	return victim_result();
}
