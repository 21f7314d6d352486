/* The exchange of http.h: one GET over one non-blocking connection. */
#include "launcher/warm/http.h"

#include "base/cleanup.h"

#include <netinet/tcp.h>
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

/* TCP_USER_TIMEOUT counts for SYNs, too (tcp(7)). */
static int begin(const struct http_address *a, bool last)
{
	const unsigned int limit = HTTP_CONNECT_MS;
	CLEANUP_CLOSE int fd =
		socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !last)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	if (fd < 0 || (connect(fd, &a->any, a->size) < 0 && errno != EINPROGRESS))
		return -1;
	return steal_fd(&fd);
}

/* Begins with address `x->address`, or else with the next, round about, that can be begun with. */
static int connect_next(struct http_exchange *x, struct jsnap_error *err)
{
	const struct http_url *url = x->url;

	while (x->tried < url->n_addresses) {
		int fd = begin(&url->addresses[x->address], ++x->tried == url->n_addresses);

		if (fd >= 0) {
			http_exchange_close(x);
			x->fd = fd;
			return 0;
		}
		note_failure(x, errno);
		x->address = (x->address + 1) % url->n_addresses;
	}
	errno = x->failure ? x->failure : EDESTADDRREQ;
	return error_errno(err, "connect to %s", url->authority);
}

int http_exchange_start(struct http_exchange *x, const struct http_url *url,
			struct jsnap_error *err)
{
	const size_t first = x->connected && x->address < url->n_addresses ? x->address : 0;

	*x = (struct http_exchange){.url = url, .address = first, .fd = -1};
	x->request_size = (size_t)snprintf(x->request, sizeof(x->request),
					   "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: jsnap\r\n"
					   "Accept: */*\r\nConnection: close\r\n\r\n",
					   url->target, url->authority);
	return connect_next(x, err);
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
	x->address = (x->address + 1) % x->url->n_addresses;
	return connect_next(x, err);
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
