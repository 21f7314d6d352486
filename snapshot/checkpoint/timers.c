/* Interval timers and POSIX timers with the time they have left. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define TIMERS_TEXT_MAX (8u << 20)

static uint64_t timespec_ns(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * 1000000000u + (uint64_t)ts->tv_nsec;
}

static uint64_t timeval_ns(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000000u + (uint64_t)tv->tv_usec * 1000u;
}

static int capture_itimers(struct capture *c, struct jsnap_error *err)
{
	for (unsigned which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		struct itimerval value;
		int r = capture_call_out(c, &value, sizeof(value), err, "ask an interval timer",
					 SYS_getitimer, REMOTE_ARGS(which, CAPTURE_OUT));

		if (r < 0)
			return r;
		c->m->process->itimers[which][0] = timeval_ns(&value.it_interval);
		c->m->process->itimers[which][1] = timeval_ns(&value.it_value);
	}
	return 0;
}

static int notify_kind(const char *word)
{
	if (strncmp(word, "signal", 6) == 0)
		return SIGEV_SIGNAL;
	if (strncmp(word, "thread", 6) == 0)
		return SIGEV_THREAD;
	return SIGEV_NONE;
}

static int capture_timer_state(struct capture *c, struct m_posix_timer *timer,
			       struct jsnap_error *err)
{
	struct itimerspec value;
	long overrun;
	int r = capture_call_out(c, &value, sizeof(value), err, "ask a POSIX timer",
				 SYS_timer_gettime, REMOTE_ARGS(timer->id, CAPTURE_OUT));

	if (r == 0)
		r = capture_call(c, &overrun, err, "ask a POSIX timer's overrun",
				 SYS_timer_getoverrun, REMOTE_ARGS(timer->id));
	if (r < 0)
		return r;
	timer->value_ns = timespec_ns(&value.it_value);
	timer->interval_ns = timespec_ns(&value.it_interval);
	timer->overrun = (uint32_t)overrun;
	return 0;
}

/*
 * The CPU clock of "the calling thread", as the kernel keeps and prints it (linux/posix-timers.h),
 * is whose timer_create(2) it was; only whom the timer tells, or that there is no other thread,
 * says who. It becomes the clock of that thread by number.
 */
static int name_thread_clock(struct capture *c, struct m_posix_timer *timer,
			     struct jsnap_error *err)
{
	const int per_thread = 4, any_thread = -1;

	if (timer->clockid >= 0 || !(timer->clockid & per_thread) ||
	    timer->clockid >> 3 != any_thread || c->tracee.n_threads == 1)
		return 0;
	if (!timer->notify_tid)
		return error_set(
			err, ENOTSUP,
			"POSIX timer %u counts one thread's CPU time "
			"(CLOCK_THREAD_CPUTIME_ID) without saying whose, which is not carried "
			"for a process of several threads",
			timer->id);
	timer->clockid = (int32_t)(~timer->notify_tid << 3) | (timer->clockid & 7);
	return 0;
}

/* One entry of /proc/PID/timers (fs/proc/base.c, show_timer), four lines from `text`. */
static int capture_timer(struct capture *c, const char *text, struct jsnap_error *err)
{
	struct m_posix_timer *timer = MANIFEST_ADD(c->m, posix_timers);
	unsigned long long sigval;
	char notify[16], kind[8];
	int id, signo, target, clockid;
	pid_t ns_tid = 0;
	int r = 0;

	if (!timer)
		return error_set(err, ENOMEM, "too many POSIX timers");
	if (sscanf(text, "ID: %d\nsignal: %d/%llx\nnotify: %15[a-z]/%7[a-z].%d\nClockID: %d", &id,
		   &signo, &sigval, notify, kind, &target, &clockid) != 7)
		return error_set(err, EBADMSG, "unexpected /proc/%d/timers: %.60s", c->options->pid,
				 text);
	if (strcmp(kind, "tid") == 0)
		r = capture_ns_tid(c, target, &ns_tid, err);
	if (r < 0)
		return r;
	if (clockid == CLOCK_REALTIME_ALARM || clockid == CLOCK_BOOTTIME_ALARM)
		return error_set(err, ENOTSUP,
				 "POSIX timer %d wakes the machine (an alarm clock), which is not "
				 "carried",
				 id);
	*timer = (struct m_posix_timer){.id = (uint32_t)id,
					.clockid = clockid,
					.notify = notify_kind(notify),
					.signo = signo,
					.notify_tid = (uint32_t)ns_tid,
					.sigval = sigval};
	if (ns_tid)
		timer->notify |= SIGEV_THREAD_ID;
	r = name_thread_clock(c, timer, err);
	return r < 0 ? r : capture_timer_state(c, timer, err);
}

static int by_id(const void *a, const void *b)
{
	const struct m_posix_timer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int capture_timers(struct capture *c, struct jsnap_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char path[64];
	int r = capture_itimers(c, err);

	c->m->n_posix_timers = 0;
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/timers", c->options->pid);
	r = read_file(path, TIMERS_TEXT_MAX, &text, NULL);
	if (r == -ENOENT)
		return 0; /* a kernel without CONFIG_POSIX_TIMERS or CONFIG_CHECKPOINT_RESTORE */
	if (r < 0)
		return error_set(err, -r, "read %s: %s", path, strerror(-r));
	for (const char *p = strstr(text, "ID: "); r == 0 && p; p = strstr(p + 1, "\nID: ")) {
		if (*p == '\n')
			p++;
		r = capture_timer(c, p, err);
	}
	if (r == 0 && c->m->n_posix_timers)
		qsort(c->m->posix_timers, c->m->n_posix_timers, sizeof(c->m->posix_timers[0]),
		      by_id);
	return r;
}
