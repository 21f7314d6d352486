/*
 * Anonymous private memory: content, holes, permissions of every kind, guard pages, adjacent
 * mappings, brk, the main stack that grows on, a MAP_GROWSDOWN mapping, and code written at run
 * time.
 */
#include "victim.h"

#include <sys/mman.h>

#define PAGE  4096ul
#define BLOCK (64 * PAGE)

static unsigned char initialized[3 * 4096] = {1, 2, 3};
static unsigned char zeroed[5 * 4096];

static void *map(size_t size, int prot, int flags)
{
	void *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	SETUP(p != MAP_FAILED);
	return p;
}

/* Uses the stack deeper than it was at the checkpoint. */
static __attribute__((noinline)) int deep(int n)
{
	volatile unsigned char frame[32 << 10];

	frame[0] = n;
	frame[sizeof(frame) - 1] = n;
	return n == 0 ? 0 : deep(n - 1) + (frame[0] == frame[sizeof(frame) - 1]);
}

static int (*write_code(void))(void)
{
	static const unsigned char code[] = {0xb8, 0x39, 0x05,
					     0,	   0,	 0xc3}; /* mov $1337,%eax; ret */
	void *p = map(PAGE, PROT_READ | PROT_WRITE, 0);

	memcpy(p, code, sizeof(code));
	SETUP(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	return (int (*)(void))p;
}

int main(int argc, char **argv)
{
	unsigned char *block, *patterned, *sparse, *brk_area, *down;
	int (*code)(void);
	void *heap_end;

	victim_init(argc, argv);
	code = write_code();
	block = map(BLOCK, PROT_READ | PROT_WRITE, 0);
	victim_fill(block, BLOCK);
	/* Pages that a checkpoint may drop and pages it may not, alternating. */
	sparse = map(BLOCK, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	for (size_t i = 0; i < BLOCK; i += 3 * PAGE)
		victim_fill(sparse + i, PAGE);
	SETUP(madvise(sparse + 3 * PAGE, PAGE, MADV_DONTNEED) == 0);
	patterned = map(8 * PAGE, PROT_READ | PROT_WRITE, 0);
	victim_fill(patterned, 8 * PAGE);
	SETUP(mprotect(patterned + PAGE, PAGE, PROT_NONE) == 0);
	SETUP(mprotect(patterned + 3 * PAGE, PAGE, PROT_READ) == 0);
	SETUP(mprotect(patterned + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	SETUP(munmap(patterned + 6 * PAGE, PAGE) == 0);
	victim_fill(zeroed + 100, 5000);
	brk_area = sbrk(10 * PAGE);
	SETUP(brk_area != (void *)-1);
	victim_fill(brk_area, 10 * PAGE);
	heap_end = sbrk(0);
	/* Room below it, so that it can grow: more than the kernel's guard gap of 256 pages. */
	down = map(514 * PAGE, PROT_NONE, 0);
	SETUP(munmap(down, 514 * PAGE) == 0);
	down = mmap(down + 512 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	SETUP(down != MAP_FAILED);
	victim_fill(down, 2 * PAGE);
	victim_ready();

	/* First of all, for stdio moves the break. */
	EXPECT(sbrk(0) == heap_end);
	EXPECT(sbrk(4 * PAGE) == heap_end);
	memset(heap_end, 1, 4 * PAGE);
	victim_expect_filled("block", block, BLOCK);
	for (size_t i = 0; i < BLOCK; i += PAGE) {
		if (i % (3 * PAGE) == 0 && i != 3 * PAGE)
			victim_expect_filled("sparse", sparse + i, PAGE);
		else
			EXPECT(sparse[i] == 0 && !memcmp(sparse + i, sparse + i + 1, PAGE - 1));
	}
	EXPECT_STR(victim_perms(patterned), "rw-p");
	EXPECT_STR(victim_perms(patterned + PAGE), "---p");
	EXPECT_STR(victim_perms(patterned + 3 * PAGE), "r--p");
	EXPECT_STR(victim_perms(patterned + 5 * PAGE), "rwxp");
	EXPECT_STR(victim_perms(patterned + 6 * PAGE), "");
	SETUP(mprotect(patterned, 6 * PAGE, PROT_READ) == 0);
	victim_expect_filled("patterned", patterned, 6 * PAGE);
	EXPECT_EQ(initialized[1], 2);
	victim_expect_filled("zeroed", zeroed + 100, 5000);
	EXPECT_EQ(zeroed[99] + zeroed[5100], 0);
	victim_expect_filled("brk", brk_area, 10 * PAGE);
	victim_expect_filled("growsdown", down, 2 * PAGE);
	down[-1] = 1; /* grows, or ends the victim with SIGSEGV */
	EXPECT_EQ(deep(64), 64);
	EXPECT_EQ(code(), 1337);
	return victim_result();
}
