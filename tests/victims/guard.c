/*
 * Guard pages of MADV_GUARD_INSTALL, in anonymous memory and in a file's mapping: what lies between
 * them comes back, touching them ends the toucher, and MADV_GUARD_REMOVE makes them memory again.
 */
#include "victim.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#define MADV_GUARD_REMOVE  103
#endif

#define PAGE	4096ul
#define PAGES	64ul
#define GUARDED 16ul /* [GUARDED, GUARDED + 3) and every eighth page from FIRST on */
#define FIRST	32ul

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static bool fatal(const volatile unsigned char *address)
{
	if (sigsetjmp(back, 1))
		return true;
	(void)*address;
	return false;
}

static bool guarded(size_t page)
{
	return (page >= GUARDED && page < GUARDED + 3) || (page >= FIRST && page % 8 == 0);
}

static unsigned char *make(int fd, const char *what)
{
	unsigned char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	SETUP(area != MAP_FAILED);
	if (fd < 0)
		victim_fill(area, PAGES * PAGE);
	for (size_t page = 0; page < PAGES; page++)
		if (guarded(page) && madvise(area + page * PAGE, PAGE, MADV_GUARD_INSTALL) < 0)
			victim_skip("guard pages in %s: %s", what, strerror(errno));
	return area;
}

static void check(const char *what, unsigned char *area)
{
	for (size_t page = 0; page < PAGES; page++) {
		unsigned char *at = area + page * PAGE;

		if (guarded(page) != fatal(at))
			victim_fault(__FILE__, __LINE__, "page %zu of %s is %s", page, what,
				     guarded(page) ? "no guard any more" : "fatal to touch");
		if (!guarded(page))
			EXPECT(at[0] == victim_byte(page * PAGE) &&
			       at[PAGE - 1] == victim_byte(page * PAGE + PAGE - 1));
	}
	EXPECT_EQ(madvise(area + GUARDED * PAGE, PAGE, MADV_GUARD_REMOVE), 0);
	EXPECT(!fatal(area + GUARDED * PAGE));
}

int main(int argc, char **argv)
{
	unsigned char *anonymous, *file;

	victim_init(argc, argv);
	signal(SIGSEGV, on_fault);
	anonymous = make(-1, "anonymous memory");
	file = make(victim_file("mapped", PAGES * PAGE), "a file's mapping");
	victim_ready();
	check("anonymous memory", anonymous);
	EXPECT_EQ(anonymous[GUARDED * PAGE], 0);
	check("a file's mapping", file);
	return victim_result();
}
