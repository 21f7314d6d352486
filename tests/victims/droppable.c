/*
 * Memory that the kernel may drop at any time (MAP_DROPPABLE), as the C library keeps the state of
 * the vDSO's random generator in (vgetrandom(3), glibc 2.41): still such memory after a restore,
 * and empty, so that two restored programs do not draw the same numbers.
 */
#include "victim.h"

#include <sys/mman.h>

#define PAGE 4096ul

struct vgetrandom_opaque_params { /* <uapi/linux/random.h>, Linux 6.11 */
	uint32_t size, prot, flags, reserved[13];
};

typedef ssize_t (*generator)(void *buffer, size_t size, unsigned flags, void *state, size_t opaque);

static bool is_zero(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct vgetrandom_opaque_params params;
	char before[256], after[256];
	unsigned char drawn[32] = {0};
	pid_t parent = getppid();
	unsigned char *state;
	generator draw;

	victim_init(argc, argv);
	draw = (generator)victim_vdso("__vdso_getrandom");
	SETUP(draw(NULL, 0, 0, &params, ~0ul) == 0);
	state = mmap(NULL, 2 * PAGE, (int)params.prot, (int)params.flags, -1, 0);
	if (state == MAP_FAILED)
		victim_lacks("droppable memory: %s", strerror(errno));
	SETUP(draw(drawn, sizeof(drawn), 0, state, params.size) == sizeof(drawn));
	memset(state + PAGE, 7, PAGE);
	SETUP(!is_zero(state, params.size) && !is_zero(drawn, sizeof(drawn)));
	victim_vmflags(state, before, sizeof(before));
	SETUP(strstr(before, " dp"));
	victim_ready();

	victim_vmflags(state, after, sizeof(after));
	EXPECT_STR(after, before);
	if (getppid() != parent) /* restored */
		EXPECT(is_zero(state, 2 * PAGE));
	memset(drawn, 0, sizeof(drawn));
	EXPECT_EQ(draw(drawn, sizeof(drawn), 0, state, params.size), sizeof(drawn));
	EXPECT(!is_zero(drawn, sizeof(drawn)));
	return victim_result();
}
