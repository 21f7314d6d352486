/* jsnap waits for the agent longer than the agent for its resources, who can say which one hangs.
 */
#include "check.h"
#include "launcher/cold/agent_client.h"

#define SECOND 1000000000ull

int main(void)
{
	const uint64_t limits[] = {1, SECOND, 30 * SECOND, 600 * SECOND, 86400 * SECOND};

	CHECK_EQ(agent_client_patience(0), 0);
	/* Those of the snapshot before, the turn, and its own: one limit each. */
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		CHECK_EQ(agent_client_patience(limits[i]) - 3 * limits[i],
			 AGENT_PREPARE_TIMEOUT_NS);
	return 0;
}
