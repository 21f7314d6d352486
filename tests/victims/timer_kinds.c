/*
 * POSIX timers of every clock with every way to notify, alarm(2), and timerfds of every clock,
 * among them one at a time of the wall clock that asks to be told when that is set.
 */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define LATER_NS INT64_C(600000000)
#define LONG_S	 4000
#define CPU_NS	 INT64_C(600000000)

struct kernel_event { /* sigevent of the kernel, whose thread id glibc hides */
	union sigval value;
	int signo, notify;
	pid_t tid;
	int pad[11];
};

static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI,
				   CLOCK_PROCESS_CPUTIME_ID};
#define N (int)(sizeof(clocks) / sizeof(clocks[0]))

static atomic_int got_alarm, got_signal, got_thread, got_cpu, thread_tid, in_thread;
static atomic_bool leave, burn, timer_made;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig == SIGALRM)
		got_alarm++;
	else if (info->si_value.sival_int == 1)
		got_signal++;
	else if (info->si_value.sival_int == 2 && gettid() == thread_tid)
		got_thread++;
	else if (info->si_value.sival_int == 4 && gettid() == thread_tid)
		got_cpu++;
}

static void on_thread(union sigval value)
{
	if (value.sival_int == 3)
		in_thread++;
}

static int make(clockid_t clock, int notify, int value, int64_t ns, int64_t interval_ns);

/* The time of its own that a timer counts is this thread's, whoever makes it again: it burns enough
 * for the timer, which no other thread does. */
static void *work(void *arg)
{
	thread_tid = gettid();
	make(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL | SIGEV_THREAD_ID, 4, CPU_NS, 0);
	timer_made = true;
	while (!leave)
		if (burn && !got_cpu)
			(void)victim_now(CLOCK_THREAD_CPUTIME_ID);
		else
			victim_sleep_ms(20);
	return arg;
}

static int make(clockid_t clock, int notify, int value, int64_t ns, int64_t interval_ns)
{
	struct kernel_event event = {
		.value.sival_int = value, .signo = SIGRTMIN, .notify = notify, .tid = thread_tid};
	struct itimerspec spec = {
		.it_value = {ns / 1000000000, ns % 1000000000},
		.it_interval = {interval_ns / 1000000000, interval_ns % 1000000000}};
	int id;

	SETUP(syscall(SYS_timer_create, clock, &event, &id) == 0);
	SETUP(syscall(SYS_timer_settime, id, 0, &spec, NULL) == 0);
	return id;
}

static void expect_running(int id, int64_t interval_ns)
{
	struct itimerspec spec = {0};

	EXPECT_EQ(syscall(SYS_timer_gettime, id, &spec), 0);
	EXPECT(spec.it_value.tv_sec > LONG_S - 300 && spec.it_value.tv_sec <= LONG_S);
	EXPECT_EQ(spec.it_interval.tv_sec * INT64_C(1000000000) + spec.it_interval.tv_nsec,
		  interval_ns);
}

static void await(const char *what, atomic_int *count)
{
	for (int i = 0; i < 10000 && !*count; i++)
		victim_sleep_ms(1);
	if (!*count)
		victim_fault(__FILE__, __LINE__, "no %s", what);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigevent by_thread = {.sigev_notify = SIGEV_THREAD,
				     .sigev_notify_function = on_thread,
				     .sigev_value.sival_int = 3};
	struct itimerspec spec = {.it_value = {LONG_S, 0}, .it_interval = {7, 0}}, left;
	int none[N], files[4], wall;
	pthread_t thread;
	timer_t timer;

	victim_init(argc, argv);
	SETUP(sigaction(SIGRTMIN, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
	SETUP(pthread_create(&thread, NULL, work, NULL) == 0);
	while (!timer_made)
		victim_sleep_ms(1);
	for (int i = 0; i < N; i++)
		none[i] = make(clocks[i], i % 2 ? SIGEV_NONE : SIGEV_SIGNAL, 9,
			       LONG_S * INT64_C(1000000000), i * INT64_C(1000000));
	for (int i = 0; i < 3; i++) {
		files[i] = timerfd_create(clocks[i], TFD_CLOEXEC | TFD_NONBLOCK);
		SETUP(files[i] >= 0 && timerfd_settime(files[i], 0, &spec, NULL) == 0);
	}
	wall = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	clock_gettime(CLOCK_REALTIME, &spec.it_value);
	spec.it_value.tv_sec += LONG_S;
	SETUP(timerfd_settime(wall, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) == 0);
	SETUP(timer_create(CLOCK_MONOTONIC, &by_thread, &timer) == 0);
	left = (struct itimerspec){.it_value = {0, LATER_NS}};
	SETUP(timer_settime(timer, 0, &left, NULL) == 0);
	make(CLOCK_MONOTONIC, SIGEV_SIGNAL, 1, LATER_NS, 0);
	make(CLOCK_BOOTTIME, SIGEV_SIGNAL | SIGEV_THREAD_ID, 2, LATER_NS, 0);
	alarm(1);
	victim_ready();

	for (int i = 0; i < N; i++)
		expect_running(none[i], i * INT64_C(1000000));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(timerfd_gettime(files[i], &left), 0);
		EXPECT(left.it_value.tv_sec > LONG_S - 300 && left.it_value.tv_sec <= LONG_S);
		EXPECT_EQ(left.it_interval.tv_sec, 7);
	}
	{
		char path[64], text[512] = {0};
		FILE *f;

		EXPECT_EQ(timerfd_gettime(wall, &left), 0);
		EXPECT(left.it_value.tv_sec > LONG_S - 300 && left.it_value.tv_sec <= LONG_S);
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", wall);
		f = fopen(path, "re");
		EXPECT(f && fread(text, 1, sizeof(text) - 1, f) > 0);
		EXPECT(strstr(text, "settime flags: 03")); /* both, octal */
		fclose(f);
	}
	await("signal of a timer", &got_signal);
	await("signal of a timer to its thread", &got_thread);
	await("thread of a timer", &in_thread);
	await("alarm", &got_alarm);
	burn = true;
	await("timer on a thread's own CPU time", &got_cpu);
	EXPECT_EQ(got_cpu, 1);
	EXPECT_EQ(got_signal, 1);
	EXPECT_EQ(got_thread, 1);
	EXPECT_EQ(in_thread, 1);
	EXPECT_EQ(got_alarm, 1);
	leave = true;
	pthread_join(thread, NULL);
	return victim_result();
}
