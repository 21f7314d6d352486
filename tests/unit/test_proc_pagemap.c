/*
 * Page runs of a child that touches known pages, by the ioctl and by reading entries. Where the
 * kernel has no PAGEMAP_SCAN (before 6.7) that half says so and is left out.
 */
#include "check.h"

#include "base/cleanup.h"
#include "proc/pagemap.h"
#include "proc/pagemap_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PAGE  4096u
#define PAGES 8192u /* more runs than one vector of the ioctl holds */

typedef int (*scan_fn)(int fd, uint64_t start, uint64_t end, enum pagemap_what what,
		       struct pagemap_runs *runs, struct jsnap_error *err);

static char *anon, *file, *huge;
#define HUGE_SIZE (UINT64_C(1) << 36)

/* Before the fork: pages 0-3 and 8, shared with the child. */
static void prepare(void)
{
	char name[] = "/tmp/jsnap-test-pagemap-XXXXXX";
	CLEANUP_CLOSE int fd = mkstemp(name);
	char buffer[8 * PAGE];

	CHECK(fd >= 0);
	unlink(name);
	memset(buffer, 'f', sizeof(buffer));
	CHECK_EQ(write(fd, buffer, sizeof(buffer)), sizeof(buffer));
	anon = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	huge = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(anon != MAP_FAILED && file != MAP_FAILED && huge != MAP_FAILED);
	madvise(anon, PAGES * PAGE, MADV_NOHUGEPAGE);
	madvise(huge, HUGE_SIZE, MADV_NOHUGEPAGE);
	for (int i = 0; i < 4; i++)
		anon[i * PAGE] = 1;
	anon[8 * PAGE] = 1;
}

static void touch(void)
{
	volatile char sink;

	anon[2 * PAGE] = 2; /* copied from the parent's */
	for (unsigned int i = 512; i < PAGES; i += 2)
		anon[i * PAGE] = 3; /* many runs */
	sink = anon[100 * PAGE];    /* zero page */
	for (int i = 0; i < 8; i++)
		sink = file[i * PAGE]; /* clean file pages */
	file[3 * PAGE] = 'c';	       /* copied on write */
	huge[HUGE_SIZE / 2] = 4;
	(void)sink;
}

static pid_t start_child(void)
{
	int ready[2];
	char byte;
	pid_t child;

	CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		/* A failed check must not leave the child behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		touch();
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static bool has(const struct pagemap_runs *runs, const char *page)
{
	for (size_t i = 0; i < runs->count; i++)
		if ((uintptr_t)page >= runs->runs[i].start && (uintptr_t)page < runs->runs[i].end)
			return true;
	return false;
}

static void scan(scan_fn fn, int fd, const char *start, uint64_t size, enum pagemap_what what,
		 struct pagemap_runs *runs)
{
	struct jsnap_error err = {0};
	int ret = fn(fd, (uintptr_t)start, (uintptr_t)start + size, what, runs, &err);

	if (ret < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK_EQ(ret, 0);
	for (size_t i = 1; i < runs->count; i++)
		CHECK(runs->runs[i - 1].end < runs->runs[i].start);
}

static void test_anonymous(scan_fn fn, int fd, bool knows_zero_page)
{
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};

	scan(fn, fd, anon, PAGES * PAGE, PAGEMAP_ANON, &runs);
	CHECK_EQ(runs.count, 2 + (knows_zero_page ? 0 : 1) + (PAGES - 512) / 2);
	CHECK_EQ(runs.runs[0].start, (uintptr_t)anon);
	CHECK_EQ(runs.runs[0].end, (uintptr_t)anon + 4 * PAGE);
	CHECK_EQ(runs.runs[1].start, (uintptr_t)anon + 8 * PAGE);
	CHECK_EQ(runs.runs[1].end, (uintptr_t)anon + 9 * PAGE);
	CHECK_EQ(has(&runs, anon + 100 * PAGE), !knows_zero_page);
	CHECK(has(&runs, anon + 512 * PAGE) && !has(&runs, anon + 513 * PAGE));
}

static void test_file(scan_fn fn, int fd)
{
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs own = {0}, present = {0};

	scan(fn, fd, file, 8 * PAGE, PAGEMAP_ANON, &own);
	CHECK_EQ(own.count, 1);
	CHECK_EQ(own.runs[0].start, (uintptr_t)file + 3 * PAGE);
	CHECK_EQ(own.runs[0].end, (uintptr_t)file + 4 * PAGE);
	scan(fn, fd, file, 8 * PAGE, PAGEMAP_PRESENT, &present);
	CHECK_EQ(present.count, 1);
	CHECK_EQ(present.runs[0].end - present.runs[0].start, 8 * PAGE);
}

static void test_sparse(scan_fn fn, int fd)
{
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};

	scan(fn, fd, huge, HUGE_SIZE, PAGEMAP_ANON, &runs);
	CHECK_EQ(runs.count, 1);
	CHECK_EQ(runs.runs[0].start, (uintptr_t)huge + HUGE_SIZE / 2);
	/* Continues the caller's runs, merging what touches. */
	scan(fn, fd, huge + HUGE_SIZE / 2 + PAGE, PAGE, PAGEMAP_ANON, &runs);
	CHECK_EQ(runs.count, 1);
}

static void test_way(scan_fn fn, int fd, bool knows_zero_page)
{
	test_anonymous(fn, fd, knows_zero_page);
	test_file(fn, fd);
	test_sparse(fn, fd);
}

static void test_borders(int fd)
{
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs runs = {0};
	struct jsnap_error err = {0};

	CHECK_EQ(pagemap_scan(fd, 1, PAGE, PAGEMAP_ANON, &runs, &err), -EINVAL);
	CHECK(strstr(err.text, "page aligned"));
	CHECK_EQ(pagemap_scan(fd, UINT64_C(0xffffffffff600000), UINT64_C(0xffffffffff601000),
			      PAGEMAP_ANON, &runs, &err),
		 0);
	CHECK_EQ(pagemap_scan(fd, PAGE, PAGE, PAGEMAP_ANON, &runs, &err), 0);
	CHECK_EQ(runs.count, 0);
	CHECK_EQ(pagemap_open(INT32_MAX, &err), -ESRCH);
}

int main(void)
{
	CLEANUP_PAGEMAP_RUNS struct pagemap_runs probe = {0};
	struct jsnap_error err = {0};
	bool has_ioctl;
	pid_t child;
	int fd;

	prepare();
	child = start_child();
	fd = pagemap_open(child, &err);
	CHECK(fd >= 0);
	has_ioctl = pagemap_scan_ioctl(fd, (uintptr_t)anon, (uintptr_t)anon + PAGE, PAGEMAP_ANON,
				       &probe, &err) != -ENOTTY;
	if (has_ioctl)
		test_way(pagemap_scan_ioctl, fd, true);
	else
		fprintf(stderr, "not tested: %s\n", err.text);
	test_way(pagemap_scan_entries, fd, false);
	test_way(pagemap_scan, fd, has_ioctl);
	test_borders(fd);
	close(fd);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	return 0;
}
