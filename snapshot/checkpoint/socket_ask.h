/*
 * Questions about one socket of the target: options, names, events. They are put to a duplicate of
 * its descriptor (pidfd_getfd(2)), which costs nothing even for thousands of connections; where
 * that is filtered, by calls made in the target itself. Nothing of the socket changes either way.
 */
#ifndef JSNAP_CHECKPOINT_SOCKET_ASK_H
#define JSNAP_CHECKPOINT_SOCKET_ASK_H

#include "checkpoint/capture.h"

#define SOCKET_ASK_MAX 768u /* bytes of one option */

struct socket_asker {
	struct capture *c;
	int fd;
	int own; /* a duplicate of it here; -1: ask the target */
	char name[48];
};

void socket_ask_begin(struct capture *c, int fd, uint32_t inode, struct socket_asker *ret_asker);
void socket_ask_end(struct socket_asker *a);
#define CLEANUP_SOCKET_ASKER __attribute__((cleanup(socket_ask_end)))

/* -ENOTSUP: "fd N (socket:[INODE]) WHY". */
int socket_refuse(const struct socket_asker *a, struct jsnap_error *err, const char *why);

/* What a policy is asked about; its addresses are the manifest's and its name the asker's. */
struct checkpoint_fd socket_described(const struct socket_asker *a, const struct m_socket *s,
				      enum checkpoint_fd_kind kind);

/* getsockopt(2): *ret_result is 0 and *ret_size what the kernel says, or -errno when it does not
 * know the option. `value` has `capacity` bytes, SOCKET_ASK_MAX at most. */
int socket_ask_option(struct socket_asker *a, int level, int name, void *value, uint32_t capacity,
		      uint32_t *ret_size, long *ret_result, struct jsnap_error *err);
int socket_ask_int(struct socket_asker *a, int level, int name, int *ret_value,
		   struct jsnap_error *err);
/* getsockname(2) or getpeername(2) by their numbers; *ret_set false when there is none. */
int socket_ask_address(struct socket_asker *a, long nr, struct m_blob *ret_blob, bool *ret_set,
		       struct jsnap_error *err);
/* poll(2) for POLLIN and POLLRDHUP. */
int socket_ask_events(struct socket_asker *a, int *ret_events, struct jsnap_error *err);

/* The multicast groups that a datagram socket has joined, each as an option MCAST_MSFILTER of which
 * the value is a struct m_group. Appended to the `*used` bytes of `all`. */
#define MULTICAST_BYTES_MAX 8192u
int socket_ask_groups(struct socket_asker *a, const struct m_socket *s, unsigned char *all,
		      size_t *used, size_t size, struct jsnap_error *err);

/* Every option that differs from those of a socket just made, as m_socket.options. */
int socket_ask_options(struct socket_asker *a, const struct m_socket *s, struct m_blob *ret_blob,
		       struct jsnap_error *err);

#endif
