/*
 * Reservations far larger than memory: 8 GiB of PROT_NONE with a window committed in it, as a
 * JVM's heap has, and 4 GiB that are accessible but touched at a few places only. The image must
 * hold what was touched, no more: it would not fit this test's time otherwise.
 */
#include "victim.h"

#include <sys/mman.h>

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

int main(int argc, char **argv)
{
	unsigned char *reserved, *open;

	victim_init(argc, argv);
	reserved =
		mmap(NULL, 8 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	open = mmap(NULL, 4 * GIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP(reserved != MAP_FAILED && open != MAP_FAILED);
	SETUP(mprotect(reserved + 3 * GIB, 2 * MIB, PROT_READ | PROT_WRITE) == 0);
	victim_fill(reserved + 3 * GIB, 2 * MIB);
	for (uint64_t at = 0; at < 4 * GIB; at += 512 * MIB)
		victim_fill(open + at, 4096);
	/* Reading maps the zero page, which is content of no kind. */
	for (uint64_t at = GIB; at < GIB + 64 * MIB; at += 4096)
		SETUP(((volatile unsigned char *)open)[at + 4096] == 0);
	victim_ready();
	EXPECT_STR(victim_perms(reserved), "---p");
	EXPECT_STR(victim_perms(reserved + 8 * GIB - 1), "---p");
	EXPECT_STR(victim_perms(reserved + 3 * GIB), "rw-p");
	victim_expect_filled("window", reserved + 3 * GIB, 2 * MIB);
	for (uint64_t at = 0; at < 4 * GIB; at += 512 * MIB)
		victim_expect_filled("touched page", open + at, 4096);
	EXPECT_EQ(open[4096] + open[3 * GIB + 8192], 0);
	SETUP(mprotect(reserved + 7 * GIB, 4096, PROT_READ | PROT_WRITE) == 0);
	EXPECT_EQ(reserved[7 * GIB], 0);
	reserved[7 * GIB] = 1;
	return victim_result();
}
