/* Peers, queues and states of Unix sockets of the test's own. */
#include "check.h"

#include "base/cleanup.h"
#include "proc/unixdiag.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static uint32_t inode_of(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

static void test_pair(void)
{
	CLEANUP_UNIXDIAG struct unixdiag diag = {0};
	const struct unixdiag_socket *first, *second;
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(shutdown(pair[0], SHUT_WR), 0);
	CHECK_EQ(unixdiag_read(&diag, NULL), 0);
	first = unixdiag_find(&diag, inode_of(pair[0]));
	second = unixdiag_find(&diag, inode_of(pair[1]));
	CHECK(first && second);
	CHECK_EQ(first->peer, inode_of(pair[1]));
	CHECK_EQ(second->peer, inode_of(pair[0]));
	CHECK(first->has_peer && second->has_peer);
	CHECK_EQ(first->type, SOCK_SEQPACKET);
	CHECK_EQ(first->state, TCP_ESTABLISHED);
	CHECK_EQ(first->shutdown, 2);
	CHECK_EQ(second->shutdown, 1);
	CHECK(!unixdiag_find(&diag, 0));
	for (size_t i = 1; i < diag.count; i++)
		CHECK(diag.sockets[i - 1].inode < diag.sockets[i].inode);
	close(pair[0]);
	close(pair[1]);
}

static void test_closed_peer(void)
{
	CLEANUP_UNIXDIAG struct unixdiag diag = {0};
	const struct unixdiag_socket *left;
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	CHECK_EQ(unixdiag_read(&diag, NULL), 0);
	left = unixdiag_find(&diag, inode_of(pair[0]));
	CHECK(left);
	CHECK_EQ(left->peer, 0);
	close(pair[0]);
}

static void test_listener(void)
{
	CLEANUP_UNIXDIAG struct unixdiag diag = {0};
	CLEANUP_CLOSE int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEANUP_CLOSE int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(addr);
	const struct unixdiag_socket *listener;

	/* Autobind to an abstract name, so that no file is left behind. */
	CHECK_EQ(bind(server, (struct sockaddr *)&addr, sizeof(sa_family_t)), 0);
	CHECK_EQ(listen(server, 17), 0);
	CHECK_EQ(getsockname(server, (struct sockaddr *)&addr, &size), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&addr, size), 0);
	CHECK_EQ(unixdiag_read(&diag, NULL), 0);
	listener = unixdiag_find(&diag, inode_of(server));
	CHECK(listener && !listener->has_peer);
	CHECK_EQ(listener->state, TCP_LISTEN);
	CHECK_EQ(listener->rqueue, 1);
	CHECK_EQ(listener->wqueue, 17);
}

int main(void)
{
	struct unixdiag diag = {0};
	struct jsnap_error err = {0};

	if (unixdiag_read(&diag, &err) == -ENOENT) {
		printf("skipped: %s\n", err.text);
		return getenv("JSNAP_TEST_STRICT") ? 1 : 77;
	}
	unixdiag_free(&diag);
	test_pair();
	test_closed_peer();
	test_listener();
	return 0;
}
