/*
 * The scrub on every kind of memory a Java heap can be, without a JVM: the free parts that
 * regions_free would find are those the test names.
 */
#include "agent/regions.h"
#include "agent/scrub.h"
#include "base/cleanup.h"
#include "base/io.h"

#include "../../unit/check.h"

#include <fcntl.h>
#include <sys/mman.h>

#define PAGE  4096u
#define PAGES 16u
#define SIZE  (PAGES * PAGE)
#define FILL  0xa5

static uintptr_t free_start, free_end;
static bool collector_known = true;

bool regions_free(regions_visit *visit, void *context)
{
	if (free_start < free_end)
		visit(context, free_start, free_end);
	return collector_known;
}

static unsigned char *map(int flags, int fd)
{
	unsigned char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(memory != MAP_FAILED);
	memset(memory, FILL, SIZE);
	return memory;
}

static struct scrub_result scrub(unsigned char *memory, size_t start, size_t end)
{
	struct scrub_result result;

	free_start = (uintptr_t)memory + start;
	free_end = (uintptr_t)memory + end;
	scrub_free_heap(&result);
	return result;
}

static void check_zeros(const unsigned char *memory, size_t start, size_t end)
{
	for (size_t i = 0; i < SIZE; i++)
		CHECK_EQ(memory[i], i >= start && i < end ? 0 : FILL);
}

/* Part of a page, whole pages, or both on either side: exactly what was named is zeros. */
static void check_all_alignments(int flags, int fd)
{
	static const size_t parts[][2] = {
		{0, SIZE},
		{PAGE, 3 * PAGE},
		{100, SIZE - 60},
		{PAGE + 8, PAGE + 16},
		{PAGE - 8, PAGE + 8},
		{8, 2 * PAGE},
		{PAGE, SIZE - 8},
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t start = parts[i][0], end = parts[i][1];
		unsigned char *memory = map(flags, fd);
		struct scrub_result result = scrub(memory, start, end);

		CHECK_EQ(result.error, 0);
		CHECK_EQ(result.bytes, end - start);
		check_zeros(memory, start, end);
		munmap(memory, SIZE);
	}
}

static bool holds_page(const unsigned char *page)
{
	CLEANUP_CLOSE int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	CHECK_EQ(pread_full(fd, &entry, sizeof(entry),
			    (off_t)((uintptr_t)page / PAGE * sizeof(entry))),
		 0);
	return entry >> 62;
}

static void test_pages_are_given_back(void)
{
	unsigned char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	scrub(memory, 8, SIZE - 8);
	CHECK(holds_page(memory));
	for (unsigned int i = 1; i < PAGES - 1; i++)
		CHECK(!holds_page(memory + i * PAGE));
	CHECK(holds_page(memory + SIZE - PAGE));
	munmap(memory, SIZE);
}

/* A restored heap: dropping the pages would bring the file's bytes back. */
static void test_private_file(void)
{
	CLEANUP_CLOSE int fd = memfd_create("image", MFD_CLOEXEC);
	unsigned char *memory, byte;

	CHECK(fd >= 0 && !ftruncate(fd, SIZE));
	memory = map(MAP_SHARED, fd);
	munmap(memory, SIZE);
	check_all_alignments(MAP_PRIVATE, fd);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK_EQ(scrub(memory, PAGE, 3 * PAGE).error, 0);
	check_zeros(memory, PAGE, 3 * PAGE);
	CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
	CHECK_EQ(byte, FILL);
	munmap(memory, SIZE);
}

static void test_shared(void)
{
	CLEANUP_CLOSE int fd = memfd_create("heap", MFD_CLOEXEC);

	CHECK(fd >= 0 && !ftruncate(fd, SIZE));
	check_all_alignments(MAP_SHARED, fd);
}

/* Locked pages can't be dropped: they are overwritten. */
static void test_locked(void)
{
	unsigned char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (mlock(memory, SIZE)) {
		fprintf(stderr, "locked memory is not allowed here: that part was left out\n");
		return;
	}
	CHECK_EQ(scrub(memory, PAGE, SIZE - PAGE).error, 0);
	check_zeros(memory, PAGE, SIZE - PAGE);
	munmap(memory, SIZE);
}

/* Reserved memory amid committed: left as it is, and what is around it is done. */
static void test_uncommitted(void)
{
	unsigned char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct scrub_result result;

	CHECK(!mprotect(memory + 4 * PAGE, PAGE, PROT_NONE));
	CHECK(!mprotect(memory + 8 * PAGE, PAGE, PROT_READ));
	result = scrub(memory, 0, SIZE);
	CHECK_EQ(result.error, 0);
	CHECK_EQ(result.bytes, SIZE - 2 * PAGE);
	CHECK_EQ(memory[8 * PAGE], FILL);
	CHECK(!mprotect(memory + 4 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(memory[4 * PAGE], FILL);
	CHECK_EQ(memory[5 * PAGE], 0);
	munmap(memory, SIZE);
}

/* What an unknown collector was found to have before it proved unknown stays. */
static void test_unknown_collector(void)
{
	unsigned char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct scrub_result result;

	collector_known = false;
	result = scrub(memory, 0, SIZE);
	collector_known = true;
	CHECK_EQ(result.error, -ENOTSUP);
	CHECK_EQ(result.bytes, 0);
	check_zeros(memory, 0, 0);
	munmap(memory, SIZE);
}

int main(void)
{
	check_all_alignments(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	test_pages_are_given_back();
	test_private_file();
	test_shared();
	test_locked();
	test_uncommitted();
	test_unknown_collector();
	return 0;
}
