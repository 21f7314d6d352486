/*
 * Unix sockets that belong to the process alone: pairs with data in both directions, datagrams with
 * their boundaries, half-closed, options, and the JDK's pre-close marker, a socket whose peer is
 * gone.
 */
#include "victim.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static unsigned char got[100];

static int option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	EXPECT_EQ(getsockopt(fd, SOL_SOCKET, name, &value, &len), 0);
	return value;
}

int main(int argc, char **argv)
{
	int stream[2], dgram[2], seqpacket[2], half[2], marker[2], one = 1, buffer = 40000, sndbuf,
								   copy;
	struct timeval timeout = {.tv_sec = 5};

	victim_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, dgram) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seqpacket) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM, 0, half) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM, 0, marker) == 0);
	SETUP(setsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) == 0);
	SETUP(setsockopt(stream[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	SETUP(setsockopt(stream[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
	sndbuf = option(stream[0], SO_SNDBUF);
	SETUP(shutdown(half[0], SHUT_WR) == 0);
	SETUP(close(marker[1]) == 0);
	copy = fcntl(stream[1], F_DUPFD_CLOEXEC, 100);
	SETUP(copy >= 100);
	victim_ready();

	EXPECT_EQ(option(stream[0], SO_TYPE), SOCK_STREAM);
	EXPECT_EQ(option(stream[0], SO_SNDBUF), sndbuf);
	EXPECT_EQ(option(stream[0], SO_PASSCRED), 1);
	EXPECT_EQ(option(stream[1], SO_PASSCRED), 0);
	EXPECT_EQ(fcntl(stream[0], F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(dgram[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT(recv(dgram[1], got, sizeof(got), 0) < 0 && errno == EAGAIN);
	EXPECT_EQ(send(seqpacket[0], "pack", 4, 0), 4);
	EXPECT_EQ(recv(seqpacket[1], got, sizeof(got), 0), 4);
	EXPECT_EQ(recv(half[1], got, sizeof(got), 0), 0);
	EXPECT_EQ(write(half[1], "back", 4), 4);
	EXPECT_EQ(recv(half[0], got, sizeof(got), 0), 4);
	EXPECT(write(half[0], "x", 1) < 0 && errno == EPIPE);
	/* What the JDK does with its marker: read gives the end of file, and never blocks. */
	EXPECT_EQ(recv(marker[0], got, 1, 0), 0);
	EXPECT(write(marker[0], "x", 1) < 0 && errno == EPIPE);
	EXPECT_EQ(write(stream[0], "alive", 5), 5);
	EXPECT_EQ(read(copy, got, sizeof(got)), 5);
	return victim_result();
}
