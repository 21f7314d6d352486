/* Sockets: made, given their options, bound, listening or connected as they were. */
#include "restore/open_files.h"

#include "base/cleanup.h"
#include "image/messages.h"
#include "base/io.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define PORT_WAIT_NS 300000000ull

static int join_group(int fd, int level, const char *bytes, size_t size, struct jsnap_error *err)
{
	unsigned char set[GROUP_FILTER_SIZE(M_GROUP_SOURCES_MAX)] = {0};
	struct group_filter *filter = (struct group_filter *)set;
	struct group_req request = {0};
	struct m_group group;

	if (size != sizeof(group))
		return error_set(err, EBADMSG, "a multicast group of %zu bytes", size);
	memcpy(&group, bytes, sizeof(group));
	group.interface[sizeof(group.interface) - 1] = '\0';
	if (group.n_sources > M_GROUP_SOURCES_MAX)
		return error_set(err, EBADMSG, "a multicast group of %u sources", group.n_sources);
	request.gr_interface = if_nametoindex(group.interface);
	request.gr_group = group.addresses[0];
	if (!request.gr_interface ||
	    setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof(request)) < 0)
		return error_errno(err, "join a multicast group on the interface %s again",
				   group.interface);
	filter->gf_interface = request.gr_interface;
	filter->gf_group = group.addresses[0];
	filter->gf_fmode = group.mode;
	filter->gf_numsrc = group.n_sources;
	memcpy(filter->gf_slist, &group.addresses[1], group.n_sources * sizeof(group.addresses[0]));
	if ((group.mode == MCAST_INCLUDE || group.n_sources) &&
	    setsockopt(fd, level, MCAST_MSFILTER, set, GROUP_FILTER_SIZE(group.n_sources)) < 0)
		return error_errno(err, "choose the sources of a multicast group on %s again",
				   group.interface);
	return 0;
}

static int set_option(int fd, const struct m_sockopt *option, const char *bytes,
		      struct jsnap_error *err)
{
	int value = 0;

	/* The kernel doubles what it is given for its own overhead (socket(7)). */
	if (option->level == SOL_SOCKET &&
	    (option->name == SO_SNDBUF || option->name == SO_RCVBUF)) {
		memcpy(&value, bytes, option->size < sizeof(value) ? option->size : sizeof(value));
		value /= 2;
		setsockopt(fd, SOL_SOCKET, option->name, &value, sizeof(value));
		return 0;
	}
	if (option->name == MCAST_MSFILTER &&
	    (option->level == IPPROTO_IP || option->level == IPPROTO_IPV6))
		return join_group(fd, option->level, bytes, option->size, err);
	/* Some may be asked for on this kind, but not set. */
	if (setsockopt(fd, option->level, option->name, bytes, option->size) < 0 &&
	    errno != ENOPROTOOPT && errno != EOPNOTSUPP && errno != EINVAL)
		return error_errno(err, "set option %d of a socket", option->name);
	return 0;
}

static int set_options(struct opening *o, const struct m_socket *s, int fd, struct jsnap_error *err)
{
	const char *p = manifest_bytes(o->m, s->options);
	const char *end = p + s->options.size;
	int r = 0;

	while (r == 0 && p < end) {
		struct m_sockopt option;

		if ((size_t)(end - p) < sizeof(option))
			return error_set(err, EBADMSG, "socket options are cut short");
		memcpy(&option, p, sizeof(option));
		p += sizeof(option);
		if (option.size > (size_t)(end - p))
			return error_set(err, EBADMSG, "a socket option is cut short");
		r = set_option(fd, &option, p, err);
		p += (option.size + 7) & ~7u;
	}
	return r;
}

static in_port_t *port_of(struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? &((struct sockaddr_in *)address)->sin_port
					     : &((struct sockaddr_in6 *)address)->sin6_port;
}

static void move_port(const struct opening *o, struct sockaddr_storage *address)
{
	const struct restore_options *options = o->plan->options;
	in_port_t *port = port_of(address);

	for (size_t i = 0; i < options->n_listen_map; i++)
		if (ntohs(*port) == options->listen_map[i][0]) {
			*port = htons(options->listen_map[i][1]);
			return;
		}
}

