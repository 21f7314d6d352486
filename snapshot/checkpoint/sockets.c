/*
 * Sockets, asked through the target itself: that works where pidfd_getfd(2) is filtered. Peers of
 * Unix sockets come from sock_diag(7), once for all of them.
 */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "proc/unixdiag.h"

#include <linux/tcp.h> /* glibc's struct tcp_info is too old to count segments */
#include <netinet/in.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* Options that a listener or fresh socket keeps. Asked once each; a level or name that the socket
 * does not know is simply not recorded. */
static const struct {
	int family, level, name; /* family 0: any */
} OPTIONS[] = {
	{0, SOL_SOCKET, SO_REUSEADDR},
	{0, SOL_SOCKET, SO_REUSEPORT},
	{0, SOL_SOCKET, SO_KEEPALIVE},
	{0, SOL_SOCKET, SO_BROADCAST},
	{0, SOL_SOCKET, SO_LINGER},
	{0, SOL_SOCKET, SO_OOBINLINE},
	{0, SOL_SOCKET, SO_BINDTODEVICE},
	{0, SOL_SOCKET, SO_MARK},
	{AF_INET, IPPROTO_TCP, TCP_KEEPIDLE},
	{AF_INET6, IPPROTO_TCP, TCP_KEEPIDLE},
	{AF_INET, IPPROTO_TCP, TCP_KEEPINTVL},
	{AF_INET6, IPPROTO_TCP, TCP_KEEPINTVL},
	{AF_INET, IPPROTO_TCP, TCP_KEEPCNT},
	{AF_INET6, IPPROTO_TCP, TCP_KEEPCNT},
	{AF_INET, IPPROTO_TCP, TCP_USER_TIMEOUT},
	{AF_INET6, IPPROTO_TCP, TCP_USER_TIMEOUT},
	{0, SOL_SOCKET, SO_SNDBUF},
	{0, SOL_SOCKET, SO_RCVBUF},
	{0, SOL_SOCKET, SO_RCVTIMEO},
	{0, SOL_SOCKET, SO_SNDTIMEO},
	{AF_UNIX, SOL_SOCKET, SO_PASSCRED},
	{AF_UNIX, SOL_SOCKET, SO_PEEK_OFF},
	{AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY},
	{AF_INET, IPPROTO_IP, IP_TOS},
	{AF_INET6, IPPROTO_IPV6, IPV6_TCLASS},
	{AF_INET, IPPROTO_TCP, TCP_NODELAY},
	{AF_INET6, IPPROTO_TCP, TCP_NODELAY},
	{AF_INET, IPPROTO_TCP, TCP_DEFER_ACCEPT},
	{AF_INET6, IPPROTO_TCP, TCP_DEFER_ACCEPT},
};

enum { K_TCP_CLOSE = 7, K_TCP_CLOSE_WAIT = 8, K_TCP_LAST_ACK = 9 }; /* include/net/tcp_states.h */

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SOCK_SNDBUF_LOCK
#define SOCK_SNDBUF_LOCK 1 /* include/uapi/linux/socket.h */
#define SOCK_RCVBUF_LOCK 2
#endif

#define ADDRESS_OFFSET 64u /* in the call buffer, after a length */

struct asker {
	struct capture *c;
	int fd;
	char name[48];
};

static int refuse_socket(const struct asker *a, struct jsnap_error *err, const char *why)
{
	return error_set(err, ENOTSUP, "fd %d (%s) %s", a->fd, a->name, why);
}

/* getsockopt(2) in the target. *ret_size <= capacity; -errno as result when the option is unknown
 */
