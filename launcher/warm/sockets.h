/*
 * The TCP sockets that a process holds: /proc/PID/fd links "socket:[INODE]" looked up in
 * /proc/PID/net/tcp and tcp6 (proc(5), net/ipv4/tcp_ipv4.c get_tcp4_sock). Nothing is connected to,
 * so the application never notices that somebody looked.
 */
#ifndef JSNAP_LAUNCHER_SOCKETS_H
#define JSNAP_LAUNCHER_SOCKETS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SOCKETS_MAX	  65536u
#define SOCKETS_MAX_TABLE (64u << 20) /* bytes of /proc/PID/net/tcp */

struct tcp_socket {
	uint64_t inode;
	uint16_t local_port, remote_port;
	uint8_t state; /* TCP_LISTEN ... of <netinet/tcp.h> */
};

struct tcp_sockets {
	struct tcp_socket *sockets;
	size_t count;
};

/* Appends the sockets of the text of /proc/net/tcp or tcp6 whose inode is among `inodes`
 * (ascending; NULL: all). Lines of another form are left out. */
int tcp_sockets_parse(const char *text, const uint64_t *inodes, size_t n_inodes,
		      struct tcp_sockets *sockets, struct jsnap_error *err);
int tcp_sockets_read(pid_t pid, struct tcp_sockets *ret_sockets, struct jsnap_error *err);
void tcp_sockets_free(struct tcp_sockets *sockets);
#define CLEANUP_TCP_SOCKETS __attribute__((cleanup(tcp_sockets_free)))

/* port 0: any. */
bool tcp_sockets_listen(const struct tcp_sockets *sockets, uint16_t port);
/* Whether a client is connected to a port among them that listens. */
bool tcp_sockets_serve(const struct tcp_sockets *sockets);

#endif
