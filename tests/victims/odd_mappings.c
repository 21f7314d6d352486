/*
 * Mappings with a story: of a file that has shrunk since, of one file twice with a descriptor, a
 * memfd that was sealed against future writers when it was mapped already, one that was sealed
 * against all, what is mapped by a descriptor open for reading alone, a memfd that is mapped three
 * times over (as ZGC's heap on JDK 17), /dev/zero, and calls of the vDSO through pointers kept from
 * the start.
 */
#include "victim.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096ul
#define HEAP (1024 * PAGE)

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

static int touch(const volatile unsigned char *address)
{
	int sig = sigsetjmp(back, 1);

	if (!sig)
		(void)*address;
	return sig;
}

static void *map(int prot, int flags, int fd, size_t size, off_t offset)
{
	void *p = mmap(NULL, size, prot, flags, fd, offset);

	SETUP(p != MAP_FAILED);
	return p;
}

/* Another description, for reading alone. */
static int again(int fd)
{
	char path[64];
	int reader;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	SETUP(reader >= 0);
	return reader;
}

static void check_clock(int (*gettime)(clockid_t, struct timespec *))
{
	for (int i = 0; i < 1000; i++) {
		int64_t low = victim_now(CLOCK_MONOTONIC), at;
		struct timespec ts;

		EXPECT_EQ(gettime(CLOCK_MONOTONIC, &ts), 0);
		at = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
		EXPECT(at >= low && at <= victim_now(CLOCK_MONOTONIC));
	}
}

int main(int argc, char **argv)
{
	unsigned char *shrunk, *twice[2], *heap[3], *sealed;
	unsigned char *zero[2], *closed, *readers[2];
	int file, both, memory, future, written, reader;
	int (*gettime)(clockid_t, struct timespec *);
	struct stat st;

	victim_init(argc, argv);
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	gettime = (int (*)(clockid_t, struct timespec *))victim_vdso("__vdso_clock_gettime");
	file = victim_file("shrunk", 8 * PAGE);
	shrunk = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 8 * PAGE, 0);
	shrunk[0] = 1;	      /* a page of its own */
	shrunk[6 * PAGE] = 1; /* and one that is cut off */
	SETUP(ftruncate(file, 2 * PAGE + 100) == 0);
	SETUP(touch(shrunk + 6 * PAGE) == SIGBUS);
	both = victim_file("both", 4 * PAGE);
	twice[0] = map(PROT_READ | PROT_WRITE, MAP_SHARED, both, 4 * PAGE, 0);
	twice[1] = map(PROT_READ, MAP_SHARED, both, 2 * PAGE, PAGE);
	memory = memfd_create("heap", MFD_CLOEXEC);
	SETUP(memory >= 0 && ftruncate(memory, HEAP) == 0);
	for (int i = 0; i < 3; i++)
		heap[i] = map(PROT_READ | PROT_WRITE, MAP_SHARED, memory, HEAP, 0);
	victim_fill(heap[0], HEAP / 2);
	future = memfd_create("future", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	SETUP(future >= 0 && ftruncate(future, PAGE) == 0 && fchmod(future, 0640) == 0);
	sealed = map(PROT_READ | PROT_WRITE, MAP_SHARED, future, PAGE, 0);
	SETUP(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK) == 0);
	sealed[0] = 1;
	written = memfd_create("written", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	SETUP(written >= 0 && pwrite(written, "once", 4, 0) == 4 && ftruncate(written, PAGE) == 0);
	SETUP(fcntl(written, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	reader = again(written);
	closed = map(PROT_READ, MAP_SHARED, reader, PAGE, 0);
	close(reader);
	for (int i = 0; i < 2; i++) {
		reader = again(i ? memory : both);
		readers[i] = map(PROT_READ, MAP_SHARED, reader, PAGE, 0);
		close(reader);
		SETUP(mprotect(readers[i], PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EACCES);
	}
	for (int i = 0; i < 2; i++) {
		int device = open("/dev/zero", O_RDWR | O_CLOEXEC);

		SETUP(device >= 0);
		zero[i] = map(PROT_READ | PROT_WRITE, i ? MAP_SHARED : MAP_PRIVATE, device,
			      8 * PAGE, 0);
		victim_fill(zero[i], 4 * PAGE);
		close(device);
	}
	victim_ready();

	check_clock(gettime);
	EXPECT_EQ(touch(shrunk), 0);
	EXPECT_EQ(shrunk[0], 1);
	EXPECT_EQ(shrunk[PAGE], victim_byte(PAGE));
	EXPECT_EQ(shrunk[2 * PAGE + 99], victim_byte(2 * PAGE + 99));
	EXPECT_EQ(touch(shrunk + 4 * PAGE), SIGBUS);
	EXPECT_EQ(touch(shrunk + 6 * PAGE), SIGBUS);
	twice[0][PAGE + 7] = 200;
	EXPECT_EQ(twice[1][7], 200);
	EXPECT(pwrite(both, "\xc9", 1, PAGE + 8) == 1 && twice[0][PAGE + 8] == 201);
	victim_expect_filled("heap", heap[2], HEAP / 2);
	heap[1][HEAP - 1] = 5;
	EXPECT(heap[0][HEAP - 1] == 5 && heap[2][HEAP - 1] == 5);
	EXPECT(pwrite(memory, "x", 1, 0) == 1 && heap[2][0] == 'x');
	for (int i = 0; i < 2; i++) {
		victim_expect_filled(i ? "shared zeros" : "private zeros", zero[i], 4 * PAGE);
		EXPECT_EQ(zero[i][5 * PAGE], 0);
	}
	EXPECT_EQ(madvise(zero[0], PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(zero[0][0], 0);
	sealed[1] = 2; /* the old mapping may still be written */
	EXPECT_EQ(sealed[0], 1);
	EXPECT_EQ(fcntl(future, F_GET_SEALS), F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK);
	EXPECT(pwrite(future, "x", 1, 0) < 0 && errno == EPERM);
	EXPECT(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, future, 0) == MAP_FAILED);
	EXPECT(memcmp(closed, "once", 4) == 0);
	EXPECT_EQ(fcntl(written, F_GET_SEALS), F_SEAL_WRITE);
	EXPECT(pwrite(written, "x", 1, 0) < 0 && errno == EPERM);
	for (int i = 0; i < 2; i++)
		EXPECT(mprotect(readers[i], PAGE, PROT_READ | PROT_WRITE) < 0 && errno == EACCES);
	EXPECT(pwrite(both, "y", 1, 9) == 1 && readers[0][9] == 'y');
	EXPECT_EQ(readers[1][0], 'x');
	EXPECT(fstat(future, &st) == 0 && (st.st_mode & 0777) == 0640);
	return victim_result();
}
