/*
 * Threads inside system calls, one for each kind of call that argv[2] asks for: "timed" (those that
 * end by themselves), "woken" (all others) or the name of one. Each call must go on as if nothing
 * had happened: it returns once, with the right result, never EINTR, and no wait ends before its
 * time.
 *
 * signal(7): some of these calls fail with EINTR after SIGSTOP and SIGCONT even without a handler,
 * so with the runner's --stop they fail by the kernel's own doing.
 */
#include "blocked.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define MAX_WAITERS 64

static struct waiter waiters[MAX_WAITERS];
static int n_waiters;

static void *block(void *arg)
{
	struct waiter *w = arg;
	/* A deadline on the wall clock is kept by that clock, whatever others say after a restore.
	 */
	int64_t start = victim_now(w->kind->clock);

	w->tid = gettid();
	atomic_store(&w->entered, 1);
	errno = 0;
	w->result = w->kind->block(w);
	w->error = w->result < 0 ? errno : 0;
	w->took = victim_now(w->kind->clock) - start;
	w->ended = victim_now(CLOCK_REALTIME);
	atomic_store(&w->returned, 1);
	return arg;
}

/* When the runner's first image was begun, in ns of the wall clock; 0 without one, or where that is
 * not to be had. */
static int64_t first_snapshot(void)
{
	struct statx st;

	if (statx(AT_FDCWD, victim_path("../images/1.jsnap"), 0, STATX_BTIME, &st) < 0 ||
	    !(st.stx_mask & STATX_BTIME))
		return 0;
	return st.stx_btime.tv_sec * INT64_C(1000000000) + st.stx_btime.tv_nsec;
}

static void check(struct waiter *w)
{
	const char *name = w->kind->name;

	if (w->result != w->kind->expected || w->error != w->kind->expected_errno)
		victim_fault(__FILE__, __LINE__, "%s returned %ld (%s), not %ld (%s)", name,
			     w->result, strerror(w->error), w->kind->expected,
			     strerror(w->kind->expected_errno));
	if (!w->kind->wake && w->ended < first_snapshot())
		victim_fault(__FILE__, __LINE__, "%s was over before the snapshot", name);
	if (!w->kind->wake && w->took < SLEEP_NS - 1000000)
		victim_fault(__FILE__, __LINE__, "%s waited %" PRId64 " of %" PRId64 " ns", name,
			     w->took, SLEEP_NS);
}

static bool wanted(const struct kind *kind, const char *what)
{
	if (strcmp(what, "timed") == 0)
		return !kind->wake;
	if (strcmp(what, "woken") == 0)
		return kind->wake;
	return strcmp(what, kind->name) == 0;
}

/* A thread makes its call again when it is scheduled: woken before that, it would have found
 * what it waits for without waiting. What wakes one sleep on a CPU clock wakes others. */
static void await_asleep(const struct waiter *w)
{
	char path[64], text[256], *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", w->tid);
	for (int i = 0; i < 10000; i++) {
		FILE *f = fopen(path, "re");

		if (!f || !fgets(text, sizeof(text), f))
			text[0] = '\0';
		if (f)
			fclose(f);
		end = strrchr(text, ')');
		if (w->returned || (end && end[2] == 'S'))
			return;
		victim_sleep_ms(1);
	}
	victim_fault(__FILE__, __LINE__, "%s does not go to sleep again", w->kind->name);
}

static void on_signal(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	sigset_t set;

	victim_init(argc, argv);
	SETUP(argc > 2);
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_WAITED);
	sigaddset(&set, SIGNAL_DESCRIBED);
	sigaddset(&set, SIGNAL_TIMED);
	SETUP(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	signal(SIGNAL_HANDLED, on_signal);
	for (const struct kind *kind = blocked_kinds; kind->name; kind++) {
		struct waiter *w = &waiters[n_waiters];

		if (!wanted(kind, argv[2]))
			continue;
		SETUP(n_waiters++ < MAX_WAITERS);
		*w = (struct waiter){.kind = kind, .fd = {-1, -1}};
		if (kind->prepare)
			kind->prepare(w);
	}
	SETUP(n_waiters);
	for (int i = 0; i < n_waiters; i++)
		SETUP(pthread_create(&waiters[i].thread, NULL, block, &waiters[i]) == 0);
	for (int i = 0; i < n_waiters; i++)
		while (!waiters[i].entered)
			victim_sleep_ms(1);
	victim_sleep_ms(20);
	victim_ready();
	for (int i = 0; i < n_waiters; i++) {
		if (waiters[i].kind->wake && waiters[i].returned) /* interrupted, else */
			victim_fault(__FILE__, __LINE__, "%s returned early",
				     waiters[i].kind->name);
	}
	for (int i = 0; i < n_waiters; i++)
		if (waiters[i].kind->wake) {
			await_asleep(&waiters[i]);
			waiters[i].kind->wake(&waiters[i]);
		}
	for (int i = 0; i < n_waiters; i++) {
		pthread_join(waiters[i].thread, NULL);
		check(&waiters[i]);
	}
	return victim_result();
}
