/*
 * Unix sockets of this network namespace with their peers, from NETLINK_SOCK_DIAG
 * (sock_diag(7), net/unix/diag.c). /proc/net/unix does not tell who is connected to whom.
 */
#ifndef JSNAP_PROC_UNIXDIAG_H
#define JSNAP_PROC_UNIXDIAG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unixdiag_socket {
	uint32_t inode;
	uint32_t peer; /* inode of the peer; 0 when has_peer and the peer is closed */
	bool has_peer;
	uint32_t listener;	 /* inode; of one that waits there to be accepted, else 0 */
	uint8_t type;		 /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
	uint8_t state;		 /* TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE of <netinet/tcp.h> */
	uint8_t shutdown;	 /* bit 0 receive, bit 1 send */
	uint32_t file_inode;	 /* low 32 bits; of the name it is bound to, 0 without one */
	uint32_t rqueue, wqueue; /* for a listener: pending connections and backlog */
};

struct unixdiag {
	struct unixdiag_socket *sockets; /* ascending by inode */
	size_t count;
};

int unixdiag_read(struct unixdiag *ret_diag, struct jsnap_error *err);
void unixdiag_free(struct unixdiag *diag);
#define CLEANUP_UNIXDIAG __attribute__((cleanup(unixdiag_free)))
const struct unixdiag_socket *unixdiag_find(const struct unixdiag *diag, uint32_t inode);

#endif