static int ask_option(struct asker *a, int level, int name, void *value, uint32_t capacity,
		      uint32_t *ret_size, long *ret_result, struct jsnap_error *err)
{
	struct capture *c = a->c;
	remote_addr data = c->leader.data;
	int r = tracee_write(&c->tracee, data, &capacity, sizeof(capacity), err);

	if (r == 0)
		r = remote_call(&c->leader, ret_result, err, SYS_getsockopt,
				REMOTE_ARGS((uint64_t)a->fd, (uint64_t)level, (uint64_t)name,
					    data.value + ADDRESS_OFFSET, data.value));
	if (r == 0 && *ret_result == 0)
		r = tracee_read(&c->tracee, data, ret_size, sizeof(*ret_size), err);
	if (r == 0 && *ret_result == 0 && *ret_size > capacity)
		return error_set(err, EIO, "fd %d: an option of %u bytes", a->fd, *ret_size);
	if (r == 0 && *ret_result == 0)
		r = tracee_read(&c->tracee, remote_at(data.value + ADDRESS_OFFSET), value,
				*ret_size, err);
	return r;
}

static int ask_int(struct asker *a, int level, int name, int *ret_value, struct jsnap_error *err)
{
	uint32_t size = 0;
	long result;
	int r = ask_option(a, level, name, ret_value, sizeof(*ret_value), &size, &result, err);

	if (r == 0 && result < 0)
		return error_set(err, (int)-result, "fd %d (%s): socket option %d: %s", a->fd,
				 a->name, name, strerror((int)-result));
	return r;
}

static int ask_address(struct asker *a, long nr, struct m_blob *ret_blob, bool *ret_set,
		       struct jsnap_error *err)
{
	struct capture *c = a->c;
	remote_addr data = c->leader.data;
	unsigned char address[sizeof(struct sockaddr_storage)];
	uint32_t size = sizeof(address);
	long result;
	int r = tracee_write(&c->tracee, data, &size, sizeof(size), err);

	if (r == 0)
		r = remote_call(
			&c->leader, &result, err, nr,
			REMOTE_ARGS((uint64_t)a->fd, data.value + ADDRESS_OFFSET, data.value));
	if (r < 0)
		return r;
	*ret_set = result == 0;
	if (result < 0)
		return 0;
	r = tracee_read(&c->tracee, data, &size, sizeof(size), err);
	if (r == 0 && size > sizeof(address))
		size = sizeof(address);
	if (r == 0)
		r = tracee_read(&c->tracee, remote_at(data.value + ADDRESS_OFFSET), address, size,
				err);
	if (r == 0)
		r = manifest_blob(c->m, address, size, ret_blob);
	return r;
}

/* Buffer sizes follow the kernel's tuning unless the program fixed them (SO_BUF_LOCK, Linux 5.14).
 */
static int ask_fixed_buffers(struct asker *a, int *ret_locked, struct jsnap_error *err)
{
	uint32_t size;
	long result;
	int r = ask_option(a, SOL_SOCKET, SO_BUF_LOCK, ret_locked, sizeof(*ret_locked), &size,
			   &result, err);

	if (r == 0 && result < 0)
		*ret_locked = 0;
	return r;
}

static int ask_options(struct asker *a, int family, struct m_blob *ret_blob,
		       struct jsnap_error *err)
{
	unsigned char all[ARRAY_SIZE(OPTIONS) * (sizeof(struct m_sockopt) + 32)];
	size_t used = 0;
	int locked, r = ask_fixed_buffers(a, &locked, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(OPTIONS); i++) {
		struct m_sockopt option = {.level = OPTIONS[i].level, .name = OPTIONS[i].name};
		unsigned char value[32] = {0};
		long result;

		if (OPTIONS[i].family && OPTIONS[i].family != family)
			continue;
		if ((option.name == SO_SNDBUF && !(locked & SOCK_SNDBUF_LOCK)) ||
		    (option.name == SO_RCVBUF && !(locked & SOCK_RCVBUF_LOCK)))
			continue;
		r = ask_option(a, option.level, option.name, value, sizeof(value), &option.size,
			       &result, err);
		if (r < 0)
			return r;
		if (result < 0)
			continue;
		memcpy(all + used, &option, sizeof(option));
		memcpy(all + used + sizeof(option), value, (option.size + 7) & ~7u);
		used += sizeof(option) + ((option.size + 7) & ~7u);
	}
	return r < 0 ? r : manifest_blob(a->c->m, all, used, ret_blob);
}

