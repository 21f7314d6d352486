/*
 * Unix socket pairs with unread data in both directions: streams, datagrams and packets with their
 * boundaries, one that was shut down for writing.
 */
#include "victim.h"

#include <signal.h>
#include <sys/socket.h>

static unsigned char bytes[100000], got[100000];

int main(int argc, char **argv)
{
	int stream[2], dgram[2], seqpacket[2], half[2];

	victim_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	victim_fill(bytes, sizeof(bytes));
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, dgram) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seqpacket) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM, 0, half) == 0);
	SETUP(write(stream[0], bytes, 20000) == 20000);
	SETUP(write(stream[1], bytes, 333) == 333);
	SETUP(send(dgram[0], bytes, 5, 0) == 5 && send(dgram[0], bytes, 0, 0) == 0);
	SETUP(send(dgram[0], bytes, 900, 0) == 900);
	SETUP(send(seqpacket[1], bytes, 11, 0) == 11 && send(seqpacket[1], bytes, 12, 0) == 12);
	SETUP(write(half[0], bytes, 7) == 7 && shutdown(half[0], SHUT_WR) == 0);
	victim_ready();
	EXPECT_EQ(recv(stream[1], got, 15000, MSG_WAITALL), 15000);
	EXPECT_EQ(recv(stream[1], got + 15000, 5000, MSG_WAITALL), 5000);
	EXPECT(memcmp(got, bytes, 20000) == 0);
	EXPECT_EQ(recv(stream[0], got, sizeof(got), 0), 333);
	EXPECT_EQ(recv(stream[1], got, 1, MSG_DONTWAIT), -1);
	EXPECT_EQ(recv(dgram[1], got, sizeof(got), 0), 5);
	EXPECT_EQ(recv(dgram[1], got, sizeof(got), 0), 0);
	EXPECT_EQ(recv(dgram[1], got, sizeof(got), 0), 900);
	EXPECT(recv(dgram[1], got, sizeof(got), 0) < 0 && errno == EAGAIN);
	EXPECT_EQ(recv(seqpacket[0], got, sizeof(got), 0), 11);
	EXPECT_EQ(recv(seqpacket[0], got, sizeof(got), 0), 12);
	EXPECT_EQ(recv(half[1], got, sizeof(got), 0), 7);
	EXPECT_EQ(recv(half[1], got, sizeof(got), 0), 0);
	return victim_result();
}
