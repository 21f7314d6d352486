/*
 * The options of a socket that a new one must be given to behave as it did: those whose value is
 * another than a socket just made here has. A level or name that the socket does not know is not
 * recorded.
 */
#include "checkpoint/socket_ask.h"

#include "base/cleanup.h"

#include <linux/tcp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define V4 1u
#define V6 2u
#define UN 4u
#define IP (V4 | V6)

/* An ended connection is not asked about these: they are for what is still to come. */
#define LIVE 8u
/* Nor one that is connected, where the kernel itself changes the value. */
#define QUIET 16u

/* include/uapi, where the C library's headers are older */
#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS	  44
#define TCP_RTO_MIN_US	  45
#define TCP_DELACK_MAX_US 46
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884 26
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884 31
#endif

static const struct {
	unsigned families; /* 0: any; with LIVE or QUIET */
	int type;	   /* 0: any */
	int level, name;
} OPTIONS[] = {
	{0, 0, SOL_SOCKET, SO_REUSEADDR},
	{0, 0, SOL_SOCKET, SO_REUSEPORT},
	{0, 0, SOL_SOCKET, SO_KEEPALIVE},
	{0, 0, SOL_SOCKET, SO_BROADCAST},
	{0, 0, SOL_SOCKET, SO_DONTROUTE},
	{0, 0, SOL_SOCKET, SO_LINGER},
	{0, 0, SOL_SOCKET, SO_OOBINLINE},
	{0, 0, SOL_SOCKET, SO_PRIORITY},
	{0, 0, SOL_SOCKET, SO_RCVLOWAT},
	{0, 0, SOL_SOCKET, SO_BINDTODEVICE},
	{0, 0, SOL_SOCKET, SO_MARK},
	{0, 0, SOL_SOCKET, SO_SNDBUF},
	{0, 0, SOL_SOCKET, SO_RCVBUF},
	{0, 0, SOL_SOCKET, SO_RCVTIMEO},
	{0, 0, SOL_SOCKET, SO_SNDTIMEO},
	{0, 0, SOL_SOCKET, SO_TIMESTAMP},
	{0, 0, SOL_SOCKET, SO_TIMESTAMPNS},
	{0, 0, SOL_SOCKET, SO_RXQ_OVFL},
	{UN, 0, SOL_SOCKET, SO_PASSCRED},
	{UN, 0, SOL_SOCKET, SO_PEEK_OFF},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_CORK},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPIDLE},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPINTVL},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPCNT},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_USER_TIMEOUT},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_SYNCNT},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_DEFER_ACCEPT},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_FASTOPEN},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_NOTSENT_LOWAT},
	{IP, SOCK_STREAM, IPPROTO_TCP, TCP_CONGESTION},
	{V6, 0, IPPROTO_IPV6, IPV6_V6ONLY},
	{V6, 0, IPPROTO_IPV6, IPV6_TCLASS},
	{V6, 0, IPPROTO_IPV6, IPV6_UNICAST_HOPS},
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MULTICAST_IF},
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVPKTINFO},
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVTCLASS},
	{V6, 0, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL},
	{IP, 0, IPPROTO_IP, IP_TOS},
	{V4, 0, IPPROTO_IP, IP_TTL},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_TTL},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_LOOP},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_IF},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_ALL},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_RECVTTL},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_RECVTOS},
	{IP, 0, IPPROTO_IP, IP_FREEBIND},
	{LIVE, 0, SOL_SOCKET, SO_TIMESTAMPING},
	{LIVE, 0, SOL_SOCKET, SO_ZEROCOPY},
	{LIVE, 0, SOL_SOCKET, SO_MAX_PACING_RATE},
	{LIVE, 0, SOL_SOCKET, SO_BUSY_POLL},
	{LIVE, 0, SOL_SOCKET, SO_PREFER_BUSY_POLL},
	{LIVE, 0, SOL_SOCKET, SO_BUSY_POLL_BUDGET},
	{LIVE, 0, SOL_SOCKET, SO_SELECT_ERR_QUEUE},
	{LIVE, 0, SOL_SOCKET, SO_TXTIME},
	{LIVE, 0, SOL_SOCKET, SO_RCVMARK},
	{LIVE, 0, SOL_SOCKET, SO_RCVPRIORITY},
	{IP | QUIET, 0, SOL_SOCKET, SO_INCOMING_CPU},
	{UN, 0, SOL_SOCKET, SO_PASSSEC},
	{UN, 0, SOL_SOCKET, SO_PASSPIDFD},
	{UN, 0, SOL_SOCKET, SO_PASSRIGHTS},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_LINGER2},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_RTO_MAX_MS},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_RTO_MIN_US},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_DELACK_MAX_US},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_SAVE_SYN},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_INQ},
	{IP | LIVE, SOCK_STREAM, IPPROTO_TCP, TCP_TX_DELAY},
	{IP | QUIET, SOCK_STREAM, IPPROTO_TCP, TCP_MAXSEG},
	{IP | QUIET, SOCK_STREAM, IPPROTO_TCP, TCP_WINDOW_CLAMP},
	{IP, SOCK_DGRAM, IPPROTO_UDP, UDP_SEGMENT},
	{IP, SOCK_DGRAM, IPPROTO_UDP, UDP_GRO},
	{IP, SOCK_DGRAM, IPPROTO_UDP, UDP_CORK},
	{IP, SOCK_DGRAM, IPPROTO_UDP, UDP_NO_CHECK6_TX},
	{IP, SOCK_DGRAM, IPPROTO_UDP, UDP_NO_CHECK6_RX},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_MTU_DISCOVER},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_RECVERR},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_RECVERR_RFC4884},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_DONTFRAG},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_MULTICAST_ALL},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_MINHOPCOUNT},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_RECVPATHMTU},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_RECVFRAGSIZE},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_UNICAST_IF},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES},
	{V6 | LIVE, 0, IPPROTO_IPV6, IPV6_FREEBIND},
	{IP | LIVE, 0, IPPROTO_IP, IP_MTU_DISCOVER},
	{IP | LIVE, 0, IPPROTO_IP, IP_RECVERR},
	{IP | LIVE, 0, IPPROTO_IP, IP_RECVERR_RFC4884},
	{IP | LIVE, 0, IPPROTO_IP, IP_MINTTL},
	{IP | LIVE, 0, IPPROTO_IP, IP_OPTIONS},
	{IP | LIVE, 0, IPPROTO_IP, IP_RECVOPTS},
	{IP | LIVE, 0, IPPROTO_IP, IP_RETOPTS},
	{IP | LIVE, 0, IPPROTO_IP, IP_RECVORIGDSTADDR},
	{IP | LIVE, 0, IPPROTO_IP, IP_RECVFRAGSIZE},
	{IP | LIVE, 0, IPPROTO_IP, IP_CHECKSUM},
	{IP | LIVE, 0, IPPROTO_IP, IP_PASSSEC},
	{IP | LIVE, 0, IPPROTO_IP, IP_UNICAST_IF},
	{IP | LIVE, 0, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
	{IP | LIVE, 0, IPPROTO_IP, IP_LOCAL_PORT_RANGE},
	{IP | LIVE, 0, IPPROTO_IP, IP_TRANSPARENT},
};

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SOCK_SNDBUF_LOCK
#define SOCK_SNDBUF_LOCK 1 /* include/uapi/linux/socket.h */
#define SOCK_RCVBUF_LOCK 2
#endif

