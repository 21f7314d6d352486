/* TCP connections that come back as ended by the other side; see open_tcp.c. */
#ifndef JSNAP_RESTORE_OPEN_TCP_H
#define JSNAP_RESTORE_OPEN_TCP_H

#include "image/manifest.h"

#include <netinet/in.h>

struct open_tcp {
	struct manifest_ports listening; /* of the process */
	int listeners[2];		 /* our own, of IPv4 and IPv6; -1 */
	in_port_t ports[2];		 /* theirs, network byte order */
	bool failed[2];
};

void open_tcp_begin(const struct manifest *m, struct open_tcp *ret_tcp);
void open_tcp_end(struct open_tcp *t);

/* A socket in state M_SOCKET_CLOSED_BY_PEER or M_SOCKET_RESET, without its options. */
int open_tcp_ended(struct open_tcp *t, const struct manifest *m, const struct m_socket *s,
		   struct jsnap_error *err);

#endif
