/* The exchange of http.h: one GET over one non-blocking connection. */
#include "launcher/warm/http.h"

#include "base/cleanup.h"

#include <poll.h>
#include <string.h>

void http_exchange_close(struct http_exchange *x)
{
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
}

/* Of several addresses that one tells most which refused: somebody is to listen there soon. */
static void note_failure(struct http_exchange *x, int error)
{
	if (!x->failure || error == ECONNREFUSED)
		x->failure = error;
}

/* Begins with address `first`, or else with the next that can be begun with. */
static int connect_from(struct http_exchange *x, size_t first, struct jsnap_error *err)
{
	const struct http_url *url = x->url;

	for (x->address = first; x->address < url->n_addresses; x->address++) {
		const struct http_address *a = &url->addresses[x->address];
		CLEANUP_CLOSE int fd =
			socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd >= 0 && (connect(fd, &a->any, a->size) == 0 || errno == EINPROGRESS)) {
			http_exchange_close(x);
			x->fd = steal_fd(&fd);
			return 0;
		}
		note_failure(x, errno);
	}
	errno = x->failure ? x->failure : EDESTADDRREQ;
	return error_errno(err, "connect to %s", url->authority);
}

int http_exchange_start(struct http_exchange *x, const struct http_url *url,
			struct jsnap_error *err)
{
	memset(x, 0, sizeof(*x));
	x->fd = -1;
	x->url = url;
	x->request_size = (size_t)snprintf(x->request, sizeof(x->request),
					   "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: jsnap\r\n"
					   "Accept: */*\r\nConnection: close\r\n\r\n",
					   url->target, url->authority);
	return connect_from(x, 0, err);
}

short http_exchange_events(const struct http_exchange *x)
{
	return x->sent < x->request_size ? POLLOUT : POLLIN;
}

static int check_connected(struct http_exchange *x, struct jsnap_error *err)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) {
		x->connected = true;
		return 0;
	}
	note_failure(x, error);
	return connect_from(x, x->address + 1, err);
}

static int send_request(struct http_exchange *x, struct jsnap_error *err)
{
	while (x->sent < x->request_size) {
		ssize_t n =
			send(x->fd, x->request + x->sent, x->request_size - x->sent, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "send a request to %s", x->url->authority);
		x->sent += (size_t)n;
	}
	return 0;
}

static int read_response(struct http_exchange *x, struct jsnap_error *err)
{
	char data[16384];

	while (!x->parser.done) {
		ssize_t n = recv(x->fd, data, sizeof(data), 0);
		int rc;

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read the answer of %s", x->url->authority);
		rc = n ? http_parser_feed(&x->parser, data, (size_t)n, err)
		       : http_parser_end(&x->parser, err);
		if (rc < 0)
			return rc;
	}
	return 1;
}

int http_exchange_step(struct http_exchange *x, struct jsnap_error *err)
{
	int rc = x->connected ? 0 : check_connected(x, err);

	if (rc == 0 && x->connected)
		rc = send_request(x, err);
	if (rc == 0 && x->sent == x->request_size)
		rc = read_response(x, err);
	if (rc != 0)
		http_exchange_close(x);
	return rc;
}
