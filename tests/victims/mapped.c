/*
 * Mappings of files and shared memory: private with some pages written, shared, deleted, a memfd, a
 * shared anonymous area used at two addresses' worth of views, one file mapped twice, one page past
 * the end of a file.
 */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define SIZE (16 * PAGE)

static sigjmp_buf landing;

static void on_bus(int sig)
{
	siglongjmp(landing, sig);
}

static unsigned char *map(int fd, size_t size, int flags, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);

	SETUP(p != MAP_FAILED);
	return p;
}

static int signal_of_read(const volatile unsigned char *p)
{
	int sig = sigsetjmp(landing, 1);

	if (!sig)
		(void)*p;
	return sig;
}

int main(int argc, char **argv)
{
	int fd, deleted_fd, mem;
	unsigned char *priv, *shared, *shared2, *deleted, *anon, *view, *remapped, *m1, *m2, *past;
	unsigned char *read_only;

	victim_init(argc, argv);
	fd = victim_file("data", SIZE);
	priv = map(fd, SIZE, MAP_PRIVATE, 0);
	memset(priv + 5 * PAGE, 0xaa, PAGE);
	shared = map(fd, 4 * PAGE, MAP_SHARED, 8 * PAGE);
	shared2 = map(fd, SIZE, MAP_SHARED, 0);
	read_only = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	SETUP(read_only != MAP_FAILED);
	deleted_fd = victim_file("deleted", SIZE);
	deleted = map(deleted_fd, SIZE, MAP_SHARED, 0);
	SETUP(close(deleted_fd) == 0 && unlink(victim_path("deleted")) == 0);
	mem = memfd_create("victim-memfd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	SETUP(mem >= 0 && ftruncate(mem, SIZE) == 0);
	m1 = map(mem, SIZE, MAP_SHARED, 0);
	m2 = map(mem, 2 * PAGE, MAP_SHARED, 3 * PAGE);
	victim_fill(m1, SIZE);
	SETUP(fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	anon = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	SETUP(anon != MAP_FAILED);
	victim_fill(anon, SIZE);
	/* mremap with an old size of 0 makes a second mapping of the same shared pages. */
	view = mremap(anon, 0, SIZE, MREMAP_MAYMOVE);
	SETUP(view != MAP_FAILED);
	remapped = view;
	past = map(victim_file("short", 10), 2 * PAGE, MAP_SHARED, 0);
	signal(SIGBUS, on_bus);
	SETUP(signal_of_read(past + PAGE) == SIGBUS);
	victim_ready();

	for (size_t i = 0; i < SIZE; i += PAGE) {
		if (i == 5 * PAGE)
			EXPECT(priv[i] == 0xaa && !memcmp(priv + i, priv + i + 1, PAGE - 1));
		else
			EXPECT(memcmp(priv + i, shared2 + i, PAGE) == 0);
	}
	victim_expect_filled("read-only file mapping", read_only, SIZE);
	victim_expect_filled("shared file mapping", shared2, SIZE);
	shared[0] ^= 0xff; /* one page, three ways to see it */
	EXPECT_EQ(shared2[8 * PAGE], shared[0]);
	EXPECT_EQ(pread(fd, &priv[0], 1, 8 * PAGE), 1);
	EXPECT_EQ(priv[0], shared[0]);
	victim_expect_filled("deleted file", deleted, SIZE);
	victim_expect_filled("memfd", m1, SIZE);
	m2[0] ^= 0xff;
	EXPECT_EQ(m1[3 * PAGE], m2[0]);
	EXPECT_EQ(pread(mem, &priv[0], 1, 3 * PAGE), 1);
	EXPECT_EQ(priv[0], m2[0]);
	EXPECT_EQ(fcntl(mem, F_GET_SEALS), F_SEAL_SHRINK);
	victim_expect_filled("shared anonymous", anon, SIZE);
	anon[PAGE] ^= 0xff;
	EXPECT_EQ(remapped[PAGE], anon[PAGE]);
	EXPECT_EQ(past[9], victim_byte(9));
	EXPECT_EQ(signal_of_read(past + PAGE), SIGBUS);
	return victim_result();
}
