/*
 * Unread data of Unix sockets, looked at with MSG_PEEK through the target itself, never taken out.
 *
 * SO_PEEK_OFF (socket(7)) moves from peek to peek and is the socket's own: it is put back. Each
 * call brings as much as fits below the thread's stack, so nothing is mapped in the target. No
 * control buffer is given for descriptors, so a peek never hands the target a copy of them;
 * MSG_CTRUNC tells that there are some (net/core/scm.c, scm_recv).
 *
 * An empty datagram is the one thing a peek may miss: the kernel marks it as seen, and the next
 * walk by offset passes over it (net/core/datagram.c, __skb_try_recv_from_queue). So what was found
 * is sent through a pair of our own and both senders' accounts are compared (SIOCOUTQ).
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "image/messages.h"

#include <linux/sockios.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct peek_frame { /* in the target */
	struct msghdr msg;
	struct iovec iov;
	char control[CMSG_SPACE(sizeof(struct ucred))];
	unsigned char bytes[REMOTE_DATA_SIZE - sizeof(struct msghdr) - sizeof(struct iovec) -
			    CMSG_SPACE(sizeof(struct ucred))];
};
_Static_assert(sizeof(struct peek_frame) <= REMOTE_DATA_SIZE, "fits the call buffer");

#define EMPTY_COST 256 /* less than what any message without bytes is accounted for */

struct peeker {
	struct capture *c;
	const struct capture_unread *what;
	struct messages messages;
	bool credentials; /* SO_PASSCRED is set */
	bool has_empty;
	struct peek_frame frame;
	long returned; /* recvmsg's result: bytes left of the message, or -errno */
	size_t copied;
};

static int refuse(const struct peeker *p, struct jsnap_error *err, const char *why)
{
	return error_set(err, ENOTSUP, "fd %d (%s) %s", p->what->fd, p->what->name, why);
}

static int option(struct peeker *p, bool set, int name, int *value, struct jsnap_error *err)
{
	remote_addr at = p->c->leader.data;
	int both[2] = {*value, sizeof(int)};
	long result;
	int r = tracee_write(&p->c->tracee, at, both, sizeof(both), err);

	if (r == 0)
		r = capture_call(p->c, &result, err, "a socket option",
				 set ? SYS_setsockopt : SYS_getsockopt,
				 REMOTE_ARGS((uint64_t)p->what->fd, SOL_SOCKET, (uint64_t)name,
					     at.value, set ? sizeof(int) : at.value + sizeof(int)));
	return r < 0 ? r : tracee_read(&p->c->tracee, at, value, sizeof(*value), err);
}

int capture_poll(struct capture *c, int fd, short events, int *ret_events, struct jsnap_error *err)
{
	struct pollfd p = {.fd = fd, .events = events};
	long result;
	int r = tracee_write(&c->tracee, c->leader.data, &p, sizeof(p), err);

	if (r == 0)
		r = capture_call(c, &result, err, "poll", SYS_poll,
				 REMOTE_ARGS(c->leader.data.value, 1, 0));
	if (r == 0)
		r = tracee_read(&c->tracee, c->leader.data, &p, sizeof(p), err);
	if (r == 0)
		*ret_events = p.revents;
	return r;
}

/* Who sent a message is part of it where the program asks: the restored one is sent by itself. */
static int check_sender(struct peeker *p, struct jsnap_error *err)
{
	const struct cmsghdr *head = (const void *)p->frame.control;
	struct ucred who;

	if (!p->credentials)
		return 0;
	memcpy(&who, CMSG_DATA(head), sizeof(who));
	if (p->frame.msg.msg_controllen < sizeof(*head) || head->cmsg_type != SCM_CREDENTIALS ||
	    who.pid != p->c->ns_pid)
		return refuse(p, err,
			      "holds unread data with another process's credentials (SO_PASSCRED), "
			      "which is not carried; read it before the checkpoint");
	return 0;
}

/* One recvmsg(2), which moves SO_PEEK_OFF on by what it copied. */
static int peek(struct peeker *p, size_t most, struct jsnap_error *err)
{
	uint64_t at = p->c->leader.data.value;
	int flags = MSG_PEEK | MSG_DONTWAIT | (p->what->type == SOCK_STREAM ? 0 : MSG_TRUNC);
	int r;

	memset(&p->frame, 0, sizeof(p->frame));
	p->frame.iov.iov_base = (void *)(at + offsetof(struct peek_frame, bytes));
	p->frame.iov.iov_len = most < sizeof(p->frame.bytes) ? most : sizeof(p->frame.bytes);
	p->frame.msg.msg_iov = (void *)(at + offsetof(struct peek_frame, iov));
	p->frame.msg.msg_iovlen = 1;
	if (p->credentials) {
		p->frame.msg.msg_control = (void *)(at + offsetof(struct peek_frame, control));
		p->frame.msg.msg_controllen = sizeof(p->frame.control);
	}
	r = tracee_write(&p->c->tracee, p->c->leader.data, &p->frame, sizeof(p->frame), err);
	if (r == 0)
		r = remote_call(&p->c->leader, &p->returned, err, SYS_recvmsg,
				REMOTE_ARGS((uint64_t)p->what->fd, at, (uint64_t)flags));
	if (r < 0 || p->returned < 0)
		return r;
	r = tracee_read(&p->c->tracee, p->c->leader.data, &p->frame, sizeof(p->frame), err);
	if (r < 0)
		return r;
	p->copied = (size_t)p->returned < sizeof(p->frame.bytes) ? (size_t)p->returned
								 : sizeof(p->frame.bytes);
	if (p->frame.msg.msg_flags & MSG_CTRUNC)
		return refuse(p, err,
			      "holds a message with passed descriptors (SCM_RIGHTS), which are not "
			      "carried; receive it before the checkpoint");
	return p->copied ? check_sender(p, err) : 0;
}

