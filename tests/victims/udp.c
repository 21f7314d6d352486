/*
 * UDP sockets: bound, connected, unbound; IPv4, IPv6 and both; their options, and an epoll set that
 * watches one. Afterwards each still hears the others under the same addresses.
 */
#include "victim.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int option(int fd, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = 0; /* some answer with one byte */

	EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static int udp(int family, int flags, void *address, socklen_t size)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);

	SETUP(fd >= 0);
	if (address)
		SETUP(bind(fd, address, size) == 0 && getsockname(fd, address, &size) == 0);
	return fd;
}

static void set(int fd, int level, int name, int value)
{
	SETUP(setsockopt(fd, level, name, &value, sizeof(value)) == 0);
}

/* What `to` hears came from the port `from`. */
static void expect_heard(const char *what, int to, in_port_t from)
{
	struct pollfd p = {.fd = to, .events = POLLIN};
	struct sockaddr_in6 who = {0};
	socklen_t size = sizeof(who);
	char got[16];

	if (poll(&p, 1, 5000) != 1 ||
	    recvfrom(to, got, sizeof(got), MSG_DONTWAIT, (struct sockaddr *)&who, &size) != 5)
		victim_fault(__FILE__, __LINE__, "%s: nothing heard", what);
	else
		EXPECT_EQ(ntohs(who.sin6_port), ntohs(from));
}

int main(int argc, char **argv)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in own = {0}, to;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 6};
	int bound, connected, dual, unbound, watching;
	socklen_t size = sizeof(own);

	victim_init(argc, argv);
	bound = udp(AF_INET, SOCK_NONBLOCK, &v4, sizeof(v4));
	connected = udp(AF_INET, 0, NULL, 0);
	SETUP(connect(connected, (struct sockaddr *)&v4, sizeof(v4)) == 0);
	SETUP(getsockname(connected, (struct sockaddr *)&own, &size) == 0);
	dual = udp(AF_INET6, 0, &v6, sizeof(v6));
	unbound = udp(AF_INET, 0, NULL, 0);
	set(bound, SOL_SOCKET, SO_BROADCAST, 1);
	set(bound, IPPROTO_IP, IP_MULTICAST_TTL, 7);
	set(bound, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	set(bound, IPPROTO_IP, IP_PKTINFO, 1);
	set(unbound, IPPROTO_IP, IP_TTL, 33);
	set(unbound, IPPROTO_IP, IP_TOS, 0x10);
	set(dual, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9);
	set(dual, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	watching = epoll_create1(EPOLL_CLOEXEC);
	SETUP(epoll_ctl(watching, EPOLL_CTL_ADD, dual, &event) == 0);
	victim_ready();

	EXPECT_EQ(fcntl(bound, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(option(bound, SOL_SOCKET, SO_BROADCAST), 1);
	EXPECT_EQ(option(bound, IPPROTO_IP, IP_MULTICAST_TTL), 7);
	EXPECT_EQ(option(bound, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
	EXPECT_EQ(option(bound, IPPROTO_IP, IP_PKTINFO), 1);
	EXPECT_EQ(option(unbound, IPPROTO_IP, IP_TTL), 33);
	EXPECT_EQ(option(unbound, IPPROTO_IP, IP_TOS), 0x10);
	EXPECT_EQ(option(dual, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 9);
	EXPECT_EQ(option(dual, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
	EXPECT_EQ(option(dual, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	EXPECT_EQ(send(connected, "hello", 5, 0), 5);
	expect_heard("the bound socket", bound, own.sin_port);
	EXPECT_EQ(sendto(bound, "hello", 5, 0, (struct sockaddr *)&own, sizeof(own)), 5);
	expect_heard("the connected socket", connected, v4.sin_port);
	to = v4;
	to.sin_port = v6.sin6_port;
	EXPECT_EQ(epoll_wait(watching, &event, 1, 0), 0);
	EXPECT_EQ(sendto(bound, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	EXPECT_EQ(epoll_wait(watching, &event, 1, 5000), 1);
	EXPECT_EQ(event.data.u64, 6);
	expect_heard("the IPv6 socket by IPv4", dual, v4.sin_port);
	EXPECT_EQ(sendto(unbound, "hello", 5, 0, (struct sockaddr *)&v4, sizeof(v4)), 5);
	size = sizeof(own);
	EXPECT_EQ(getsockname(unbound, (struct sockaddr *)&own, &size), 0);
	expect_heard("the bound socket, by the unbound", bound, own.sin_port);
	return victim_result();
}