#define VALUE_MAX 48u /* IP_OPTIONS takes 40 */

static bool concerns(size_t i, const struct m_socket *s)
{
	unsigned family = s->family == AF_INET ? V4 : s->family == AF_INET6 ? V6 : UN;

	bool ended = s->state == M_SOCKET_CLOSED_BY_PEER || s->state == M_SOCKET_RESET;
	unsigned families = OPTIONS[i].families & (IP | UN);

	if (((OPTIONS[i].families & LIVE) && ended) ||
	    ((OPTIONS[i].families & QUIET) && s->state != M_SOCKET_FRESH &&
	     s->state != M_SOCKET_LISTEN))
		return false;
	return (!families || (families & family)) &&
	       (!OPTIONS[i].type || OPTIONS[i].type == (int)s->type);
}

/* Buffer sizes follow the kernel's tuning unless the program fixed them (SO_BUF_LOCK, Linux 5.14).
 */
static int fixed_buffers(struct socket_asker *a, int *ret_locked, struct jsnap_error *err)
{
	uint32_t size;
	long result;
	int r = socket_ask_option(a, SOL_SOCKET, SO_BUF_LOCK, ret_locked, sizeof(*ret_locked),
				  &size, &result, err);

	if (r == 0 && result < 0)
		*ret_locked = 0;
	return r;
}

