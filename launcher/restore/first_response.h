/*
 * When a server has answered for the first time, seen from outside: a TCP connection to one of its
 * listening ports has carried data away (sock_diag(7), INET_DIAG_INFO: tcpi_data_segs_out), or has
 * been closed since the watch began. Nothing is connected to and the application never notices.
 */
#ifndef JSNAP_LAUNCHER_FIRST_RESPONSE_H
#define JSNAP_LAUNCHER_FIRST_RESPONSE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRST_RESPONSE_PORTS 64u /* more are not watched */

struct first_response {
	int fd; /* netlink; -1: closed */
	uint16_t ports[FIRST_RESPONSE_PORTS];
	size_t n_ports;
	size_t closed_before; /* connections in TIME-WAIT when the watch began */
};

/* ports and n_ports are set. In the caller's network namespace. */
int first_response_begin(struct first_response *watch, struct jsnap_error *err);
/* 1: it has answered; 0: not yet; -errno. */
int first_response_seen(struct first_response *watch);
void first_response_end(struct first_response *watch);

#endif
