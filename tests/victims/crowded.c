/*
 * As many mappings as a process may have, but for what a restore takes, and memory that was touched
 * in more stretches than it may have mappings beside.
 */
#include "victim.h"

#include <sys/mman.h>

#define PAGE	  4096ul
#define STRETCHES 1000ul
#define STRETCH	  (4 * PAGE) /* touched, and a page between two of them is not */
#define LEFT	  16ul	     /* what a restore takes: REGION_MAPPINGS */
#define LATER	  8ul

int main(int argc, char **argv)
{
	unsigned char *touched, *crowd;

	victim_init(argc, argv);
	touched = mmap(NULL, STRETCHES * (STRETCH + PAGE), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(touched != MAP_FAILED);
	SETUP(madvise(touched, STRETCHES * (STRETCH + PAGE), MADV_NOHUGEPAGE) == 0);
	for (size_t i = 0; i < STRETCHES; i++)
		victim_fill(touched + i * (STRETCH + PAGE), STRETCH);
	crowd = victim_crowd(LEFT);
	victim_ready();
	for (size_t i = 0; i < STRETCHES; i++) {
		victim_expect_filled("a stretch", touched + i * (STRETCH + PAGE), STRETCH);
		EXPECT_EQ(touched[i * (STRETCH + PAGE) + STRETCH], 0);
	}
	EXPECT_STR(victim_perms(crowd), "---p");
	EXPECT_STR(victim_perms(crowd + PAGE), "r--p");
	for (size_t i = 0; i < LATER; i++)
		EXPECT(mmap(NULL, PAGE, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0) != MAP_FAILED);
	return victim_result();
}
