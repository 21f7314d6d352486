/*
 * A pipe in packet mode (O_DIRECT): each write is read by itself, those before the checkpoint too.
 */
#include "victim.h"

#include <fcntl.h>

int main(int argc, char **argv)
{
	char got[100];
	int fds[2];

	victim_init(argc, argv);
	SETUP(pipe2(fds, O_DIRECT) == 0);
	SETUP(write(fds[1], "abc", 3) == 3 && write(fds[1], "defghij", 7) == 7);
	victim_ready();
	EXPECT_EQ(read(fds[0], got, sizeof(got)), 3);
	EXPECT_EQ(read(fds[0], got, sizeof(got)), 7);
	EXPECT(memcmp(got, "defghij", 7) == 0);
	EXPECT_EQ(write(fds[1], "kl", 2), 2);
	EXPECT_EQ(write(fds[1], "m", 1), 1);
	EXPECT_EQ(read(fds[0], got, sizeof(got)), 2);
	return victim_result();
}
