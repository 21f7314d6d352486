/*
 * Sockets: what each is, and to whom it is connected. Peers of Unix sockets come from sock_diag(7),
 * once for all of them.
 */
#include "checkpoint/socket_ask.h"

#include "base/cleanup.h"
#include "proc/unixdiag.h"

#include <netinet/in.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

static int capture_names(struct socket_asker *a, struct m_socket *s, struct jsnap_error *err)
{
	bool has_local, has_peer;
	int listening = 0;
	int r = socket_ask_address(a, SYS_getsockname, &s->local, &has_local, err);

	if (r == 0)
		r = socket_ask_address(a, SYS_getpeername, &s->remote, &has_peer, err);
	if (r == 0)
		r = socket_ask_int(a, SOL_SOCKET, SO_ACCEPTCONN, &listening, err);
	if (r < 0)
		return r;
	s->state = listening ? M_SOCKET_LISTEN : M_SOCKET_FRESH;
	if (has_peer && s->family == AF_UNIX)
		s->state = M_SOCKET_PAIR;
	else if (has_peer && s->type == SOCK_DGRAM)
		s->state = M_SOCKET_DGRAM_CONNECTED;
	return 0;
}

bool capture_socket_listens(struct capture *c, int fd)
{
	CLEANUP_SOCKET_ASKER struct socket_asker a = {.own = -1};
	int listening = 0;

	socket_ask_begin(c, fd, 0, &a);
	return socket_ask_int(&a, SOL_SOCKET, SO_ACCEPTCONN, &listening, NULL) == 0 && listening;
}

/* Where the policy's word is heard for a socket that is carried as it is. */
static int decide_carried(struct socket_asker *a, const struct m_socket *s, bool *ret_drop,
			  struct jsnap_error *err)
{
	const struct checkpoint_fd fd =
		socket_described(a, s,
				 s->state == M_SOCKET_LISTEN ? CHECKPOINT_FD_LISTENER
				 : s->type == SOCK_DGRAM     ? CHECKPOINT_FD_UDP
							     : CHECKPOINT_FD_OTHER);
	enum checkpoint_action action = capture_decide(a->c, &fd);

	if (action == CHECKPOINT_REFUSE)
		return capture_refuse_by_policy(&fd, err);
	*ret_drop = action == CHECKPOINT_CLOSE;
	return 0;
}

static int capture_kind(struct socket_asker *a, struct m_socket *s, struct jsnap_error *err)
{
	int family, type, protocol;
	int r = socket_ask_int(a, SOL_SOCKET, SO_DOMAIN, &family, err);

	if (r == 0)
		r = socket_ask_int(a, SOL_SOCKET, SO_TYPE, &type, err);
	if (r == 0)
		r = socket_ask_int(a, SOL_SOCKET, SO_PROTOCOL, &protocol, err);
	if (r < 0)
		return r;
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return socket_refuse(
			a, err,
			family == AF_NETLINK  ? "is a netlink socket, which is not carried"
			: family == AF_PACKET ? "is a packet socket, which is not carried"
					      : "is a socket of a family that is not carried");
	if (family != AF_UNIX && type != SOCK_STREAM && type != SOCK_DGRAM)
		return socket_refuse(a, err, "is a raw socket, which is not carried");
	s->family = (uint32_t)family;
	s->type = (uint32_t)type;
	s->protocol = (uint32_t)protocol;
	s->peer = MANIFEST_NONE;
	return 0;
}

