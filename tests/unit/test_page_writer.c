/* What goes through the writer's buffers arrives where it belongs, and a full disk is told. */
#include "checkpoint/page_writer.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE   4096u
#define ROUNDS 40 /* more than there are buffers */

/* Page p of round r is at 3 * p pages behind r buffers' place, so that holes stay. */
static uint64_t place(unsigned round, unsigned page)
{
	return (uint64_t)round * 3 * PAGE_WRITER_BUFFER + 3ull * page * PAGE;
}

static void test_content(void)
{
	CLEANUP_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
	struct page_writer *w = page_writer_new(fd);
	unsigned char page[PAGE];

	CHECK(w);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned char *buffer = page_writer_buffer(w);

		CHECK(buffer);
		for (unsigned p = 0; p < PAGE_WRITER_PIECES; p++) {
			memset(buffer + p * PAGE, (int)(1 + (round * 7 + p) % 255), PAGE);
			page_writer_add(w, buffer + p * PAGE, PAGE, place(round, p));
		}
		page_writer_submit(w);
	}
	CHECK_EQ(page_writer_drain(w, NULL), 0);
	page_writer_free(w);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned p = 0; p < PAGE_WRITER_PIECES; p++) {
			CHECK_EQ(pread_full(fd, page, PAGE, (off_t)place(round, p)), 0);
			CHECK(page[0] == 1 + (round * 7 + p) % 255 && page[PAGE - 1] == page[0]);
		}
	CHECK_EQ(pread_full(fd, page, PAGE, PAGE), 0);
	CHECK_EQ(page[0], 0);
}

/* One piece that is longer than a step, at an odd place. */
static void test_steps(void)
{
	CLEANUP_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
	struct page_writer *w = page_writer_new(fd);
	static unsigned char back[PAGE_WRITER_BUFFER];
	unsigned char *buffer = page_writer_buffer(w);

	CHECK(buffer);
	for (size_t i = 0; i < PAGE_WRITER_BUFFER; i++)
		buffer[i] = (unsigned char)(i * 31 + (i >> 12));
	page_writer_add(w, buffer, PAGE_WRITER_BUFFER, 5 * PAGE);
	page_writer_submit(w);
	CHECK_EQ(page_writer_drain(w, NULL), 0);
	CHECK_EQ(pread_full(fd, back, sizeof(back), 5 * PAGE), 0);
	for (size_t i = 0; i < PAGE_WRITER_BUFFER; i++)
		CHECK_EQ(back[i], (unsigned char)(i * 31 + (i >> 12)));
	page_writer_free(w);
}

static void test_full(void)
{
	CLEANUP_CLOSE int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct page_writer *w = page_writer_new(fd);
	struct jsnap_error err = {0};
	unsigned char *buffer = page_writer_buffer(w);

	CHECK(buffer);
	memset(buffer, 1, PAGE);
	page_writer_add(w, buffer, PAGE, 0);
	page_writer_submit(w);
	CHECK_EQ(page_writer_drain(w, &err), -ENOSPC);
	CHECK(strstr(err.text, "No space left"));
	CHECK(!page_writer_buffer(w));
	page_writer_free(w);
	page_writer_free(NULL);
}

/* Room that was made beforehand holds what was written and is a hole everywhere else. */
static void test_room(void)
{
	CLEANUP_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
	uint64_t offset = 1 << 20, room = stream_room_make(fd, offset, 1 << 20);
	struct page_writer *w = page_writer_new(fd);
	const struct stream_gap *gaps;
	unsigned char *buffer = page_writer_buffer(w), page[PAGE];
	struct stat st;
	size_t count;

	if (!room) { /* memory is short here */
		page_writer_free(w);
		return;
	}
	CHECK_EQ(room, 1 << 20);
	CHECK(buffer);
	memset(buffer, 7, 2 * PAGE);
	page_writer_add(w, buffer, PAGE, offset);
	page_writer_add(w, buffer + PAGE, PAGE, offset + 64 * PAGE);
	page_writer_submit(w);
	CHECK_EQ(page_writer_drain(w, NULL), 0);
	gaps = page_writer_gaps(w, &count);
	CHECK_EQ(count, 1);
	stream_room_return(fd, offset, room, gaps, count, offset + 65 * PAGE);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, offset + 65 * PAGE);
	CHECK_EQ(st.st_blocks, 2 * PAGE / 512);
	for (uint64_t p = 0; p < 65; p++) {
		CHECK_EQ(pread_full(fd, page, PAGE, (off_t)(offset + p * PAGE)), 0);
		CHECK_EQ(page[5], p == 0 || p == 64 ? 7 : 0);
	}
	page_writer_free(w);
}

int main(void)
{
	test_content();
	test_steps();
	test_full();
	test_room();
	return 0;
}
