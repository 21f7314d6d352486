/*
 * Options that a socket must have again to behave as it did: of a TCP listener, UDP sockets over
 * IPv4 and IPv6, and a Unix socket. What this kernel does not know is left out.
 */
#include "victim.h"

#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define MAX_OPTIONS 32
#define VALUE_MAX   16

static struct option {
	const char *text;
	int fd, level, name;
	unsigned char value[VALUE_MAX];
	socklen_t size;
} options[MAX_OPTIONS];
static int n_options;

/* Sets it to what it has not by itself. */
static void set(const char *text, int fd, int level, int name, int value)
{
	struct option *o = &options[n_options];
	unsigned char before[VALUE_MAX] = {0};
	socklen_t size = sizeof(before);

	SETUP(n_options < MAX_OPTIONS);
	*o = (struct option){
		.text = text, .fd = fd, .level = level, .name = name, .size = sizeof(o->value)};
	if (getsockopt(fd, level, name, before, &size) < 0 && errno == ENOPROTOOPT)
		return;
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0 ||
	    getsockopt(fd, level, name, o->value, &o->size) < 0)
		victim_broken(__FILE__, __LINE__, text);
	if (o->size == size && memcmp(before, o->value, size) == 0)
		victim_broken(__FILE__, __LINE__, text);
	n_options++;
}
#define SET(fd, level, name, value) set(#name, fd, level, name, value)

int main(int argc, char **argv)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int udp6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), local[2];

	victim_init(argc, argv);
	SETUP(tcp >= 0 && udp >= 0 &&
	      socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, local) == 0);
	SET(tcp, IPPROTO_TCP, TCP_MAXSEG, 1000);
	SET(tcp, IPPROTO_TCP, TCP_LINGER2, 7);
	SET(tcp, IPPROTO_TCP, TCP_WINDOW_CLAMP, 30000);
	SET(tcp, IPPROTO_TCP, TCP_RTO_MAX_MS, 5000);
	SET(tcp, SOL_SOCKET, SO_INCOMING_CPU, 0);
	SET(tcp, SOL_SOCKET, SO_ZEROCOPY, 1);
	SET(tcp, SOL_SOCKET, SO_MAX_PACING_RATE, 1000000);
	SET(tcp, IPPROTO_IP, IP_MINTTL, 5);
	SET(tcp, IPPROTO_IP, IP_RECVERR, 1);
	SET(tcp, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	SET(udp, IPPROTO_UDP, UDP_SEGMENT, 1200);
	SET(udp, IPPROTO_UDP, UDP_GRO, 1);
	SET(udp, IPPROTO_UDP, UDP_CORK, 1);
	SET(udp, SOL_SOCKET, SO_TIMESTAMPING, 16 | 8);
	SET(udp, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
	SET(udp, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	if (udp6 >= 0) {
		SET(udp6, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
		SET(udp6, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
		SET(udp6, IPPROTO_IPV6, IPV6_RECVERR, 1);
		SET(udp6, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 3);
	}
	SET(local[0], SOL_SOCKET, SO_PASSPIDFD, 1);
	SET(local[1], SOL_SOCKET, SO_PASSRIGHTS, 0);
	SETUP(bind(tcp, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(tcp, 3) == 0);
	for (int i = 0; i < n_options; i++) /* as it is now that it listens */
		SETUP(getsockopt(options[i].fd, options[i].level, options[i].name, options[i].value,
				 &options[i].size) == 0);
	victim_ready();
	for (int i = 0; i < n_options; i++) {
		const struct option *o = &options[i];
		unsigned char now[VALUE_MAX] = {0};
		socklen_t size = sizeof(now);

		EXPECT_EQ(getsockopt(o->fd, o->level, o->name, now, &size), 0);
		if (size != o->size || memcmp(now, o->value, size) != 0)
			victim_fault(__FILE__, __LINE__,
				     "%s was %02x%02x%02x%02x, is %02x%02x%02x%02x", o->text,
				     o->value[3], o->value[2], o->value[1], o->value[0], now[3],
				     now[2], now[1], now[0]);
	}
	return victim_result();
}
