/* See steady.h. */
#include "launcher/warm/steady.h"

bool steady_add(struct steady *steady, const struct steady_round *round)
{
	bool busy = round->compiles * 1000000000 > STEADY_COMPILES * round->elapsed_ns;
	bool better = !steady->best_ns ||
		      round->latency_ns * 100 < steady->best_ns * (100 - STEADY_LATENCY_PERCENT);

	if (!steady->best_ns || round->latency_ns < steady->best_ns)
		steady->best_ns = round->latency_ns;
	steady->level = busy || better ? 0 : steady->level + 1;
	return steady->level >= STEADY_ROUNDS;
}