static int check_nothing_unread(struct asker *a, struct jsnap_error *err)
{
	struct capture *c = a->c;
	int unread = 0;
	int r = capture_call_out(c, &unread, sizeof(unread), err, "ask what a socket holds",
				 SYS_ioctl, REMOTE_ARGS((uint64_t)a->fd, FIONREAD, CAPTURE_OUT));

	if (r == 0 && unread > 0)
		return refuse_socket(
			a, err,
			"is a TCP connection that its peer has closed, with unread data, "
			"which is not carried");
	return r;
}

static int capture_tcp(struct asker *a, struct m_socket *s, bool has_peer, struct jsnap_error *err)
{
	struct tcp_info info = {0};
	uint32_t size = 0;
	long result;
	int r;

	if (s->type != SOCK_STREAM)
		return 0;
	r = ask_option(a, IPPROTO_TCP, TCP_INFO, &info, sizeof(info), &size, &result, err);
	if (r < 0 || result < 0)
		return r;
	if (s->state == M_SOCKET_LISTEN) {
		s->backlog =
			info.tcpi_sacked; /* net/ipv4/tcp.c, tcp_get_info: sk_max_ack_backlog */
		return 0;
	}
	if (info.tcpi_state == K_TCP_CLOSE && !has_peer && !info.tcpi_segs_in &&
	    !info.tcpi_segs_out)
		return 0;
	/* A connection that was reset, or whose peer has closed, comes back as just that. */
	s->state = M_SOCKET_CLOSED_BY_PEER;
	if (info.tcpi_state == K_TCP_CLOSE || info.tcpi_state == K_TCP_CLOSE_WAIT ||
	    info.tcpi_state == K_TCP_LAST_ACK)
		return check_nothing_unread(a, err);
	if (!a->c->options->tcp_close)
		return refuse_socket(a, err,
				     "is an established TCP connection, and no policy says what "
				     "should become of it; close it before the checkpoint");
	return 0;
}

static int capture_state(struct asker *a, struct m_socket *s, struct jsnap_error *err)
{
	bool has_local, has_peer;
	int listening = 0;
	int r = ask_address(a, SYS_getsockname, &s->local, &has_local, err);

	if (r == 0)
		r = ask_address(a, SYS_getpeername, &s->remote, &has_peer, err);
	if (r == 0)
		r = ask_int(a, SOL_SOCKET, SO_ACCEPTCONN, &listening, err);
	if (r < 0)
		return r;
	s->state = listening ? M_SOCKET_LISTEN : M_SOCKET_FRESH;
	if (s->family == AF_INET || s->family == AF_INET6) {
		if (s->type == SOCK_DGRAM && has_peer)
			s->state = M_SOCKET_DGRAM_CONNECTED;
		return capture_tcp(a, s, has_peer, err);
	}
	if (has_peer)
		s->state = M_SOCKET_PAIR;
	return 0;
}

bool capture_socket_listens(struct capture *c, int fd)
{
	struct asker a = {.c = c, .fd = fd};
	int listening = 0;

	return ask_int(&a, SOL_SOCKET, SO_ACCEPTCONN, &listening, NULL) == 0 && listening;
}

int capture_socket(struct capture *c, int fd, uint32_t inode, uint32_t *ret_index,
		   struct jsnap_error *err)
{
	struct asker a = {.c = c, .fd = fd};
	struct m_socket *s;
	int family, type, protocol;
	int r;

