/*
 * Connections that come back as ended by the other side.
 *
 * Each is a real TCP socket, connected over the loopback interface to a listener of our own and
 * closed by it: so every option, event and error is the kernel's own. Reads give the end, after
 * what the image has as unread (why that is the last words of a peer that had closed, and nothing
 * else: checkpoint/tcp.c); poll says POLLIN, POLLRDHUP; the first write is answered by a reset, the
 * next fails. One that was reset is reset again, with the error pending.
 *
 * Its own address is the one it had, where this machine has it and the port is free (an accepted
 * one shares its port with the listener, which is not free); its peer is the loopback address.
 *
 * Nothing here fails a restore: where no connection can be made (a network namespace whose loopback
 * interface is down), the program finds a socket that is not connected, which is an error to every
 * use of it as well.
 */
#include "restore/open_tcp.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define SHUT_SEND    2u /* m_socket.shutdown */
#define ENDS_BACKLOG 8
#define END_WAIT_MS  100

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

union address {
	sa_family_t family;
	struct sockaddr plain;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

static bool mapped(const union address *a)
{
	return a->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

static in_port_t *port_of(union address *a)
{
	return a->family == AF_INET ? &a->in.sin_port : &a->in6.sin6_port;
}

static void loopback(union address *a, bool v6)
{
	memset(a, 0, sizeof(*a));
	a->family = v6 ? AF_INET6 : AF_INET;
	if (v6)
		a->in6.sin6_addr = in6addr_loopback;
	else
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static socklen_t size_of(const union address *a)
{
	return a->family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

/* The listener that ends connections, made when first needed; -1 where there is no such network. */
static int listener_of(struct open_tcp *t, bool v6)
{
	int *fd = &t->listeners[v6];
	union address a;
	socklen_t size;

	if (*fd >= 0 || t->failed[v6])
		return *fd;
	loopback(&a, v6);
	size = size_of(&a);
	*fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd >= 0 && (bind(*fd, &a.plain, size) < 0 || listen(*fd, ENDS_BACKLOG) < 0 ||
			 getsockname(*fd, &a.plain, &size) < 0)) {
		close(*fd);
		*fd = -1;
	}
	t->failed[v6] = *fd < 0;
	t->ports[v6] = *fd < 0 ? 0 : *port_of(&a);
	return *fd;
}

/* The name it had, as far as it can be had. */
static void take_name(const struct manifest *m, const struct m_socket *s, bool accepted, int fd)
{
	int on = 1, before = 0;
	socklen_t size = sizeof(before);
	union address a = {0};

	if (s->local.size < sizeof(a.in) || s->local.size > sizeof(a))
		return;
	memcpy(&a, manifest_bytes(m, s->local), s->local.size);
	if (a.family != AF_INET && a.family != AF_INET6)
		return;
	getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &before, &size);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (accepted || bind(fd, &a.plain, s->local.size) < 0) {
		*port_of(&a) = 0;
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		(void)!bind(fd, &a.plain, s->local.size);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &before, sizeof(before));
}

static int connect_to(struct open_tcp *t, int fd, int family, bool v6)
{
	union address a;

	loopback(&a, v6);
	if (family == AF_INET6 && !v6) {
		union address as_v6 = {.in6 = {.sin6_family = AF_INET6}};

		as_v6.in6.sin6_addr.s6_addr[10] = as_v6.in6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&as_v6.in6.sin6_addr.s6_addr[12], &a.in.sin_addr, sizeof(a.in.sin_addr));
		a = as_v6;
	}
	*port_of(&a) = t->ports[v6];
	return connect(fd, &a.plain, size_of(&a));
}

static bool same_name(int fd, int peer)
{
	union address ours = {0}, theirs = {0};
	socklen_t size = sizeof(ours), peer_size = sizeof(theirs);

	return getsockname(fd, &ours.plain, &size) == 0 &&
	       getpeername(peer, &theirs.plain, &peer_size) == 0 &&
	       *port_of(&ours) == *port_of(&theirs);
}

/* The other end. Whoever else has found the port is sent away. */
static int accept_own(int listener, int fd)
{
	for (;;) {
		int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (peer < 0 || same_name(fd, peer))
			return peer;
		close(peer);
	}
}

/* A connected pair: *ret_peer is the other end, or -1 when there is no way. */
static int connected(struct open_tcp *t, const struct manifest *m, const struct m_socket *s,
		     int *ret_peer)
{
	union address local = {0};
	bool v6, accepted = manifest_accepted(m, &t->listening, s);

	if (s->local.size >= sizeof(local.in) && s->local.size <= sizeof(local))
		memcpy(&local, manifest_bytes(m, s->local), s->local.size);
	v6 = s->family == AF_INET6 && !mapped(&local);
	*ret_peer = -1;
	/* With its name, without it, and over the other family where the socket allows that. */
	for (int attempt = 0; attempt < 3; attempt++) {
		bool use_v6 = attempt == 2 ? !v6 : v6;
		int listener = s->family == AF_INET && use_v6 ? -1 : listener_of(t, use_v6);
		int fd = socket((int)s->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -1;
		if (listener >= 0) {
			if (attempt == 0)
				take_name(m, s, accepted, fd);
			if (connect_to(t, fd, (int)s->family, use_v6) == 0)
				*ret_peer = accept_own(listener, fd);
		}
		if (*ret_peer >= 0 || attempt == 2)
			return fd;
		close(fd);
	}
	return -1;
}

/* What does not fit is lost, as it would be with a peer that died. */
static void send_unread(const struct manifest *m, const struct m_socket *s, int peer)
{
	const char *p = manifest_bytes(m, s->data), *end = p + s->data.size;
	uint32_t length;

	while ((size_t)(end - p) > sizeof(length)) {
		memcpy(&length, p, sizeof(length));
		p += sizeof(length);
		if (length > (size_t)(end - p))
			return;
		for (uint32_t at = 0; at < length;) {
			ssize_t n = send(peer, p + at, length - at, MSG_NOSIGNAL | MSG_DONTWAIT);

			if (n <= 0)
				return;
			at += (uint32_t)n;
		}
		p += length + (-length & 3u);
	}
}

void open_tcp_begin(const struct manifest *m, struct open_tcp *ret_tcp)
{
	*ret_tcp = (struct open_tcp){.listeners = {-1, -1}};
	manifest_listening(m, &ret_tcp->listening);
}

void open_tcp_end(struct open_tcp *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(t->listeners); i++)
		cleanup_close(&t->listeners[i]);
}

int open_tcp_ended(struct open_tcp *t, const struct manifest *m, const struct m_socket *s,
		   struct jsnap_error *err)
{
	const struct linger reset = {.l_onoff = 1};
	CLEANUP_CLOSE int peer = -1;
	int fd = connected(t, m, s, &peer);

	if (fd < 0)
		return error_errno(err, "make a socket of family %u", s->family);
	if (peer < 0)
		return fd;
	if (s->state == M_SOCKET_RESET)
		setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else
		send_unread(m, s, peer);
	close(steal_fd(&peer));
	/* On a crowded machine the end takes a moment, and it must be there when the program is. */
	poll(&(struct pollfd){.fd = fd, .events = POLLRDHUP}, 1, END_WAIT_MS);
	if (s->shutdown & SHUT_SEND)
		shutdown(fd, SHUT_WR);
	return fd;
}
