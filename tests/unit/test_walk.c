/* Walking the PID counter: distances and prices are pure; a walk itself works wherever tests run.
 */
#include "check.h"

#include "restore/walk.h"

#include <errno.h>
#include <sys/wait.h>

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

int main(void)
{
	test_distance();
	test_price();
	test_walk();
	return 0;
}
