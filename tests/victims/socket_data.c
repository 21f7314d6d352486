/*
 * Unix socket pairs with unread data in both directions: streams, datagrams and packets with their
 * boundaries, one that was shut down for writing, ones whose peer is closed, one whose reader asks
 * who sent, one that peeks by offset, one that was raised to hold much. With argument "empty" there
 * are messages without bytes too, which may be looked at only once.
 */
#include "victim.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>

static unsigned char bytes[400000], got[400016];

static void send_message(int fd, size_t size)
{
	SETUP(send(fd, bytes, size, MSG_DONTWAIT) == (ssize_t)size);
}

static void expect_message(int fd, size_t size)
{
	ssize_t n;

	memset(got, 0xee, size + 1);
	n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	EXPECT_EQ(n, size);
	if (n == (ssize_t)size)
		EXPECT(memcmp(got, bytes, size) == 0);
}

static void expect_nothing(int fd)
{
	EXPECT(recv(fd, got, sizeof(got), MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void expect_sender(int fd, size_t size)
{
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {got, sizeof(got)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct ucred who = {0};

	EXPECT_EQ(recvmsg(fd, &msg, MSG_DONTWAIT), size);
	EXPECT(CMSG_FIRSTHDR(&msg) != NULL);
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(who));
	EXPECT_EQ(who.pid, getpid());
	EXPECT_EQ(who.uid, getuid());
}

static void pair(int type, int ends[2])
{
	SETUP(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
}

static void set(int fd, int name, int value)
{
	SETUP(setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)) == 0);
}

static int get(int fd, int name)
{
	socklen_t size = sizeof(int);
	int value = -9;

	EXPECT_EQ(getsockopt(fd, SOL_SOCKET, name, &value, &size), 0);
	return value;
}

/* Messages with no bytes: first, in the middle, two in a row, last, and before an end. */
static void empty(void)
{
	int dgram[2], packet[2];

	pair(SOCK_DGRAM, dgram);
	pair(SOCK_SEQPACKET, packet);
	send_message(dgram[0], 0);
	send_message(dgram[0], 5);
	send_message(dgram[0], 0);
	send_message(dgram[0], 0);
	send_message(dgram[0], 2000);
	send_message(packet[0], 0);
	send_message(packet[0], 1);
	send_message(packet[0], 0);
	victim_ready();
	expect_message(dgram[1], 0);
	expect_message(dgram[1], 5);
	expect_message(dgram[1], 0);
	expect_message(dgram[1], 0);
	expect_message(dgram[1], 2000);
	expect_nothing(dgram[1]);
	expect_message(packet[1], 0);
	expect_message(packet[1], 1);
	expect_message(packet[1], 0);
	expect_nothing(packet[1]);
}

static void full(void)
{
	int stream[2], dgram[2], seqpacket[2], half[2], gone[2], gone_packet[2], sender[2],
		peeks[2], big[2], small[2], sndbuf;

	pair(SOCK_STREAM, stream);
	pair(SOCK_DGRAM | SOCK_NONBLOCK, dgram);
	pair(SOCK_SEQPACKET, seqpacket);
	pair(SOCK_STREAM, half);
	pair(SOCK_STREAM, gone);
	pair(SOCK_SEQPACKET, gone_packet);
	pair(SOCK_DGRAM, sender);
	pair(SOCK_STREAM, peeks);
	pair(SOCK_STREAM, big);
	pair(SOCK_STREAM, small);
	SETUP(write(stream[0], bytes, 20000) == 20000);
	SETUP(write(stream[1], bytes, 333) == 333);
	send_message(dgram[0], 5);
	send_message(dgram[0], 900);
	send_message(dgram[0], 60000);
	send_message(dgram[0], 1);
	send_message(dgram[1], 77);
	send_message(seqpacket[1], 11);
	send_message(seqpacket[1], 12);
	send_message(seqpacket[0], 30000);
	SETUP(write(half[0], bytes, 7) == 7 && shutdown(half[0], SHUT_WR) == 0);
	SETUP(write(half[1], bytes, 8) == 8);
	SETUP(write(gone[0], bytes, 40000) == 40000 && close(gone[0]) == 0);
	send_message(gone_packet[0], 21);
	send_message(gone_packet[0], 22);
	SETUP(close(gone_packet[0]) == 0);
	set(sender[1], SO_PASSCRED, 1);
	send_message(sender[0], 10);
	send_message(sender[0], 20);
	SETUP(write(peeks[0], bytes, 50) == 50);
	set(peeks[1], SO_PEEK_OFF, 0);
	SETUP(recv(peeks[1], got, 20, MSG_PEEK) == 20);
	set(big[0], SO_SNDBUF, 1000000);
	sndbuf = get(big[0], SO_SNDBUF);
	send_message(big[0], sndbuf > 800000 ? sizeof(bytes) : 100000);
	for (int i = 0; i < 100; i++)
		SETUP(write(small[0], bytes + i, 1) == 1);

	victim_ready();

	EXPECT_EQ(recv(stream[1], got, 15000, MSG_WAITALL), 15000);
	EXPECT_EQ(recv(stream[1], got + 15000, 5000, MSG_WAITALL), 5000);
	EXPECT(memcmp(got, bytes, 20000) == 0);
	expect_message(stream[0], 333);
	expect_nothing(stream[1]);
	expect_message(dgram[1], 5);
	expect_message(dgram[1], 900);
	expect_message(dgram[1], 60000);
	expect_message(dgram[1], 1);
	expect_nothing(dgram[1]);
	expect_message(dgram[0], 77);
	expect_message(seqpacket[0], 11);
	expect_message(seqpacket[0], 12);
	expect_message(seqpacket[1], 30000);
	expect_nothing(seqpacket[0]);
	expect_message(half[1], 7);
	EXPECT_EQ(recv(half[1], got, sizeof(got), 0), 0);
	expect_message(half[0], 8);
	EXPECT_EQ(recv(gone[1], got, 40000, MSG_WAITALL), 40000);
	EXPECT(memcmp(got, bytes, 40000) == 0);
	EXPECT_EQ(recv(gone[1], got, sizeof(got), 0), 0);
	EXPECT(write(gone[1], "x", 1) < 0 && errno == EPIPE);
	expect_message(gone_packet[1], 21);
	expect_message(gone_packet[1], 22);
	EXPECT_EQ(recv(gone_packet[1], got, sizeof(got), 0), 0);
	expect_sender(sender[1], 10);
	expect_sender(sender[1], 20);
	EXPECT_EQ(get(dgram[1], SO_PEEK_OFF), -1);
	EXPECT_EQ(get(peeks[1], SO_PEEK_OFF), 20);
	EXPECT_EQ(recv(peeks[1], got, sizeof(got), MSG_PEEK), 30);
	EXPECT(memcmp(got, bytes + 20, 30) == 0);
	expect_message(peeks[1], 50);
	EXPECT_EQ(get(big[0], SO_SNDBUF), sndbuf);
	expect_message(big[1], sndbuf > 800000 ? sizeof(bytes) : 100000);
	expect_message(small[1], 100);
	EXPECT_EQ(write(stream[0], "on", 2), 2);
	EXPECT_EQ(recv(stream[1], got, 2, MSG_WAITALL), 2);
}

int main(int argc, char **argv)
{
	victim_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	victim_fill(bytes, sizeof(bytes));
	if (argc > 2 && strcmp(argv[2], "empty") == 0)
		empty();
	else
		full();
	return victim_result();
}