int capture_socket(struct capture *c, int fd, uint32_t inode, uint32_t flags, uint32_t *ret_index,
		   bool *ret_drop, struct jsnap_error *err)
{
	CLEANUP_SOCKET_ASKER struct socket_asker a = {.own = -1};
	struct m_socket *s = MANIFEST_ADD(c->m, sockets);
	bool connection;
	int r;

	*ret_drop = false;
	if (!s)
		return error_set(err, ENOMEM, "too many sockets");
	*ret_index = c->m->n_sockets - 1;
	socket_ask_begin(c, fd, inode, &a);
	r = capture_kind(&a, s, err);
	if (r == 0)
		r = capture_names(&a, s, err);
	if (r == 0 && s->family != AF_UNIX && s->type == SOCK_STREAM)
		r = capture_tcp(&a, s, flags, ret_drop, err);
	connection = s->state == M_SOCKET_CLOSED_BY_PEER || s->state == M_SOCKET_RESET ||
		     s->state == M_SOCKET_PAIR;
	if (r == 0 && !connection && !*ret_drop)
		r = decide_carried(&a, s, ret_drop, err);
	if (r == 0 && !*ret_drop)
		r = socket_ask_options(&a, s, &s->options, err);
	if (r == 0 && *ret_drop)
		c->m->n_sockets--;
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

/* A relative name leads from the folder that the program was in when it bound it: which one that
 * was, only the one it is in now can tell. */
static bool is_name_of(struct capture *c, const char *name, uint32_t inode, struct stat *ret_st)
{
	char path[64 + sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(path, sizeof(path), "/proc/%d/cwd/%s", c->options->pid, name);
	return stat(name[0] == '/' ? name : path, ret_st) == 0 && (uint32_t)ret_st->st_ino == inode;
}

/*
 * Where the name of a socket is now. A server that must appear complete binds a temporary name and
 * renames it (HotSpot's attach listener does), so the address it reports may be gone; the renamed
 * file is looked for where it was bound.
 */
static int remember_path(struct socket_asker *a, struct m_socket *s, uint32_t inode,
			 struct jsnap_error *err)
{
	struct sockaddr_un address = {0}, renamed = {.sun_family = AF_UNIX};
	char folder[sizeof(address.sun_path)], name[NAME_MAX + 1];
	struct capture *c = a->c;
	struct stat st;
	int r;

	if (s->local.size <= sizeof(sa_family_t) || s->local.size > sizeof(address))
		return 0;
	memcpy(&address, manifest_bytes(c->m, s->local), s->local.size);
	if (address.sun_path[0] == '\0')
		return 0;
	address.sun_path[sizeof(address.sun_path) - 1] = '\0';
	if (is_name_of(c, address.sun_path, inode, &st)) {
		s->mode = st.st_mode & 07777;
		return 0;
	}
	if (address.sun_path[0] != '/')
		return socket_refuse(a, err,
				     "is bound to a relative name that leads nowhere from the "
				     "working folder, which is not carried; bind an absolute one");
	if (s->remote.size) /* the peer's */
		return 0;
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
			return (int)manifest_fd_of_file(m, i);
	return -1;
}

static int capture_queue(struct socket_asker *a, const struct unixdiag_socket *seen,
			 struct m_socket *s, struct jsnap_error *err)
{
	struct capture_unread what = {.fd = a->fd,
				      .type = (int)s->type,
				      .peer_fd = -1,
				      .bytes = seen->rqueue,
				      .shutdown = seen->shutdown,
				      .name = a->name};
	int events = 0;
	int r = capture_poll(a->c, a->fd, POLLIN | POLLPRI, &events, err);

	if (r < 0)
		return r;
	if (events & POLLERR)
		return socket_refuse(a, err, "has a pending error, which is not carried");
	if (events & POLLPRI)
		return socket_refuse(a, err,
				     "holds an urgent byte (MSG_OOB), which is not carried; read "
				     "it before the checkpoint");
	if (!(events & POLLIN) || (s->type == SOCK_STREAM && !seen->rqueue))
		return 0;
	if (s->state != M_SOCKET_PAIR)
		return socket_refuse(a, err,
				     "holds unread data, which is carried for connected Unix "
				     "sockets only; read it before the checkpoint");
	if (s->peer != MANIFEST_NONE)
		what.peer_fd = fd_of_socket(a->c->m, s->peer);
	return capture_unread(a->c, &what, &s->data, err);
}

/* Connected to another process. Where nothing but single messages are sent (syslog), a new
 * connection is as good as the old one; a stream has a history that cannot be had again. */
static int decide_unix(struct socket_asker *a, struct m_file *file, struct m_socket *s,
		       struct jsnap_error *err)
{
	struct checkpoint_fd fd = socket_described(a, s, CHECKPOINT_FD_UNIX);

	switch (capture_decide(a->c, &fd)) {
	case CHECKPOINT_REOPEN:
		if (s->type == SOCK_DGRAM && s->remote.size > sizeof(sa_family_t))
			s->state = M_SOCKET_DGRAM_CONNECTED;
		return 0;
	case CHECKPOINT_END:
		return 0;
	case CHECKPOINT_CLOSE:
		file->kind = M_FILE_CLOSED;
		return 0;
	case CHECKPOINT_REFUSE:
		return capture_refuse_by_policy(&fd, err);
	default:
		socket_refuse(a, err, "is a Unix socket connected to another process");
		return error_hint(err, "--fd-policy unix=end lets it come back as closed by that");
	}
}

static int connect_peer(struct socket_asker *a, const struct unixdiag *diag,
			const struct unixdiag_socket *seen, struct m_socket *s,
			struct jsnap_error *err)
{
	const struct unixdiag_socket *other;

	s->peer = socket_by_inode(a->c->m, seen->peer);
	other = unixdiag_find(diag, seen->peer);
	if (!other || other->peer != seen->inode)
		return socket_refuse(a, err,
				     "is connected to a Unix socket that is not connected back, "
				     "which is not carried");
	return 0;
}

/* What it has sent is with the listener, where nobody can look at it. */
static int wait_for_accept(struct socket_asker *a, const struct unixdiag_socket *seen,
			   struct m_file *file, struct m_socket *s, struct jsnap_error *err)
{
	if (socket_by_inode(a->c->m, seen->listener) == MANIFEST_NONE)
		return decide_unix(a, file, s, err);
	return socket_refuse(a, err,
			     "waits to be accepted by a listener of the program itself, which is "
			     "not carried");
}

static int connect_unix(struct capture *c, const struct unixdiag *diag, uint32_t file,
			struct m_socket *s, struct jsnap_error *err)
{
	uint32_t inode = (uint32_t)c->m->files[file].value[0];
	const struct unixdiag_socket *seen = unixdiag_find(diag, inode);
	struct socket_asker a = {.c = c, .fd = (int)manifest_fd_of_file(c->m, file), .own = -1};
	int r = 0;

	snprintf(a.name, sizeof(a.name), "socket:[%u]", inode);
	if (!seen)
		return socket_refuse(&a, err, "is a Unix socket of another network namespace");
	s->shutdown = seen->shutdown;
	if (s->state == M_SOCKET_LISTEN || s->type == SOCK_DGRAM)
		r = remember_path(&a, s, seen->file_inode, err);
	if (r < 0)
		return r;
	if (s->state == M_SOCKET_LISTEN) {
		s->backlog = seen->wqueue;
		return 0;
	}
	if (s->state == M_SOCKET_PAIR || seen->has_peer) {
		s->state = M_SOCKET_PAIR;
		if (seen->listener)
			return wait_for_accept(&a, seen, &c->m->files[file], s, err);
		if (seen->peer && socket_by_inode(c->m, seen->peer) == MANIFEST_NONE)
			return decide_unix(&a, &c->m->files[file], s, err);
		if (seen->peer)
			r = connect_peer(&a, diag, seen, s, err);
		return r < 0 ? r : capture_queue(&a, seen, s, err);
	}
	/* Only one that takes datagrams can hold any without being connected. */
	return s->type == SOCK_DGRAM ? capture_queue(&a, seen, s, err) : 0;
}

static int capture_tcp_queues(struct capture *c, struct jsnap_error *err)
{
	struct manifest_ports listening;
	int r = 0;

	manifest_listening(c->m, &listening);
	for (uint32_t i = 0; r == 0 && i < c->m->n_fds; i++) {
		const struct m_file *file = &c->m->files[c->m->fds[i].file];
		struct m_socket *s =
			file->kind == M_FILE_SOCKET ? &c->m->sockets[file->target] : NULL;

		if (s && s->family != AF_UNIX && !s->data.size)
			r = capture_tcp_unread(c, (int)c->m->fds[i].fd, &listening, s, err);
	}
	return r;
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
	return r < 0 ? r : capture_tcp_queues(c, err);
}
