/* See socket_ask.h. */
#include "checkpoint/socket_ask.h"

#include "base/cleanup.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ADDRESS_OFFSET 64u /* in the call buffer, after a length */
_Static_assert(ADDRESS_OFFSET + SOCKET_ASK_MAX <= REMOTE_DATA_SIZE, "fits the call buffer");

void socket_ask_begin(struct capture *c, int fd, uint32_t inode, struct socket_asker *ret_asker)
{
	*ret_asker = (struct socket_asker){.c = c, .fd = fd, .own = capture_dup_fd(c, fd)};
	snprintf(ret_asker->name, sizeof(ret_asker->name), "socket:[%u]", inode);
}

void socket_ask_end(struct socket_asker *a)
{
	cleanup_close(&a->own);
	a->own = -1;
}

int socket_refuse(const struct socket_asker *a, struct jsnap_error *err, const char *why)
{
	return error_set(err, ENOTSUP, "fd %d (%s) %s", a->fd, a->name, why);
}

/* A call that fills a buffer of at most SOCKET_ASK_MAX bytes and its length, in the target. */
static int ask_target(struct socket_asker *a, long nr, const int *option, void *value,
		      uint32_t capacity, uint32_t *ret_size, long *ret_result,
		      struct jsnap_error *err)
{
	struct capture *c = a->c;
	remote_addr data = c->leader.data;
	uint64_t out = data.value + ADDRESS_OFFSET;
	int r = tracee_write(&c->tracee, data, &capacity, sizeof(capacity), err);

	if (r == 0 && option)
		r = remote_call(&c->leader, ret_result, err, nr,
				REMOTE_ARGS((uint64_t)a->fd, (uint64_t)option[0],
					    (uint64_t)option[1], out, data.value));
	else if (r == 0)
		r = remote_call(&c->leader, ret_result, err, nr,
				REMOTE_ARGS((uint64_t)a->fd, out, data.value));
	if (r == 0 && *ret_result == 0)
		r = tracee_read(&c->tracee, data, ret_size, sizeof(*ret_size), err);
	if (r == 0 && *ret_result == 0)
		r = tracee_read(&c->tracee, remote_at(out), value,
				*ret_size < capacity ? *ret_size : capacity, err);
	return r;
}

int socket_ask_option(struct socket_asker *a, int level, int name, void *value, uint32_t capacity,
		      uint32_t *ret_size, long *ret_result, struct jsnap_error *err)
{
	socklen_t size = capacity;

	if (a->own < 0)
		return ask_target(a, SYS_getsockopt, (const int[2]){level, name}, value, capacity,
				  ret_size, ret_result, err);
	*ret_result = getsockopt(a->own, level, name, value, &size) < 0 ? -errno : 0;
	*ret_size = size;
	return 0;
}

int socket_ask_int(struct socket_asker *a, int level, int name, int *ret_value,
		   struct jsnap_error *err)
{
	uint32_t size = 0;
	long result;
	int r = socket_ask_option(a, level, name, ret_value, sizeof(*ret_value), &size, &result,
				  err);

	if (r == 0 && result < 0)
		return error_set(err, (int)-result, "fd %d (%s): socket option %d: %s", a->fd,
				 a->name, name, strerror((int)-result));
	return r;
}

int socket_ask_address(struct socket_asker *a, long nr, struct m_blob *ret_blob, bool *ret_set,
		       struct jsnap_error *err)
{
	unsigned char address[sizeof(struct sockaddr_storage)];
	socklen_t length = sizeof(address);
	uint32_t size = 0;
	long result = 0;
	int r = 0;

	if (a->own < 0) {
		r = ask_target(a, nr, NULL, address, sizeof(address), &size, &result, err);
	} else {
		if ((nr == SYS_getpeername
			     ? getpeername(a->own, (struct sockaddr *)address, &length)
			     : getsockname(a->own, (struct sockaddr *)address, &length)) < 0)
			result = -errno;
		size = length;
	}
	if (r < 0)
		return r;
	*ret_set = result == 0;
	if (result < 0)
		return 0;
	if (size > sizeof(address))
		size = sizeof(address);
	r = manifest_blob(a->c->m, address, size, ret_blob);
	return r < 0 ? error_set(err, -r, "out of memory") : 0;
}

int socket_ask_events(struct socket_asker *a, int *ret_events, struct jsnap_error *err)
{
	struct pollfd p = {.fd = a->own, .events = POLLIN | POLLRDHUP};

	if (a->own < 0)
		return capture_poll(a->c, a->fd, POLLIN | POLLRDHUP, ret_events, err);
	if (poll(&p, 1, 0) < 0)
		return error_errno(err, "fd %d (%s): poll", a->fd, a->name);
	*ret_events = p.revents;
	return 0;
}

struct checkpoint_fd socket_described(const struct socket_asker *a, const struct m_socket *s,
				      enum checkpoint_fd_kind kind)
{
	return (struct checkpoint_fd){.fd = a->fd,
				      .kind = kind,
				      .name = a->name,
				      .local = manifest_bytes(a->c->m, s->local),
				      .local_size = s->local.size,
				      .remote = manifest_bytes(a->c->m, s->remote),
				      .remote_size = s->remote.size};
}