	snprintf(a.name, sizeof(a.name), "socket:[%u]", inode);
	r = ask_int(&a, SOL_SOCKET, SO_DOMAIN, &family, err);
	if (r == 0)
		r = ask_int(&a, SOL_SOCKET, SO_TYPE, &type, err);
	if (r == 0)
		r = ask_int(&a, SOL_SOCKET, SO_PROTOCOL, &protocol, err);
	if (r < 0)
		return r;
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return refuse_socket(
			&a, err,
			family == AF_NETLINK  ? "is a netlink socket, which is not carried"
			: family == AF_PACKET ? "is a packet socket, which is not carried"
					      : "is a socket of a family that is not carried");
	if ((family == AF_INET || family == AF_INET6) && type != SOCK_STREAM && type != SOCK_DGRAM)
		return refuse_socket(&a, err, "is a raw socket, which is not carried");
	s = MANIFEST_ADD(c->m, sockets);
	if (!s)
		return error_set(err, ENOMEM, "too many sockets");
	s->family = (uint32_t)family;
	s->type = (uint32_t)type;
	s->protocol = (uint32_t)protocol;
	s->peer = MANIFEST_NONE;
	*ret_index = c->m->n_sockets - 1;
	r = capture_state(&a, s, err);
	if (r == 0)
		r = ask_options(&a, family, &s->options, err);
	return r;
}

/* The file record of a socket with this inode, whose value[0] is the inode. */
static uint32_t socket_by_inode(const struct manifest *m, uint32_t inode)
{
	for (uint32_t i = 0; i < m->n_files; i++)
		if (m->files[i].kind == M_FILE_SOCKET && m->files[i].value[0] == inode)
			return m->files[i].target;
	return MANIFEST_NONE;
}

static uint32_t fd_of_file(const struct manifest *m, uint32_t file)
{
	for (uint32_t i = 0; i < m->n_fds; i++)
		if (m->fds[i].file == file)
			return m->fds[i].fd;
	return 0;
}

/* The name in `folder` that belongs to the inode. */
static bool find_by_inode(const char *folder, uint32_t inode, char *ret_name, size_t size)
{
	CLEANUP_CLOSEDIR DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if ((uint32_t)entry->d_ino == inode) {
			snprintf(ret_name, size, "%s", entry->d_name);
			return true;
		}
	return false;
}

/*
 * Where the listener's name is now. A server that must appear complete binds a temporary name and
 * renames it (HotSpot's attach listener does), so the address it reports may be gone; the renamed
 * file is looked for where it was bound.
 */
static int remember_path(struct capture *c, struct m_socket *s, uint32_t inode,
			 struct jsnap_error *err)
{
	struct sockaddr_un address = {0}, renamed = {.sun_family = AF_UNIX};
	char folder[sizeof(address.sun_path)], name[NAME_MAX + 1];
	struct stat st;
	int r;

	if (s->local.size <= sizeof(sa_family_t) || s->local.size > sizeof(address))
		return 0;
	memcpy(&address, manifest_bytes(c->m, s->local), s->local.size);
	if (address.sun_path[0] == '\0')
		return 0;
	address.sun_path[sizeof(address.sun_path) - 1] = '\0';
	if (stat(address.sun_path, &st) == 0 && (uint32_t)st.st_ino == inode) {
		s->mode = st.st_mode & 07777;
		return 0;
	}
	memcpy(folder, address.sun_path, sizeof(folder));
	if (!find_by_inode(dirname(folder), inode, name, sizeof(name)))
		return 0; /* nobody can connect any more; it comes back under its first name */
	memcpy(folder, address.sun_path, sizeof(folder));
	if ((size_t)snprintf(renamed.sun_path, sizeof(renamed.sun_path), "%.80s/%.100s",
			     dirname(folder), name) >= sizeof(renamed.sun_path) ||
	    stat(renamed.sun_path, &st) < 0)
		return 0;
	s->mode = st.st_mode & 07777;
	r = manifest_blob(c->m, &renamed, sizeof(renamed), &s->remote);
	return r < 0 ? error_set(err, -r, "out of memory") : 0;
}

