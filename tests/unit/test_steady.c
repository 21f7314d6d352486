/* When a warm-up has levelled off: neither compilers nor latency get anywhere any more. */
#include "launcher/warm/steady.h"

#include "check.h"

static bool add(struct steady *steady, uint64_t latency_us, uint64_t compiles)
{
	const struct steady_round round = {.elapsed_ns = 1000000000,
					   .requests = 100,
					   .latency_ns = latency_us * 1000,
					   .compiles = compiles};

	return steady_add(steady, &round);
}

static void test_levels_off(void)
{
	struct steady steady = {0};

	CHECK(!add(&steady, 9000, 500));
	CHECK(!add(&steady, 5000, 300));
	/* level from here on */
	for (unsigned i = 1; i < STEADY_ROUNDS; i++)
		CHECK(!add(&steady, 4900, 2));
	CHECK(add(&steady, 4950, 0));
}

static void test_compilers_at_work(void)
{
	struct steady steady = {0};

	for (int i = 0; i < 50; i++)
		CHECK(!add(&steady, 5000, STEADY_COMPILES + 1));
}

static void test_still_faster(void)
{
	struct steady steady = {0};
	uint64_t latency = 100000;

	for (int i = 0; i < 50; i++) {
		CHECK(!add(&steady, latency, 0));
		latency -= latency / 10;
	}
	/* a relapse of the compilers starts it over */
	for (unsigned i = 1; i < STEADY_ROUNDS; i++)
		CHECK(!add(&steady, latency * 2, 0));
	CHECK(!add(&steady, latency * 2, 1000));
	for (unsigned i = 1; i < STEADY_ROUNDS; i++)
		CHECK(!add(&steady, latency * 2, 0));
	CHECK(add(&steady, latency * 2, 0));
}

int main(void)
{
	test_levels_off();
	test_compilers_at_work();
	test_still_faster();
	return 0;
}
