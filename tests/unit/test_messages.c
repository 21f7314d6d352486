/* Unread data as an image holds it: put together, sent again, and refused when it lies. */
#include "image/messages.h"

#include "base/cleanup.h"
#include "check.h"

#include <errno.h>
#include <sys/socket.h>

static char big[300000], got[300000];

static void make(struct messages *m)
{
	CHECK_EQ(messages_begin(m), 0);
	CHECK_EQ(messages_add(m, "abc", 3), 0);
	CHECK_EQ(messages_add(m, "defghi", 6), 0);
	CHECK_EQ(messages_begin(m), 0);
	CHECK_EQ(messages_begin(m), 0);
	CHECK_EQ(messages_add(m, "x", 1), 0);
	CHECK_EQ(messages_add(m, "", 0), 0);
	CHECK_EQ(m->used, 4 + 12 + 4 + 4 + 4);
	CHECK(memcmp(m->data, "\x09\0\0\0abcdefghi\0\0\0\0\0\0\0\x01\0\0\0x\0\0\0", m->used) == 0);
}

static void test_packets(void)
{
	CLEANUP_MESSAGES struct messages m = {0};
	struct jsnap_error err = {0};
	int ends[2], before, after;
	socklen_t size = sizeof(before);

	make(&m);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	CHECK_EQ(getsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &before, &size), 0);
	CHECK_EQ(messages_send(ends[0], m.data, m.used, &err), 0);
	CHECK_EQ(messages_send(ends[0], m.data, 0, &err), 0);
	CHECK_EQ(getsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &after, &size), 0);
	CHECK_EQ(before, after);
	CHECK_EQ(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), 9);
	CHECK(memcmp(got, "abcdefghi", 9) == 0);
	CHECK_EQ(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), 0);
	CHECK_EQ(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), 1);
	CHECK_EQ(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), -1);
	CHECK_EQ(messages_send(ends[0], m.data, 3, &err), -EBADMSG);
	CHECK_EQ(messages_send(ends[0], m.data, 12, &err), -EBADMSG);
	close(ends[1]);
	CHECK_EQ(messages_send(ends[0], m.data, m.used, &err), -EPIPE);
	close(ends[0]);
}

/* A message that never fits is an error, not a wait. */
static void test_too_large(void)
{
	CLEANUP_MESSAGES struct messages m = {0};
	struct jsnap_error err = {0};
	int ends[2], r = 0;

	CHECK_EQ(messages_begin(&m), 0);
	CHECK_EQ(messages_add(&m, big, sizeof(big)), 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	for (int i = 0; r == 0 && i < 10000; i++)
		r = messages_send(ends[0], m.data, m.used, &err);
	CHECK_EQ(r, -EAGAIN);
	close(ends[0]);
	close(ends[1]);
	while (r != -E2BIG && m.used <= MESSAGES_BYTES_MAX)
		r = messages_add(&m, big, sizeof(big));
	CHECK_EQ(r, -E2BIG);
	CHECK(m.used <= MESSAGES_BYTES_MAX);
}

static void test_too_many(void)
{
	CLEANUP_MESSAGES struct messages m = {0};

	for (uint32_t i = 0; i < MESSAGES_COUNT_MAX; i++)
		CHECK_EQ(messages_begin(&m), 0);
	CHECK_EQ(messages_begin(&m), -E2BIG);
}

int main(void)
{
	test_packets();
	test_too_large();
	test_too_many();
	return 0;
}
