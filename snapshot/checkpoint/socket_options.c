/*
 * The options of a socket that a new one must be given to behave as it did: those whose value is
 * another than a socket just made here has. A level or name that the socket does not know is not
 * recorded.
 */
#include "checkpoint/socket_ask.h"

#include "base/cleanup.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define V4 1u
#define V6 2u
#define UN 4u
#define IP (V4 | V6)

#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70
#endif

static const struct {
	unsigned families; /* 0: any */
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
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MTU_DISCOVER},
	{V6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVERR},
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
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_MTU_DISCOVER},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_RECVERR},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_RECVTTL},
	{IP, SOCK_DGRAM, IPPROTO_IP, IP_RECVTOS},
	{IP, 0, IPPROTO_IP, IP_FREEBIND},
};

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SOCK_SNDBUF_LOCK
#define SOCK_SNDBUF_LOCK 1 /* include/uapi/linux/socket.h */
#define SOCK_RCVBUF_LOCK 2
#endif

#define VALUE_MAX 32u

static bool concerns(size_t i, const struct m_socket *s)
{
	unsigned family = s->family == AF_INET ? V4 : s->family == AF_INET6 ? V6 : UN;

	return (!OPTIONS[i].families || (OPTIONS[i].families & family)) &&
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
	unsigned char all[ARRAY_SIZE(OPTIONS) * (sizeof(struct m_sockopt) + VALUE_MAX)];
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
	if (r == 0)
		r = manifest_blob(a->c->m, all, used, ret_blob);
	return r;
}
