/* Ports of recorded sockets; see manifest.h. */
#include "image/manifest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

uint16_t manifest_port(const struct manifest *m, struct m_blob address)
{
	union {
		sa_family_t family;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage storage;
	} a = {0};

	if (address.size < sizeof(a.family) || address.size > sizeof(a))
		return 0;
	memcpy(&a, manifest_bytes(m, address), address.size);
	if (a.family == AF_INET)
		return ntohs(a.in.sin_port);
	return a.family == AF_INET6 ? ntohs(a.in6.sin6_port) : 0;
}

void manifest_listening(const struct manifest *m, struct manifest_ports *ret_ports)
{
	memset(ret_ports, 0, sizeof(*ret_ports));
	for (uint32_t i = 0; i < m->n_sockets; i++) {
		uint16_t port = m->sockets[i].state == M_SOCKET_LISTEN
					? manifest_port(m, m->sockets[i].local)
					: 0;

		if (port)
			ret_ports->bits[port / 8] |= (uint8_t)(1u << port % 8);
	}
}

bool manifest_accepted(const struct manifest *m, const struct manifest_ports *ports,
		       const struct m_socket *s)
{
	uint16_t port = manifest_port(m, s->local);

	return port && (ports->bits[port / 8] >> port % 8 & 1);
}