static int fd_of_socket(const struct manifest *m, uint32_t index)
{
	for (uint32_t i = 0; i < m->n_files; i++)
		if (m->files[i].kind == M_FILE_SOCKET && m->files[i].target == index)
			return (int)fd_of_file(m, i);
	return -1;
}

static int capture_queue(struct asker *a, const struct unixdiag_socket *seen, struct m_socket *s,
			 struct jsnap_error *err)
{
	struct capture_unread what = {.fd = a->fd,
				      .type = (int)s->type,
				      .peer_fd = -1,
				      .bytes = seen->rqueue,
				      .shutdown = seen->shutdown,
				      .name = a->name};
	int events = 0;
	int r = capture_poll_socket(a->c, a->fd, &events, err);

	if (r < 0)
		return r;
	if (events & POLLERR)
		return refuse_socket(a, err, "has a pending error, which is not carried");
	if (!(events & POLLIN) || (s->type == SOCK_STREAM && !seen->rqueue))
		return 0;
	if (s->state != M_SOCKET_PAIR)
		return refuse_socket(a, err,
				     "holds unread data, which is carried for connected Unix "
				     "sockets only; read it before the checkpoint");
	if (s->peer != MANIFEST_NONE)
		what.peer_fd = fd_of_socket(a->c->m, s->peer);
	return capture_unread(a->c, &what, &s->data, err);
}

static int connect_peer(struct asker *a, const struct unixdiag *diag,
			const struct unixdiag_socket *seen, struct m_socket *s,
			struct jsnap_error *err)
{
	const struct unixdiag_socket *other;

	if (!seen->peer)
		return 0;
	s->peer = socket_by_inode(a->c->m, seen->peer);
	if (s->peer == MANIFEST_NONE)
		return refuse_socket(a, err, "is a Unix socket connected to another process");
	other = unixdiag_find(diag, seen->peer);
	if (!other || other->peer != seen->inode)
		return refuse_socket(a, err,
				     "is connected to a Unix socket that is not connected back, "
				     "which is not carried");
	return 0;
}

static int connect_unix(struct capture *c, const struct unixdiag *diag, uint32_t file,
			struct m_socket *s, struct jsnap_error *err)
{
	uint32_t inode = (uint32_t)c->m->files[file].value[0];
	const struct unixdiag_socket *seen = unixdiag_find(diag, inode);
	struct asker a = {.c = c, .fd = (int)fd_of_file(c->m, file)};

	snprintf(a.name, sizeof(a.name), "socket:[%u]", inode);
	if (!seen)
		return refuse_socket(&a, err, "is a Unix socket of another network namespace");
	s->shutdown = seen->shutdown;
	if (s->state == M_SOCKET_LISTEN) {
		s->backlog = seen->wqueue;
		return remember_path(c, s, seen->file_inode, err);
	}
	if (s->state == M_SOCKET_PAIR || seen->has_peer) {
		int r;

		s->state = M_SOCKET_PAIR;
		r = connect_peer(&a, diag, seen, s, err);
		return r < 0 ? r : capture_queue(&a, seen, s, err);
	}
	/* Only one that takes datagrams can hold any without being connected. */
	return s->type == SOCK_DGRAM ? capture_queue(&a, seen, s, err) : 0;
}

int capture_socket_peers(struct capture *c, struct jsnap_error *err)
{
	CLEANUP_UNIXDIAG struct unixdiag diag = {0};
	bool read = false;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m->n_files; i++) {
		struct m_file *file = &c->m->files[i];

		if (file->kind != M_FILE_SOCKET || c->m->sockets[file->target].family != AF_UNIX)
			continue;
		if (!read)
			r = unixdiag_read(&diag, err);
		read = true;
		if (r == 0)
			r = connect_unix(c, &diag, i, &c->m->sockets[file->target], err);
	}
	return r;
}