static bool as_new(int new_socket, const struct m_sockopt *option, const unsigned char *value)
{
	unsigned char fresh[VALUE_MAX] = {0};
	socklen_t size = sizeof(fresh);

	return new_socket >= 0 &&
	       getsockopt(new_socket, option->level, option->name, fresh, &size) == 0 &&
	       size == option->size && memcmp(fresh, value, size) == 0;
}

/* A filter can be read back, but one that the kernel runs compiled from eBPF cannot. */
static int refuse_filter(struct socket_asker *a, struct jsnap_error *err)
{
	uint32_t count = 0;
	char none;
	long result;
	int r = socket_ask_option(a, SOL_SOCKET, SO_GET_FILTER, &none, 0, &count, &result, err);

	if (r == 0 && ((result == 0 && count) || result == -EACCES))
		return socket_refuse(
			a, err, "has a packet filter (SO_ATTACH_FILTER), which is not carried");
	return r;
}

int socket_ask_options(struct socket_asker *a, const struct m_socket *s, struct m_blob *ret_blob,
		       struct jsnap_error *err)
{
	unsigned char all[ARRAY_SIZE(OPTIONS) * (sizeof(struct m_sockopt) + VALUE_MAX) +
			  MULTICAST_BYTES_MAX];
	CLEANUP_CLOSE int fresh =
		socket((int)s->family, (int)s->type | SOCK_CLOEXEC, (int)s->protocol);
	size_t used = 0;
	int locked, r = fixed_buffers(a, &locked, err);

	if (r == 0 && s->state != M_SOCKET_CLOSED_BY_PEER && s->state != M_SOCKET_RESET)
		r = refuse_filter(a, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(OPTIONS); i++) {
		struct m_sockopt option = {.level = OPTIONS[i].level, .name = OPTIONS[i].name};
		unsigned char value[VALUE_MAX] = {0};
		long result;

		if (!concerns(i, s))
			continue;
		if ((option.name == SO_SNDBUF && option.level == SOL_SOCKET &&
		     !(locked & SOCK_SNDBUF_LOCK)) ||
		    (option.name == SO_RCVBUF && option.level == SOL_SOCKET &&
		     !(locked & SOCK_RCVBUF_LOCK)))
			continue;
		r = socket_ask_option(a, option.level, option.name, value, sizeof(value),
				      &option.size, &result, err);
		if (r < 0)
			return r;
		if (result < 0 || option.size > sizeof(value) || as_new(fresh, &option, value))
			continue;
		memcpy(all + used, &option, sizeof(option));
		memcpy(all + used + sizeof(option), value, (option.size + 7) & ~7u);
		used += sizeof(option) + ((option.size + 7) & ~7u);
	}
	if (r == 0 && s->family != AF_UNIX && s->type == SOCK_DGRAM)
		r = socket_ask_groups(a, s, all, &used, sizeof(all), err);
	if (r == 0)
		r = manifest_blob(a->c->m, all, used, ret_blob);
	return r;
}
