/*
 * Multicast groups on the loopback interface: joined by an IPv4 socket, by one that wants some
 * sources only, by an IPv6 socket, and one that has joined none. What is sent to the groups arrives
 * where it did, and nowhere else.
 */
#include "victim.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static int udp(int family, in_port_t *port)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
	socklen_t size =
		family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int off = 0;

	SETUP(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
	SETUP(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	/* Else a socket hears of every group that anybody here has joined. */
	if (family == AF_INET)
		SETUP(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off)) == 0);
	*port = ((struct sockaddr_in *)&address)->sin_port;
	return fd;
}

static struct sockaddr_storage group(int family, const char *text, in_port_t port)
{
	struct sockaddr_storage address = {.ss_family = (sa_family_t)family};

	((struct sockaddr_in *)&address)->sin_port = port;
	SETUP(inet_pton(family, text,
			family == AF_INET
				? (void *)&((struct sockaddr_in *)&address)->sin_addr
				: (void *)&((struct sockaddr_in6 *)&address)->sin6_addr) == 1);
	return address;
}

static int heard(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char got;

	return poll(&p, 1, ms) == 1 && recv(fd, &got, 1, MSG_DONTWAIT) == 1;
}

static void join(int fd, int level, const struct sockaddr_storage *to)
{
	struct group_req request = {.gr_interface = if_nametoindex("lo"), .gr_group = *to};

	SETUP(setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof(request)) == 0);
}

static void tell(int from, const struct sockaddr_storage *to)
{
	struct ip_mreqn loopback = {.imr_ifindex = (int)if_nametoindex("lo")};

	EXPECT_EQ(setsockopt(from, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof(loopback)), 0);
	EXPECT_EQ(sendto(from, "m", 1, 0, (const struct sockaddr *)to, sizeof(struct sockaddr_in)),
		  1);
}

/* Of how many sources a socket hears in a group, and whether of these or of all others. */
static void expect_joined(int fd, int level, const struct sockaddr_storage *to, unsigned mode,
			  const struct sockaddr_storage *source)
{
	unsigned char answer[GROUP_FILTER_SIZE(2)] = {0};
	struct group_filter *filter = (struct group_filter *)answer;
	socklen_t size = sizeof(answer);

	filter->gf_interface = if_nametoindex("lo");
	filter->gf_group = *to;
	filter->gf_numsrc = 2;
	EXPECT_EQ(getsockopt(fd, level, MCAST_MSFILTER, filter, &size), 0);
	EXPECT_EQ(filter->gf_fmode, mode);
	EXPECT_EQ(filter->gf_numsrc, source != NULL);
	if (source)
		EXPECT_EQ(((struct sockaddr_in *)&filter->gf_slist[0])->sin_addr.s_addr,
			  ((const struct sockaddr_in *)source)->sin_addr.s_addr);
}

int main(int argc, char **argv)
{
	in_port_t port, picky_port, port6 = 0, none_port;
	struct sockaddr_storage to, picky_to, to6 = {0}, none_to;
	struct group_source_req source = {.gsr_interface = if_nametoindex("lo")};
	int member, picky, member6 = -1, none, sender;

	victim_init(argc, argv);
	member = udp(AF_INET, &port);
	picky = udp(AF_INET, &picky_port);
	none = udp(AF_INET, &none_port);
	to = group(AF_INET, "239.77.1.1", port);
	picky_to = group(AF_INET, "239.77.1.2", picky_port);
	none_to = group(AF_INET, "239.77.1.1", none_port);
	join(member, IPPROTO_IP, &to);
	/* Of a source that nobody is: heard by nobody. */
	source.gsr_group = picky_to;
	source.gsr_source = group(AF_INET, "127.7.7.7", 0);
	SETUP(setsockopt(picky, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source)) == 0);
	if (access("/proc/net/igmp6", F_OK) == 0) {
		member6 = udp(AF_INET6, &port6);
		to6 = group(AF_INET6, "ff01::7701", port6);
		join(member6, IPPROTO_IPV6, &to6);
	}
	sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	victim_ready();

	tell(sender, &none_to);
	tell(sender, &picky_to);
	tell(sender, &to);
	EXPECT(heard(member, 5000));
	EXPECT(!heard(picky, 0));
	EXPECT(!heard(none, 0));
	expect_joined(member, IPPROTO_IP, &to, MCAST_EXCLUDE, NULL);
	expect_joined(picky, IPPROTO_IP, &picky_to, MCAST_INCLUDE, &source.gsr_source);
	if (member6 >= 0)
		expect_joined(member6, IPPROTO_IPV6, &to6, MCAST_EXCLUDE, NULL);
	return victim_result();
}
