/*
 * TCP sockets: which of the kernel's states (include/net/tcp_states.h) comes back as what.
 *
 * A connection cannot be carried: its other end is elsewhere and goes on. It comes back as one
 * whose peer has closed it. What the program has done to it by then (shut down its side, seen an
 * error) stays done.
 *
 * Bytes that have arrived and were not read yet come back only where the peer had closed its side
 * of a connection that the program has made: they were its last words. From a peer that is still
 * there they are the middle of a conversation whose end the program would miss: it would take an
 * answer for good and give the connection, dead by then, back to a pool that trusts what was used a
 * moment ago; a message out of a queue it would handle anew at each restore. On a connection that
 * the program has accepted they are a request whose sender is gone.
 */
#include "checkpoint/socket_ask.h"

#include "base/cleanup.h"
#include "image/messages.h"

#include <fcntl.h>
#include <linux/tcp.h> /* glibc's struct tcp_info is too old to count segments */
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { /* include/net/tcp_states.h */
       K_TCP_ESTABLISHED = 1,
       K_TCP_SYN_SENT,
       K_TCP_SYN_RECV,
       K_TCP_FIN_WAIT1,
       K_TCP_FIN_WAIT2,
       K_TCP_TIME_WAIT,
       K_TCP_CLOSE,
       K_TCP_CLOSE_WAIT,
       K_TCP_LAST_ACK,
       K_TCP_LISTEN,
       K_TCP_CLOSING,
};

#define SHUT_SEND  2u	      /* m_socket.shutdown */
#define UNREAD_MAX (16 << 20) /* net.ipv4.tcp_rmem is 6 MiB by default */

/* What becomes of a connection whose peer is still there is for the caller to say. */
static int decide(struct socket_asker *a, struct m_socket *s, bool *ret_drop,
		  struct jsnap_error *err)
{
	struct checkpoint_fd fd = socket_described(a, s, CHECKPOINT_FD_TCP);

	*ret_drop = false;
	switch (capture_decide(a->c, &fd)) {
	case CHECKPOINT_END:
		return 0;
	case CHECKPOINT_CLOSE:
		*ret_drop = true;
		return 0;
	case CHECKPOINT_REFUSE:
		return capture_refuse_by_policy(&fd, err);
	default:
		socket_refuse(a, err,
			      "is an established TCP connection, and no policy says what should "
			      "become of it");
		return error_hint(err, "close it before the checkpoint, or let it come back as "
				       "closed by its peer: --fd-policy tcp=end");
	}
}

/* A thread inside connect(2) makes that call again; to one who polls, the attempt has failed. */
static void in_flight(struct m_socket *s, uint32_t flags)
{
	if (flags & O_NONBLOCK)
		s->state = M_SOCKET_RESET;
}

static void not_connected(struct m_socket *s, int events)
{
	if (events & POLLERR) {
		s->state = M_SOCKET_RESET;
	} else if (events & POLLRDHUP) { /* was connected; a new one has no such event */
		s->state = M_SOCKET_CLOSED_BY_PEER;
		s->shutdown = SHUT_SEND;
	}
}

/* Listening, or with an end of its own; MPTCP answers as TCP does (net/mptcp/sockopt.c). */
int capture_tcp(struct socket_asker *a, struct m_socket *s, uint32_t flags, bool *ret_drop,
		struct jsnap_error *err)
{
	struct tcp_info info = {0};
	uint32_t size = 0;
	long result;
	int events = 0;
	int r = socket_ask_option(a, IPPROTO_TCP, TCP_INFO, &info, sizeof(info), &size, &result,
				  err);

	*ret_drop = false;
	if (r < 0)
		return r;
	if (result < 0)
		return socket_refuse(a, err,
				     "is a stream socket of a protocol that is not carried");
	if (s->state == M_SOCKET_LISTEN) {
		s->backlog =
			info.tcpi_sacked; /* net/ipv4/tcp.c, tcp_get_info: sk_max_ack_backlog */
		return 0;
	}
	r = socket_ask_events(a, &events, err);
	if (r < 0)
		return r;
	switch (info.tcpi_state) {
	case K_TCP_CLOSE:
		not_connected(s, events);
		return 0;
	case K_TCP_SYN_SENT:
		in_flight(s, flags);
		return 0;
	case K_TCP_LAST_ACK:
	case K_TCP_CLOSING:
	case K_TCP_TIME_WAIT:
		s->shutdown = SHUT_SEND;
		/* fall through */
	case K_TCP_CLOSE_WAIT:
		s->state = M_SOCKET_CLOSED_BY_PEER;
		return 0;
	case K_TCP_FIN_WAIT1:
	case K_TCP_FIN_WAIT2:
		s->shutdown = SHUT_SEND;
		/* fall through */
	default:
		s->state = M_SOCKET_CLOSED_BY_PEER;
		return decide(a, s, ret_drop, err);
	}
}

/* Where descriptors can't be duplicated there is no cheap look, and what was not read is lost. */
static int peek(struct socket_asker *a, struct m_blob *ret_blob, struct jsnap_error *err)
{
	CLEANUP_MESSAGES struct messages messages = {0};
	CLEANUP_FREE char *bytes = NULL;
	int unread = 0, r;
	ssize_t n;

	if (ioctl(a->own, FIONREAD, &unread) < 0 || unread <= 0)
		return 0;
	if (unread > UNREAD_MAX)
		unread = UNREAD_MAX;
	bytes = malloc((size_t)unread);
	if (!bytes)
		return error_set(err, ENOMEM, "out of memory");
	n = recv(a->own, bytes, (size_t)unread, MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0)
		return 0;
	r = messages_begin(&messages);
	if (r == 0)
		r = messages_add(&messages, bytes, (size_t)n);
	if (r == 0)
		r = manifest_blob(a->c->m, messages.data, messages.used, ret_blob);
	return r < 0 ? error_set(err, -r, "fd %d (%s): keep what it has not read: %s", a->fd,
				 a->name, strerror(-r))
		     : 0;
}

/* Connected, and the peer has not sent its end, which would stand behind what is unread. */
static int ask_peer_there(struct socket_asker *a, bool *ret_there, struct jsnap_error *err)
{
	struct tcp_info info = {0};
	uint32_t size = 0;
	long result;
	int r = socket_ask_option(a, IPPROTO_TCP, TCP_INFO, &info, sizeof(info), &size, &result,
				  err);

	*ret_there = r == 0 && result == 0 &&
		     (info.tcpi_state == K_TCP_ESTABLISHED || info.tcpi_state == K_TCP_FIN_WAIT1 ||
		      info.tcpi_state == K_TCP_FIN_WAIT2);
	return r;
}

int capture_tcp_unread(struct capture *c, int fd, const struct manifest_ports *listening,
		       struct m_socket *s, struct jsnap_error *err)
{
	CLEANUP_SOCKET_ASKER struct socket_asker a = {.own = -1};
	bool there;
	int r;

	if (s->state != M_SOCKET_CLOSED_BY_PEER || manifest_accepted(c->m, listening, s))
		return 0;
	socket_ask_begin(c, fd, 0, &a);
	if (a.own < 0)
		return 0;
	r = ask_peer_there(&a, &there, err);
	return r < 0 || there ? r : peek(&a, &s->data, err);
}