static int copy_address(struct opening *o, struct m_blob blob, struct sockaddr_storage *address,
			struct jsnap_error *err)
{
	if (blob.size > sizeof(*address) || blob.size < sizeof(sa_family_t))
		return error_set(err, EBADMSG, "a socket address of %u bytes", blob.size);
	memset(address, 0, sizeof(*address));
	memcpy(address, manifest_bytes(o->m, blob), blob.size);
	return 0;
}

/* The range of ports that the kernel gives to those that ask for any (ip(7)). */
static bool given_by_kernel(in_port_t port)
{
	unsigned low = 32768, high = 60999;
	CLEANUP_FREE char *text = NULL;

	if (read_file("/proc/sys/net/ipv4/ip_local_port_range", 64, &text, NULL) == 0)
		(void)!sscanf(text, "%u %u", &low, &high);
	return ntohs(port) >= low && ntohs(port) <= high;
}

static bool inet_unbound(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ((const struct sockaddr_in *)address)->sin_port == 0;
	return ((const struct sockaddr_in6 *)address)->sin6_port == 0;
}

/* The port of a process that was killed is free only when its memory has been given back. */
static int bind_patiently(int fd, const struct sockaddr_storage *address, socklen_t size)
{
	uint64_t deadline = monotonic_ns() + PORT_WAIT_NS;

	while (bind(fd, (const struct sockaddr *)address, size) < 0) {
		if (errno != EADDRINUSE || monotonic_ns() > deadline)
			return -1;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return 0;
}

/* A client's port is of no meaning to anybody once its peers are gone: another will do. */
static int bind_inet(struct opening *o, const struct m_socket *s, int fd, struct jsnap_error *err)
{
	struct sockaddr_storage address;
	bool listens = s->state == M_SOCKET_LISTEN;
	int r = copy_address(o, s->local, &address, err);
	in_port_t port;

	if (r < 0 || inet_unbound(&address))
		return r;
	if (listens)
		move_port(o, &address);
	if (bind_patiently(fd, &address, s->local.size) == 0)
		return 0;
	port = *port_of(&address);
	error_errno(err, "%s port %u again", listens ? "listen on" : "bind", ntohs(port));
	if (listens)
		return error_hint(err, "--listen %u=PORT opens it elsewhere",
				  manifest_port(o->m, s->local));
	if (s->state != M_SOCKET_DGRAM_CONNECTED && !given_by_kernel(port))
		return -err->code;
	*port_of(&address) = 0;
	if (bind(fd, (struct sockaddr *)&address, s->local.size) < 0 &&
	    s->state != M_SOCKET_DGRAM_CONNECTED)
		return error_errno(err, "bind a socket to its address again");
	return 0;
}

/* A name left by a process that is gone refuses connections: it may be replaced. */
static void remove_stale(const struct sockaddr_un *address, socklen_t size)
{
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (probe < 0)
		return;
	if (lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(probe, (const struct sockaddr *)address, size) < 0 && errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(probe);
}

/* A relative name is one in the program's folder. -1: there is no need to come back. */
static int enter_folder_of(struct opening *o, const struct sockaddr_un *address, int *ret_back,
			   struct jsnap_error *err)
{
	const char *given = o->plan->options->cwd;
	const char *cwd = given ? given : manifest_str(o->m, o->m->process->cwd);
	CLEANUP_CLOSE int back = -1;

	*ret_back = -1;
	if (address->sun_path[0] == '\0' || address->sun_path[0] == '/')
		return 0;
	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0 || chdir(cwd) < 0)
		return error_errno(err, "change to %s to bind the Unix socket %s again", cwd,
				   address->sun_path);
	*ret_back = steal_fd(&back);
	return 0;
}

static void leave_folder(int back)
{
	if (back < 0)
		return;
	(void)!fchdir(back);
	close(back);
}

static int bind_unix(struct opening *o, const struct m_socket *s, int fd, struct jsnap_error *err)
{
	struct sockaddr_storage storage, renamed;
	struct sockaddr_un *address = (struct sockaddr_un *)&storage;
	int r = copy_address(o, s->local, &storage, err);
	bool named;
	int back;

	if (r == 0 && s->local.size > sizeof(sa_family_t))
		r = enter_folder_of(o, address, &back, err);
	if (r < 0 || s->local.size <= sizeof(sa_family_t))
		return r;
	named = address->sun_path[0] != '\0';
	if (named)
		remove_stale(address, s->local.size);
	if (bind(fd, (struct sockaddr *)address, s->local.size) < 0)
		r = error_errno(err, "bind the Unix socket %s again", address->sun_path);
	if (r == 0 && named && s->mode)
		chmod(address->sun_path, s->mode);
	if (r == 0 && named && s->remote.size &&
	    (s->state == M_SOCKET_LISTEN || s->state == M_SOCKET_FRESH)) {
		r = copy_address(o, s->remote, &renamed, err);
		if (r == 0 &&
		    rename(address->sun_path, ((struct sockaddr_un *)&renamed)->sun_path) < 0)
			r = error_errno(err, "rename the Unix socket %s", address->sun_path);
	}
	leave_folder(back);
	return r;
}

/* Where there is no way to the peer now, what is sent fails, as it does when a network goes away.
 */
static int connect_dgram(struct opening *o, const struct m_socket *s, int fd,
			 struct jsnap_error *err)
{
	struct sockaddr_storage address;
	int r = copy_address(o, s->remote, &address, err);

	if (r == 0)
		(void)!connect(fd, (struct sockaddr *)&address, s->remote.size);
	return r;
}

/* Unread data goes in from the other end, before either is shut down or closed. The receivers'
 * options come first: who sent a message is recorded only for those that want to know. */
static int fill_pair(struct opening *o, const struct m_socket *s, const int ends[2],
		     struct jsnap_error *err)
{
	const struct m_socket *peer = s->peer == MANIFEST_NONE ? NULL : &o->m->sockets[s->peer];
	int r = set_options(o, s, ends[0], err);

	if (r == 0 && peer)
		r = set_options(o, peer, ends[1], err);
	if (r == 0)
		r = messages_send(ends[1], manifest_bytes(o->m, s->data), s->data.size, err);
	if (r == 0 && peer)
		r = messages_send(ends[0], manifest_bytes(o->m, peer->data), peer->data.size, err);
	return r;
}

static bool has_name(const struct m_socket *s)
{
	return s && s->local.size > sizeof(sa_family_t);
}

/*
 * Two ends that were connected by name, of which `server` was accepted: it has its listener's
 * address without being found by it. The listener's own socket comes after all of these; a file
 * that is there already is left there, and one that is not, is not made. -1: it can't be done.
 */
static int connect_by_name(struct opening *o, const struct m_socket *server,
			   const struct m_socket *client, int *ret_server)
{
	const int type = (int)server->type | SOCK_CLOEXEC;
	CLEANUP_CLOSE int listener = socket(AF_UNIX, type, 0), from = socket(AF_UNIX, type, 0);
	struct sockaddr_storage storage;
	struct sockaddr_un *address = (struct sockaddr_un *)&storage;
	bool there = true;
	struct stat st;
	int to = -1, back;

	if (listener < 0 || from < 0 ||
	    (has_name(client) && bind_unix(o, client, from, NULL) < 0) ||
	    copy_address(o, server->local, &storage, NULL) < 0 ||
	    enter_folder_of(o, address, &back, NULL) < 0)
		return -1;
	if (address->sun_path[0])
		there = lstat(address->sun_path, &st) == 0;
	if (address->sun_path[0] && there)
		remove_stale(address, server->local.size);
	if (bind(listener, (struct sockaddr *)address, server->local.size) == 0) {
		if (listen(listener, 1) == 0 &&
		    connect(from, (struct sockaddr *)address, server->local.size) == 0)
			to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (!there)
			unlink(address->sun_path);
	}
	leave_folder(back);
	if (to < 0)
		return -1;
	*ret_server = to;
	return steal_fd(&from);
}

static bool is_listeners(const struct opening *o, const struct m_socket *s)
{
	const void *name = manifest_bytes(o->m, s->local);

	for (uint32_t i = 0; i < o->m->n_sockets; i++) {
		const struct m_socket *other = &o->m->sockets[i];

		if (other->state == M_SOCKET_LISTEN && other->local.size == s->local.size &&
		    memcmp(manifest_bytes(o->m, other->local), name, s->local.size) == 0)
			return true;
	}
	return false;
}

/* Names say who it was, and nobody depends on them: where one can't be had, there is none. */
static bool connect_named(struct opening *o, const struct m_socket *s, const struct m_socket *peer,
			  int ends[2])
{
	if (s->type == SOCK_DGRAM)
		return false;
	if (has_name(s) && !(has_name(peer) && is_listeners(o, peer)))
		ends[1] = connect_by_name(o, s, peer, &ends[0]);
	else if (has_name(peer))
		ends[0] = connect_by_name(o, peer, s, &ends[1]);
	else
		return false;
	return ends[0] >= 0 && ends[1] >= 0;
}

/* Datagram sockets are found by their names, connected or not; ends of a pair can still be bound.
 */
static int name_datagrams(struct opening *o, const struct m_socket *s, const struct m_socket *peer,
			  const int ends[2], struct jsnap_error *err)
{
	int r = 0;

	if (s->type != SOCK_DGRAM)
		return 0;
	if (has_name(s))
		r = bind_unix(o, s, ends[0], err);
	if (r == 0 && has_name(peer))
		r = bind_unix(o, peer, ends[1], err);
	return r;
}

static int open_pair(struct opening *o, uint32_t index, struct jsnap_error *err)
{
	const struct m_socket *s = &o->m->sockets[index];
	const struct m_socket *peer = s->peer == MANIFEST_NONE ? NULL : &o->m->sockets[s->peer];
	int ends[2] = {-1, -1}, r;

	if (!connect_named(o, s, peer, ends) &&
	    socketpair((int)s->family, (int)s->type | SOCK_CLOEXEC, (int)s->protocol, ends) < 0)
		return error_errno(err, "make a socket pair");
	r = name_datagrams(o, s, peer, ends, err);
	if (r == 0)
		r = fill_pair(o, s, ends, err);
	if (r < 0) {
		close(ends[0]);
		close(ends[1]);
		return r;
	}
	if (s->peer == MANIFEST_NONE)
		close(ends[1]);
	else
		o->sockets[s->peer] = opening_lift(o, ends[1]);
	return ends[0];
}

/* Options come last, for some (SO_BINDTODEVICE) would keep it from being made, and none is worth a
 * failure. */
static int open_ended(struct opening *o, const struct m_socket *s, struct jsnap_error *err)
{
	int fd = open_tcp_ended(&o->tcp, o->m, s, err);

	if (fd >= 0)
		set_options(o, s, fd, NULL);
	return fd;
}

static int open_single(struct opening *o, const struct m_socket *s, struct jsnap_error *err)
{
	int fd = socket((int)s->family, (int)s->type | SOCK_CLOEXEC, (int)s->protocol);
	int r;

	if (fd < 0)
		return error_errno(err, "make a socket of family %u", s->family);
	r = set_options(o, s, fd, err);
	if (r == 0)
		r = s->family == AF_UNIX ? bind_unix(o, s, fd, err) : bind_inet(o, s, fd, err);
	if (r == 0 && s->state == M_SOCKET_LISTEN && listen(fd, (int)s->backlog) < 0)
		r = error_errno(err, "listen again");
	if (r == 0 && s->state == M_SOCKET_DGRAM_CONNECTED)
		r = connect_dgram(o, s, fd, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int open_named_pairs(struct opening *o, struct jsnap_error *err)
{
	for (uint32_t i = 0; i < o->m->n_sockets; i++) {
		const struct m_socket *s = &o->m->sockets[i];
		int fd;

		if (s->state != M_SOCKET_PAIR || !has_name(s) || o->sockets[i] >= 0)
			continue;
		fd = open_pair(o, i, err);
		if (fd < 0)
			return fd;
		o->sockets[i] = opening_lift(o, fd);
		if (o->sockets[i] < 0)
			return error_set(err, -o->sockets[i], "move a socket's descriptor: %s",
					 strerror(-o->sockets[i]));
	}
	return 0;
}

int open_socket(struct opening *o, uint32_t index, uint32_t flags, struct jsnap_error *err)
{
	const struct m_socket *s = &o->m->sockets[index];
	int fd = o->sockets[index];

	if (fd < 0) {
		if (s->state == M_SOCKET_PAIR)
			fd = open_pair(o, index, err);
		else if (s->state == M_SOCKET_CLOSED_BY_PEER || s->state == M_SOCKET_RESET)
			fd = open_ended(o, s, err);
		else
			fd = open_single(o, s, err);
		if (fd < 0)
			return fd;
		fd = opening_lift(o, fd);
		if (fd < 0)
			return error_set(err, -fd, "move a socket's descriptor: %s", strerror(-fd));
	}
	if (s->shutdown && s->state == M_SOCKET_PAIR && s->peer != MANIFEST_NONE)
		shutdown(fd, s->shutdown == 3 ? SHUT_RDWR : s->shutdown == 1 ? SHUT_RD : SHUT_WR);
	if (flags & O_NONBLOCK)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}
