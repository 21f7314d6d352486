/* See first_response.h. Messages as in linux/inet_diag.h and net/ipv4/inet_diag.c. */
#include "launcher/restore/first_response.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define TIME_WAIT     6 /* TCP_TIME_WAIT; <netinet/tcp.h> and <linux/tcp.h> exclude each other */
#define LISTEN	      10
#define ALL_BUT(s)    (0xfffu & ~(1u << (s)))
#define BUFFER_SIZE   65536
#define ANSWER_WAIT_S 1

struct seen {
	bool answered;
	size_t closed;
};

static bool watched(const struct first_response *watch, uint16_t network_order)
{
	for (size_t i = 0; i < watch->n_ports; i++)
		if (watch->ports[i] == ntohs(network_order))
			return true;
	return false;
}

static bool has_sent(const struct inet_diag_msg *msg, size_t size)
{
	const struct rtattr *attr = (const void *)(msg + 1);
	size_t left = size - sizeof(*msg);

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		const struct tcp_info *info = RTA_DATA(attr);

		if (attr->rta_type == INET_DIAG_INFO &&
		    RTA_PAYLOAD(attr) >= offsetof(struct tcp_info, tcpi_data_segs_out) +
						 sizeof(info->tcpi_data_segs_out))
			return info->tcpi_data_segs_out > 0;
	}
	return false;
}

static void look_at(const struct first_response *watch, const struct nlmsghdr *head,
		    struct seen *seen)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(head);
	size_t size = NLMSG_PAYLOAD(head, 0);

	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY || size < sizeof(*msg))
		return;
	if (msg->idiag_state == TIME_WAIT)
		seen->closed +=
			watched(watch, msg->id.idiag_sport) || watched(watch, msg->id.idiag_dport);
	else if (watched(watch, msg->id.idiag_sport))
		seen->answered |= has_sent(msg, size);
}

/* 1: the end of the dump was there. */
static int receive(const struct first_response *watch, struct seen *seen)
{
	char buffer[BUFFER_SIZE] __attribute__((aligned(8)));
	ssize_t n = recv(watch->fd, buffer, sizeof(buffer), 0);
	size_t left = n > 0 ? (size_t)n : 0;

	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	for (const struct nlmsghdr *head = (const void *)buffer; NLMSG_OK(head, left);
	     head = NLMSG_NEXT(head, left)) {
		if (head->nlmsg_type == NLMSG_DONE)
			return 1;
		if (head->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		look_at(watch, head, seen);
	}
	return 0;
}

static int dump(const struct first_response *watch, uint8_t family, struct seen *seen)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 request;
	} message = {
		.head = {.nlmsg_len = sizeof(message),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = family,
			    .sdiag_protocol = IPPROTO_TCP,
			    .idiag_ext = 1u << (INET_DIAG_INFO - 1),
			    .idiag_states = ALL_BUT(LISTEN)},
	};
	int r;

	if (send(watch->fd, &message, sizeof(message), 0) < 0)
		return -errno;
	do
		r = receive(watch, seen);
	while (r == 0);
	return r < 0 ? r : 0;
}

static int look(const struct first_response *watch, struct seen *ret_seen)
{
	struct seen seen = {0};
	int r = dump(watch, AF_INET, &seen);

	if (r == 0)
		r = dump(watch, AF_INET6, &seen);
	*ret_seen = seen;
	return r;
}

int first_response_begin(struct first_response *watch, struct jsnap_error *err)
{
	const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
	struct seen seen;
	int r;

	watch->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (watch->fd < 0)
		return error_errno(err, "open a sock_diag socket");
	setsockopt(watch->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	r = look(watch, &seen);
	watch->closed_before = seen.closed;
	if (r < 0) {
		first_response_end(watch);
		return error_set(err, -r, "list TCP connections: %s", strerror(-r));
	}
	return 0;
}

int first_response_seen(struct first_response *watch)
{
	struct seen seen;
	int r = look(watch, &seen);

	if (r < 0)
		return r;
	if (seen.closed < watch->closed_before)
		watch->closed_before = seen.closed; /* some have expired */
	return seen.answered || seen.closed > watch->closed_before;
}

void first_response_end(struct first_response *watch)
{
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}
