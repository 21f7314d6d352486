/*
 * Unix sockets and their peers from NETLINK_SOCK_DIAG: sock_diag(7), net/unix/diag.c.
 *
 * One dump of the whole network namespace; sockets without an inode (not yet accepted) are left out
 * by the kernel. The answer is data from outside: every length is checked before it is used.
 */
#include "proc/unixdiag.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#define UNIXDIAG_MAX_SOCKETS (1u << 20)
#define UNIXDIAG_BUFFER	     (256u << 10)

/* Clients that wait to be accepted are told with their listener, not with themselves. */
struct pending {
	struct {
		uint32_t client, listener;
	} * pairs;
	size_t count;
};

static void pending_free(struct pending *pending)
{
	free(pending->pairs);
}
#define CLEANUP_PENDING __attribute__((cleanup(pending_free)))

static int unixdiag_request(int fd)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req body;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = AF_UNIX,
			 .udiag_states = UINT32_MAX,
			 .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN | UDIAG_SHOW_VFS |
				       UDIAG_SHOW_ICONS},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	for (;;) {
		if (sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
			   sizeof(kernel)) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

static void unixdiag_attribute(const struct rtattr *attr, struct unixdiag_socket *socket)
{
	const void *data = RTA_DATA(attr);
	struct unix_diag_rqlen queues;
	struct unix_diag_vfs file;

	switch (attr->rta_type) {
	case UNIX_DIAG_PEER:
		if (RTA_PAYLOAD(attr) < sizeof(socket->peer))
			return;
		memcpy(&socket->peer, data, sizeof(socket->peer));
		socket->has_peer = true;
		break;
	case UNIX_DIAG_RQLEN:
		if (RTA_PAYLOAD(attr) < sizeof(queues))
			return;
		memcpy(&queues, data, sizeof(queues));
		socket->rqueue = queues.udiag_rqueue;
		socket->wqueue = queues.udiag_wqueue;
		break;
	case UNIX_DIAG_VFS:
		if (RTA_PAYLOAD(attr) < sizeof(file))
			return;
		memcpy(&file, data, sizeof(file));
		socket->file_inode = file.udiag_vfs_ino;
		break;
	case UNIX_DIAG_SHUTDOWN:
		if (RTA_PAYLOAD(attr) >= 1)
			socket->shutdown = *(const uint8_t *)data;
		break;
	default:
		break;
	}
}

static int unixdiag_clients(const struct rtattr *attr, uint32_t listener, struct pending *pending)
{
	size_t n = RTA_PAYLOAD(attr) / sizeof(uint32_t);
	__typeof__(pending->pairs) grown;

	if (attr->rta_type != UNIX_DIAG_ICONS || !n)
		return 0;
	if (pending->count + n > UNIXDIAG_MAX_SOCKETS)
		return -E2BIG;
	grown = reallocarray(pending->pairs, pending->count + n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pending->pairs = grown;
	for (size_t i = 0; i < n; i++) {
		memcpy(&grown[pending->count].client,
		       (const char *)RTA_DATA(attr) + i * sizeof(uint32_t), sizeof(uint32_t));
		grown[pending->count++].listener = listener;
	}
	return 0;
}

static int unixdiag_socket(const struct nlmsghdr *message, struct unixdiag_socket *ret_socket,
			   struct pending *pending)
{
	const struct unix_diag_msg *body = NLMSG_DATA(message);
	struct unixdiag_socket socket = {0};
	const struct rtattr *attr;
	unsigned int left;
	int ret = 0;

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*body)))
		return -EBADMSG;
	socket.inode = body->udiag_ino;
	socket.type = body->udiag_type;
	socket.state = body->udiag_state;
	left = message->nlmsg_len - (unsigned int)NLMSG_LENGTH(sizeof(*body));
	for (attr = (const struct rtattr *)(body + 1); ret == 0 && RTA_OK(attr, left);
	     attr = RTA_NEXT(attr, left)) {
		unixdiag_attribute(attr, &socket);
		ret = unixdiag_clients(attr, socket.inode, pending);
	}
	*ret_socket = socket;
	return ret;
}

