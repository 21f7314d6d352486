/*
 * Listening sockets: TCP over IPv4 and IPv6 with their options, one non-blocking, one registered in
 * an epoll set, MPTCP where there is, and Unix sockets bound to a path and renamed since. Clients
 * that come afterwards are served, and the ports are taken meanwhile.
 */
#include "victim.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262 /* Linux 5.6 */
#endif
#define BACKLOG 13

static int option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	EXPECT_EQ(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static int backlog(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_sacked; /* of a listener: the limit of its accept queue */
}

static int listen_by(int protocol, struct sockaddr *address, socklen_t size, int flags)
{
	int fd = socket(address->sa_family, SOCK_STREAM | flags, protocol), one = 1;

	if (fd < 0 || bind(fd, address, size) < 0)
		return -1;
	if (address->sa_family != AF_UNIX)
		SETUP(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	SETUP(listen(fd, BACKLOG) == 0);
	SETUP(getsockname(fd, address, &size) == 0);
	return fd;
}

static int listen_on(struct sockaddr *address, socklen_t size, int flags)
{
	return listen_by(0, address, size, flags);
}

static void expect_served(const char *what, int listener, struct sockaddr *address, socklen_t size)
{
	int client = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), server;
	char got = 0;

	if (connect(client, address, size) < 0) {
		victim_fault(__FILE__, __LINE__, "connect to %s: %s", what, strerror(errno));
		return;
	}
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	EXPECT(server >= 0);
	EXPECT_EQ(write(server, "s", 1), 1);
	EXPECT_EQ(read(client, &got, 1), 1);
	EXPECT_EQ(got, 's');
	close(client);
	close(server);
}

int main(int argc, char **argv)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in many = v4;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any}, got6;
	struct sockaddr_un un = {.sun_family = AF_UNIX}, renamed = {.sun_family = AF_UNIX};
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 4};
	int fd4, fd6, fdm, fdu, fdr, set, on = 1, defer = 3, buffer = 50000, size;
	socklen_t len = sizeof(got6);
	struct stat st;

	victim_init(argc, argv);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", victim_path("socket"));
	snprintf(renamed.sun_path, sizeof(renamed.sun_path), "%s", victim_path("before"));
	fd4 = listen_on((struct sockaddr *)&v4, sizeof(v4), SOCK_NONBLOCK | SOCK_CLOEXEC);
	fd6 = listen_on((struct sockaddr *)&v6, sizeof(v6), 0);
	fdm = listen_by(IPPROTO_MPTCP, (struct sockaddr *)&many, sizeof(many), SOCK_CLOEXEC);
	fdu = listen_on((struct sockaddr *)&un, sizeof(un), SOCK_CLOEXEC);
	fdr = listen_on((struct sockaddr *)&renamed, sizeof(renamed), 0);
	SETUP(fd4 >= 0 && fdu >= 0 && fdr >= 0);
	SETUP(chmod(un.sun_path, 0640) == 0);
	SETUP(rename(renamed.sun_path, victim_path("after")) == 0);
	snprintf(renamed.sun_path, sizeof(renamed.sun_path), "%s", victim_path("after"));
	SETUP(setsockopt(fd4, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	SETUP(setsockopt(fd4, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	SETUP(setsockopt(fd4, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer)) == 0);
	defer = option(fd4, IPPROTO_TCP, TCP_DEFER_ACCEPT);
	SETUP(setsockopt(fd4, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)) == 0);
	size = option(fd4, SOL_SOCKET, SO_RCVBUF);
	set = epoll_create1(EPOLL_CLOEXEC);
	SETUP(epoll_ctl(set, EPOLL_CTL_ADD, fd6 >= 0 ? fd6 : fd4, &event) == 0);
	victim_ready();

	EXPECT_EQ(fcntl(fd4, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(fcntl(fd4, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(option(fd4, SOL_SOCKET, SO_REUSEADDR), 1);
	EXPECT_EQ(option(fd4, SOL_SOCKET, SO_KEEPALIVE), 1);
	EXPECT_EQ(option(fd4, SOL_SOCKET, SO_RCVBUF), size);
	EXPECT_EQ(option(fd4, IPPROTO_TCP, TCP_NODELAY), 1);
	EXPECT_EQ(option(fd4, IPPROTO_TCP, TCP_DEFER_ACCEPT), defer);
	EXPECT_EQ(backlog(fd4), BACKLOG);
	EXPECT(accept(fd4, NULL, NULL) < 0 && errno == EAGAIN);
	/* Deferred accepts want data first; the other checks want none. */
	defer = 0;
	EXPECT_EQ(setsockopt(fd4, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer)), 0);
	EXPECT_EQ(fcntl(fd4, F_SETFL, 0), 0);
	expect_served("the IPv4 socket", fd4, (struct sockaddr *)&v4, sizeof(v4));
	if (fd6 >= 0) {
		EXPECT_EQ(getsockname(fd6, (struct sockaddr *)&got6, &len), 0);
		EXPECT_EQ(got6.sin6_port, v6.sin6_port);
		EXPECT_EQ(option(fd6, IPPROTO_IPV6, IPV6_V6ONLY), 0);
		v6.sin6_addr = in6addr_loopback;
		expect_served("the IPv6 socket", fd6, (struct sockaddr *)&v6, sizeof(v6));
		/* Dual stack: an IPv4 client reaches the IPv6 socket. */
		v4.sin_port = v6.sin6_port;
		expect_served("the IPv6 socket by IPv4", fd6, (struct sockaddr *)&v4, sizeof(v4));
	}
	if (fdm >= 0) {
		EXPECT_EQ(option(fdm, SOL_SOCKET, SO_PROTOCOL), IPPROTO_MPTCP);
		expect_served("the MPTCP socket", fdm, (struct sockaddr *)&many, sizeof(many));
	}
	EXPECT_EQ(epoll_wait(set, &event, 1, 0), 0);
	EXPECT_EQ(stat(un.sun_path, &st), 0);
	EXPECT_EQ(st.st_mode & 07777, 0640);
	expect_served("the Unix socket", fdu, (struct sockaddr *)&un, sizeof(un));
	expect_served("the renamed Unix socket", fdr, (struct sockaddr *)&renamed, sizeof(renamed));
	return victim_result();
}
