/* See walk.h. */
#include "restore/walk.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CROWD	      64u	   /* threads that may be on their way out at once */
#define CROWD_WAIT_NS 500000000ull /* how long threads that have ended may still count */

static long read_number(const char *path, const char *before)
{
	CLEANUP_FREE char *text = NULL;
	const char *at;

	if (read_file(path, 128, &text, NULL) < 0)
		return -1;
	at = before ? strrchr(text, *before) : text;
	return at ? strtol(at, NULL, 10) : -1;
}

/* A filler; waits for earlier ones to go where there are too many (RLIMIT_NPROC, pids.max). */
static int take_number(pid_t *ret_tid, struct jsnap_error *err)
{
	uint64_t deadline = 0;
	long tid;

	while ((tid = walk_filler()) == -EAGAIN) {
		if (!deadline)
			deadline = monotonic_ns() + CROWD_WAIT_NS;
		if (monotonic_ns() > deadline)
			break;
		sched_yield();
	}
	if (tid < 0) {
		errno = (int)-tid;
		return error_errno(err, "start a thread to use up a number");
	}
	*ret_tid = (pid_t)tid;
	return 0;
}

int walk_place_read(struct walk_place *ret_place, struct jsnap_error *err)
{
	long cursor = read_number("/proc/sys/kernel/ns_last_pid", NULL);
	long pid_max = read_number("/proc/sys/kernel/pid_max", NULL);
	pid_t tid;

	if (cursor < 0) /* fs/proc/loadavg.c: the last field is the same number */
		cursor = read_number("/proc/loadavg", " ");
	if (cursor < 0) {
		int r = take_number(&tid, err);

		if (r < 0)
			return r;
		cursor = tid;
	}
	*ret_place = (struct walk_place){.cursor = (pid_t)cursor,
					 .pid_max = pid_max > 0 ? (pid_t)pid_max : 32768};
	return 0;
}

int64_t walk_distance(const struct walk_place *place, pid_t wanted)
{
	if (wanted >= place->pid_max || (wanted <= place->cursor && wanted < WALK_RESERVED_PIDS))
		return -1;
	if (wanted > place->cursor)
		return wanted - place->cursor - 1;
	return (int64_t)(place->pid_max - place->cursor - 1) + (wanted - WALK_RESERVED_PIDS);
}

int walk_afford(int64_t steps, uint64_t step_ns, uint64_t budget_ns, struct jsnap_error *err)
{
	uint64_t cost = (uint64_t)steps * step_ns;

	if (cost <= budget_ns)
		return 0;
	return error_set(err, E2BIG,
			 "walking there takes %lld numbers, about %llu ms, and may take %llu ms",
			 (long long)steps, (unsigned long long)(cost / 1000000),
			 (unsigned long long)(budget_ns / 1000000));
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int walk_measure(uint64_t *ret_step_ns, struct jsnap_error *err)
{
	uint64_t samples[WALK_SAMPLES];
	pid_t tid;

	for (unsigned s = 0; s < WALK_SAMPLES; s++) {
		uint64_t start = monotonic_ns();

		for (unsigned i = 0; i < WALK_SAMPLE; i++) {
			int r = take_number(&tid, err);

			if (r < 0)
				return r;
		}
		samples[s] = (monotonic_ns() - start) / WALK_SAMPLE;
	}
	qsort(samples, WALK_SAMPLES, sizeof(*samples), by_size);
	*ret_step_ns = samples[WALK_SAMPLES / 2];
	return 0;
}

/* By a call that needs no right and no /proc: sched_getscheduler(2) looks the task up first. */
bool walk_in_use(pid_t tid)
{
	return sched_getscheduler(tid) >= 0 || errno != ESRCH;
}

/* On a busy machine a thread that came to no processor would still have its number when the counter
 * has come round. */
static void await_end(pid_t filler)
{
	while (filler && syscall(SYS_tgkill, getpid(), filler, 0) == 0)
		sched_yield();
}

int walk_to(pid_t wanted, struct jsnap_error *err)
{
	pid_t recent[CROWD] = {0}, *oldest;
	struct walk_place place;
	pid_t before = wanted, tid;
	int r = walk_place_read(&place, err);

	if (r < 0)
		return r;
	/* Numbers right below that are in use are jumped over. */
	while (before > 1 && walk_in_use(before - 1))
		before--;
	tid = place.cursor;
	for (int64_t left = walk_distance(&place, wanted); left > 0; left--) {
		if (tid >= before - 1 && tid < wanted)
			break;
		oldest = &recent[(uint64_t)left % CROWD];
		await_end(*oldest);
		r = take_number(&tid, err);
		if (r < 0)
			return r;
		*oldest = tid;
	}
	if (tid >= before - 1 && tid < wanted)
		return 0;
	return error_set(err, ERANGE, "the PID counter, at %d, is past %d already", tid, wanted);
}