static int unixdiag_append(struct unixdiag *diag, size_t *capacity, const struct nlmsghdr *message,
			   struct pending *pending)
{
	int ret;

	if (diag->count == UNIXDIAG_MAX_SOCKETS)
		return -E2BIG;
	if (diag->count == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 128;
		struct unixdiag_socket *grown = reallocarray(diag->sockets, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		diag->sockets = grown;
		*capacity = more;
	}
	ret = unixdiag_socket(message, &diag->sockets[diag->count], pending);
	if (ret == 0)
		diag->count++;
	return ret;
}

/* One datagram of the answer. 1 when it was the last. */
static int unixdiag_datagram(const void *buffer, size_t size, struct unixdiag *diag,
			     size_t *capacity, struct pending *pending)
{
	const struct nlmsghdr *message = buffer;
	int ret;

	for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
		if (message->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(message);

			if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)) || error->error >= 0)
				return -EBADMSG;
			return error->error;
		}
		if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			continue;
		ret = unixdiag_append(diag, capacity, message, pending);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int unixdiag_receive(int fd, struct unixdiag *diag, struct pending *pending)
{
	CLEANUP_FREE char *buffer = malloc(UNIXDIAG_BUFFER);
	size_t capacity = 0;
	int ret = 0;

	if (!buffer)
		return -ENOMEM;
	while (ret == 0) {
		ssize_t n = recv(fd, buffer, UNIXDIAG_BUFFER, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || (size_t)n > UNIXDIAG_BUFFER)
			return -EBADMSG;
		ret = unixdiag_datagram(buffer, (size_t)n, diag, &capacity, pending);
	}
	return ret < 0 ? ret : 0;
}

static int unixdiag_compare(const void *a, const void *b)
{
	const struct unixdiag_socket *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* A table that changes during the dump may show a socket twice; the later answer is kept. */
static void unixdiag_sort(struct unixdiag *diag)
{
	size_t kept = 0;

	if (diag->count)
		qsort(diag->sockets, diag->count, sizeof(*diag->sockets), unixdiag_compare);
	for (size_t i = 0; i < diag->count; i++) {
		if (kept && diag->sockets[kept - 1].inode == diag->sockets[i].inode)
			kept--;
		diag->sockets[kept++] = diag->sockets[i];
	}
	diag->count = kept;
}

static struct unixdiag_socket *find(const struct unixdiag *diag, uint32_t inode)
{
	struct unixdiag_socket key = {.inode = inode};

	if (!diag->count)
		return NULL;
	return bsearch(&key, diag->sockets, diag->count, sizeof(key), unixdiag_compare);
}

int unixdiag_read(struct unixdiag *ret_diag, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	CLEANUP_UNIXDIAG struct unixdiag diag = {0};
	CLEANUP_PENDING struct pending pending = {0};
	int ret;

	if (fd < 0)
		return error_errno(err, "socket(AF_NETLINK, NETLINK_SOCK_DIAG)");
	ret = unixdiag_request(fd);
	if (ret == 0)
		ret = unixdiag_receive(fd, &diag, &pending);
	if (ret < 0) {
		error_set(err, -ret, "list Unix sockets over NETLINK_SOCK_DIAG: %s",
			  strerror(-ret));
		if (ret == -ENOENT)
			error_hint(err, "load the kernel module unix_diag");
		return ret;
	}
	unixdiag_sort(&diag);
	for (size_t i = 0; i < pending.count; i++) {
		struct unixdiag_socket *client = find(&diag, pending.pairs[i].client);

		if (client)
			client->listener = pending.pairs[i].listener;
	}
	*ret_diag = diag;
	diag = (struct unixdiag){0};
	return 0;
}

void unixdiag_free(struct unixdiag *diag)
{
	free(diag->sockets);
	diag->sockets = NULL;
	diag->count = 0;
}

const struct unixdiag_socket *unixdiag_find(const struct unixdiag *diag, uint32_t inode)
{
	return find(diag, inode);
}