static int keep(struct peeker *p, struct jsnap_error *err)
{
	int r = messages_add(&p->messages, p->frame.bytes, p->copied);

	if (r == -E2BIG)
		return refuse(p, err, "holds too much unread data; read it before the checkpoint");
	return r < 0 ? error_set(err, -r, "out of memory") : 0;
}

static int begin(struct peeker *p, struct jsnap_error *err)
{
	int r = messages_begin(&p->messages);

	if (r == -E2BIG)
		return refuse(p, err,
			      "holds too many unread messages; read them before the checkpoint");
	return r < 0 ? error_set(err, -r, "out of memory") : 0;
}

/* Never past the end, where a pending error would be consumed. */
static int peek_stream(struct peeker *p, struct jsnap_error *err)
{
	size_t left = p->what->bytes;
	int r = begin(p, err);

	while (r == 0 && left) {
		r = peek(p, left, err);
		if (r == 0 && p->returned <= 0)
			return refuse(p, err, "holds unread data that can't be looked at");
		if (r == 0)
			r = keep(p, err);
		left -= r == 0 && p->copied < left ? p->copied : left;
	}
	return r;
}

/* A packet socket whose peer will send no more reports its end just as it reports an empty packet;
 * after the last byte they mean the same to a reader. */
static bool at_end(const struct peeker *p, size_t total)
{
	return p->returned == -EAGAIN || (p->returned == 0 && p->what->type == SOCK_SEQPACKET &&
					  (p->what->shutdown & 1) && total >= p->what->bytes);
}

static int peek_messages(struct peeker *p, struct jsnap_error *err)
{
	size_t total = 0;

	for (;;) {
		long left;
		int r = peek(p, SIZE_MAX, err);

		if (r < 0 || at_end(p, total))
			return r;
		if (p->returned < 0)
			return error_set(err, (int)-p->returned, "fd %d (%s): peek: %s",
					 p->what->fd, p->what->name, strerror((int)-p->returned));
		left = p->returned;
		p->has_empty = p->has_empty || left == 0;
		r = begin(p, err);
		while (r == 0) {
			r = keep(p, err);
			total += p->copied;
			left -= (long)p->copied;
			if (r < 0 || left <= 0)
				break;
			r = peek(p, (size_t)left, err);
			if (r == 0 && p->returned != left)
				return refuse(p, err, "holds a message that changes under the eye");
		}
		if (r < 0)
			return r;
	}
}

/* What the sender of a pair of our own is charged for the same messages. */
static int account_here(struct peeker *p, int *ret_charged, struct jsnap_error *err)
{
	CLEANUP_CLOSE int out = -1, in = -1;
	int ends[2], r;

	if (socketpair(AF_UNIX, p->what->type | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, "make a socket pair");
	out = ends[0];
	in = ends[1];
	r = messages_send(out, p->messages.data, p->messages.used, err);
	if (r < 0) {
		error_context(err, "fd %d (%s) holds more unread data than a new socket takes",
			      p->what->fd, p->what->name);
		return error_hint(err, "read it before the checkpoint");
	}
	if (ioctl(out, SIOCOUTQ, ret_charged) < 0)
		return error_errno(err, "ask for a socket's unread data");
	return 0;
}

static int check_complete(struct peeker *p, struct jsnap_error *err)
{
	int ours, theirs = 0;
	int r = account_here(p, &ours, err);

	if (r < 0 || p->what->type == SOCK_STREAM)
		return r;
	if (p->what->peer_fd >= 0) {
		r = capture_call_out(
			p->c, &theirs, sizeof(theirs), err, "SIOCOUTQ", SYS_ioctl,
			REMOTE_ARGS((uint64_t)p->what->peer_fd, SIOCOUTQ, CAPTURE_OUT));
		if (r == 0 && theirs >= ours + EMPTY_COST)
			return refuse(p, err,
				      "holds an empty message that was looked at before, which "
				      "hides it; read it before the checkpoint");
		return r;
	}
	/* Without a sender to compare with, a second look at the running program would miss it. */
	if (p->has_empty && p->c->options->leave_running)
		return refuse(p, err,
			      "holds an empty message of a socket that is closed; read it before "
			      "the checkpoint");
	return 0;
}

int capture_unread(struct capture *c, const struct capture_unread *what, struct m_blob *ret_blob,
		   struct jsnap_error *err)
{
	struct peeker p = {.c = c, .what = what};
	int before = -1, from_start = 0, passcred = 0, r;

	r = option(&p, false, SO_PASSCRED, &passcred, err);
	p.credentials = passcred != 0;
	if (r == 0)
		r = option(&p, false, SO_PEEK_OFF, &before, err);
	if (r == 0)
		r = option(&p, true, SO_PEEK_OFF, &from_start, err);
	if (r < 0)
		return r;
	r = what->type == SOCK_STREAM ? peek_stream(&p, err) : peek_messages(&p, err);
	if (option(&p, true, SO_PEEK_OFF, &before, r == 0 ? err : NULL) < 0 && r == 0)
		r = -err->code;
	if (r == 0)
		r = check_complete(&p, err);
	if (r == 0)
		r = manifest_blob(c->m, p.messages.data, p.messages.used, ret_blob);
	messages_free(&p.messages);
	return r;
}
