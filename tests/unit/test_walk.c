/* Walking the PID counter: distances and prices are pure; a walk itself works wherever tests run.
 */
#include "check.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "restore/walk.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHERS 16
#define STEPS  400 /* several times as many as may be left at once */

static void test_distance(void)
{
	const struct walk_place young = {.cursor = 5, .pid_max = 32768};
	const struct walk_place old = {.cursor = 32000, .pid_max = 32768};

	CHECK_EQ(walk_distance(&young, 6), 0);
	CHECK_EQ(walk_distance(&young, 100), 94);
	CHECK_EQ(walk_distance(&young, 5), -1);
	CHECK_EQ(walk_distance(&old, 299), -1);
	CHECK_EQ(walk_distance(&old, 300), 767);
	CHECK_EQ(walk_distance(&old, 32000), 767 + 31700);
	CHECK_EQ(walk_distance(&old, 32767), 766);
	CHECK_EQ(walk_distance(&old, 32768), -1); /* never given out */
}

static void test_price(void)
{
	struct jsnap_error err = {0};

	CHECK_EQ(walk_afford(300, 20000, 15000000, &err), 0);
	CHECK_EQ(walk_afford(30000, 20000, 500000000, &err), -E2BIG);
	CHECK(strstr(err.text, "30000 numbers, about 600 ms, and may take 500 ms") != NULL);
}

/* Others take numbers too, so a few attempts are allowed. */
static void test_walk(void)
{
	struct jsnap_error err = {0};
	struct walk_place place;
	bool got = false;

	for (int i = 0; i < 20 && !got; i++) {
		pid_t wanted, pid;

		CHECK_EQ(walk_place_read(&place, &err), 0);
		if (place.cursor + 100 >= place.pid_max)
			continue;
		wanted = place.cursor + 40;
		while (walk_in_use(wanted))
			wanted++;
		if (walk_to(wanted, &err) < 0) {
			CHECK_EQ(err.code, ERANGE);
			continue;
		}
		pid = fork();
		if (pid == 0)
			_exit(getpid() == wanted ? 0 : 1);
		got = pid == wanted;
		waitpid(pid, NULL, 0);
	}
	CHECK(got);
	CHECK(walk_in_use(getpid()));
	CHECK(walk_to(1, &err) == -ERANGE);
	CHECK(strstr(err.text, "is past 1 already") != NULL);
}

static unsigned count_threads(void)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	unsigned count;

	CHECK_EQ(read_file("/proc/self/status", 1u << 16, &text, &size), 0);
	CHECK_EQ(sscanf(strstr(text, "Threads:"), "Threads: %u", &count), 1);
	return count;
}

static void want_processor(pid_t parent)
{
	while (getppid() == parent)
		;
	_exit(0);
}

/* On one processor that many others want, too, where those that were made run late: no crowd of
 * them is left, which would keep numbers that come round. */
static void test_crowd(void)
{
	const pid_t parent = getpid();
	pid_t others[OTHERS];
	struct walk_place place;
	struct jsnap_error err = {0};
	cpu_set_t one, all;

	CHECK_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int i = 0; CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	for (int i = 0; i < OTHERS; i++) {
		others[i] = fork();
		if (others[i] == 0)
			want_processor(parent);
	}
	CHECK_EQ(walk_place_read(&place, &err), 0);
	walk_to(place.cursor + STEPS < place.pid_max ? place.cursor + STEPS
						     : WALK_RESERVED_PIDS + STEPS,
		&err);
	CHECK(count_threads() <= 80); /* walk.c: 64 and this one */
	for (int i = 0; i < OTHERS; i++) {
		kill(others[i], SIGKILL);
		waitpid(others[i], NULL, 0);
	}
	CHECK_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
	test_crowd();
	test_distance();
	test_price();
	test_walk();
	return 0;
}
