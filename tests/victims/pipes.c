/*
 * Pipes: with data and room, full, with either end closed, sizes and flags, ends duplicated, and a
 * FIFO with a name.
 */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define DATA 5000

static unsigned char bytes[1 << 20];

static int fill(int fd)
{
	int total = 0, n;

	SETUP(fcntl(fd, F_SETFL, O_WRONLY | O_NONBLOCK) == 0);
	while ((n = write(fd, bytes, 4096)) > 0)
		total += n;
	return total;
}

static int available(int fd)
{
	int n = -1;

	EXPECT_EQ(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

int main(int argc, char **argv)
{
	int data[2], full[2], no_writer[2], no_reader[2], empty[2], fifo, copy, size, total;
	static unsigned char got[1 << 20];

	victim_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	victim_fill(bytes, sizeof(bytes));
	SETUP(pipe2(data, O_CLOEXEC) == 0 && pipe2(full, 0) == 0 && pipe2(no_writer, 0) == 0);
	SETUP(pipe2(no_reader, 0) == 0 && pipe2(empty, 0) == 0);
	SETUP(write(data[1], bytes, DATA) == DATA);
	size = fcntl(data[1], F_SETPIPE_SZ, 32768);
	SETUP(size >= 32768);
	total = fill(full[1]);
	SETUP(write(no_writer[1], bytes, 10) == 10 && close(no_writer[1]) == 0);
	SETUP(write(no_reader[1], bytes, 10) == 10 && close(no_reader[0]) == 0);
	SETUP(mkfifo(victim_path("fifo"), 0600) == 0);
	fifo = open(victim_path("fifo"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	SETUP(fifo >= 0 && write(fifo, bytes, 100) == 100);
	copy = dup(data[0]);
	victim_ready();

	EXPECT_EQ(available(data[0]), DATA);
	EXPECT_EQ(fcntl(data[0], F_GETPIPE_SZ), size);
	EXPECT_EQ(fcntl(data[0], F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(copy, F_GETFD), 0);
	EXPECT_EQ(read(data[0], got, 2000), 2000);
	EXPECT_EQ(read(copy, got + 2000, DATA), DATA - 2000);
	victim_expect_filled("pipe", got, 4096);
	EXPECT(memcmp(got, bytes, DATA) == 0);
	EXPECT_EQ(fcntl(full[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_WRONLY | O_NONBLOCK);
	EXPECT_EQ(available(full[0]), total);
	EXPECT(write(full[1], bytes, 1) < 0 && errno == EAGAIN);
	for (int n = 0; n < total; n += 4096) {
		EXPECT_EQ(read(full[0], got, 4096), 4096);
		EXPECT(memcmp(got, bytes, 4096) == 0);
	}
	EXPECT_EQ(available(full[0]), 0);
	EXPECT_EQ(read(no_writer[0], got, 100), 10);
	EXPECT_EQ(read(no_writer[0], got, 100), 0);
	EXPECT(write(no_reader[1], bytes, 1) < 0 && errno == EPIPE);
	EXPECT_EQ(available(empty[0]), 0);
	EXPECT_EQ(write(empty[1], "y", 1), 1);
	EXPECT_EQ(read(empty[0], got, 100), 1);
	EXPECT_EQ(got[0], 'y');
	EXPECT_EQ(read(fifo, got, 1000), 100);
	EXPECT(memcmp(got, bytes, 100) == 0);
	EXPECT_EQ(write(fifo, "z", 1), 1);
	return victim_result();
}
