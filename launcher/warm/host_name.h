/*
 * The addresses of a URL whose host is a name, by the C library's name service (getaddrinfo(3)).
 *
 * A look-up may take as long as name servers stay silent, and loads whatever nsswitch.conf(5)
 * names: so it is a process of its own that makes it, while the supervision goes on.
 */
#ifndef JSNAP_LAUNCHER_HOST_NAME_H
#define JSNAP_LAUNCHER_HOST_NAME_H

#include "base/error.h"
#include "launcher/supervise/supervise.h"
#include "launcher/warm/http.h"

#include <stdint.h>

/* Fills in url->addresses; does nothing when there are any. -EHOSTUNREACH: the name service knows
 * none, or did not answer by the deadline (CLOCK_MONOTONIC ns, 0: none); -ECHILD and -ECANCELED as
 * supervise_wait. */
int host_name_look_up(struct supervise *s, struct http_url *url, uint64_t deadline_ns,
		      struct jsnap_error *err);

#endif
