/* The HTTP client's parsers, and an exchange with a server that answers byte by byte. */
#include "base/cleanup.h"
#include "base/io.h"
#include "check.h"
#include "launcher/warm/host_name.h"
#include "launcher/warm/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_urls(void)
{
	struct http_url url;
	struct jsnap_error err = {0};

	CHECK_EQ(http_url_parse("http://localhost:8080/a/b?c=d#e", &url, &err), 0);
	CHECK_STR(url.host, "localhost");
	CHECK_STR(url.authority, "localhost:8080");
	CHECK_STR(url.target, "/a/b?c=d");
	CHECK_EQ(url.port, 8080);
	CHECK_EQ(url.n_addresses, 2);
	CHECK_EQ(url.addresses[0].any.sa_family, AF_INET);
	CHECK_EQ(url.addresses[1].any.sa_family, AF_INET6);
	CHECK_EQ(http_url_parse("http://127.0.0.1", &url, &err), 0);
	CHECK_EQ(url.port, 80);
	CHECK_STR(url.target, "/");
	CHECK_EQ(http_url_parse("http://[::1]:99?x", &url, &err), 0);
	CHECK_EQ(url.n_addresses, 1);
	CHECK_EQ(url.addresses[0].any.sa_family, AF_INET6);
	CHECK_EQ(ntohs(url.addresses[0].in6.sin6_port), 99);
	CHECK_EQ(url.port, 99);
	CHECK_STR(url.target, "/?x");
	CHECK_EQ(http_url_parse("http://my-host_1.example:8080/", &url, &err), 0);
	CHECK_STR(url.host, "my-host_1.example");
	CHECK_EQ(url.n_addresses, 0);
}

static void test_bad_urls(void)
{
	static const char *const bad[] = {
		"",
		"ftp://x",
		"https://localhost/",
		"http://",
		"http://:80/",
		"http://localhost:/",
		"http://localhost:0/",
		"http://localhost:65536/",
		"http://localhost:80x/",
		"http://localhost:-1/",
		"http://a..b/",
		"http://.a/",
		"http://-a/",
		"http://a@b/",
		"http://1.2.3.4.5/",
		"http://[127.0.0.1]/",
		"http://[localhost]/",
		"http://[::1/",
		"http://[::1]x/",
		"http://[]/",
		"http://localhost/a b",
		"http://localhost/\r\nX: y",
		"http://1.2.3/",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jsnap_error err = {0};
		struct http_url url;

		if (http_url_parse(bad[i], &url, &err) != -EINVAL) {
			fprintf(stderr, "not refused: %s\n", bad[i]);
			exit(1);
		}
		CHECK(err.text[0]);
	}
}

/* Fed in pieces of every size, a response is done exactly at its end. */
static void check_response(const char *text, int status, bool needs_eof)
{
	size_t size = strlen(text);

	for (size_t piece = 1; piece <= size; piece++) {
		struct http_parser p = {0};
		struct jsnap_error err = {0};

		for (size_t at = 0; at < size; at += piece) {
			size_t n = size - at < piece ? size - at : piece;

			CHECK(!p.done);
			CHECK_EQ(http_parser_feed(&p, text + at, n, &err), 0);
		}
		CHECK_EQ(p.status, status);
		CHECK_EQ(p.done, !needs_eof);
		CHECK_EQ(http_parser_end(&p, &err), 0);
		CHECK(p.done);
	}
}

static void test_responses(void)
{
	check_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, false);
	check_response("HTTP/1.1 200 OK\ncontent-length:  5  \n\nhello", 200, false);
	check_response("HTTP/1.1 204 No Content\r\n\r\n", 204, false);
	check_response("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, false);
	check_response("HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, true);
	check_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
		       "5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
		       200, false);
	check_response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\nx",
		       500, false);
}

static void check_refused(const char *text)
{
	struct http_parser p = {0};
	struct jsnap_error err = {0};
	int rc = http_parser_feed(&p, text, strlen(text), &err);

	if (rc == 0)
		rc = http_parser_end(&p, &err);
	if (rc != -EPROTO && rc != -ECONNRESET) {
		fprintf(stderr, "not refused: %s\n", text);
		exit(1);
	}
}

static void test_bad_responses(void)
{
	char *header = malloc(HTTP_MAX_HEADER + 100);

	CHECK(header);
	check_refused("");
	check_refused("SSH-2.0-OpenSSH_9\r\n");
	check_refused("HTTP/1.1 20\r\n\r\n");
	check_refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
	check_refused("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n");
	check_refused("HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello");
	check_refused("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n");
	check_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
	check_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	strcpy(header, "HTTP/1.1 200 OK\r\nX: ");
	memset(header + strlen(header), 'x', HTTP_MAX_HEADER);
	header[HTTP_MAX_HEADER + 20] = '\0';
	check_refused(header);
	free(header);
}

static int listen_loopback(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&address, size), 0);
	CHECK_EQ(listen(fd, 4), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void serve_slowly(int listener, const char *host)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
	char request[4096] = {0};
	size_t used = 0;
	int fd = accept(listener, NULL, NULL);

	while (!strstr(request, "\r\n\r\n")) {
		ssize_t n = read(fd, request + used, sizeof(request) - used - 1);

		if (n <= 0)
			_exit(2);
		used += (size_t)n;
	}
	if (strncmp(request, "GET /x?y=1 HTTP/1.1\r\n", 21) != 0 ||
	    !strstr(request, "\r\nConnection: close\r\n") || !strstr(request, host))
		_exit(3);
	for (const char *p = answer; *p; p++) {
		if (write(fd, p, 1) != 1)
			_exit(4);
		usleep(500);
	}
	_exit(0);
}

static int run_exchange(const struct http_url *url, struct http_exchange *x,
			struct jsnap_error *err)
{
	int rc = http_exchange_start(x, url, err);

	while (rc == 0) {
		struct pollfd fd = {.fd = x->fd, .events = http_exchange_events(x)};

		CHECK_EQ(poll(&fd, 1, 10000), 1);
		rc = http_exchange_step(x, err);
	}
	CHECK_EQ(x->fd, -1);
	return rc;
}

/* Answered while the server is there, and refused when it and its listener, which is closed, are
 * gone. */
static void check_served(const char *text, pid_t server, int listener, struct http_url *ret_url,
			 struct jsnap_error *err)
{
	struct http_exchange x = {.fd = -1};
	int status;

	CHECK_EQ(http_url_parse(text, ret_url, err), 0);
	CHECK_EQ(run_exchange(ret_url, &x, err), 1);
	CHECK_EQ(x.parser.status, 200);
	CHECK_EQ(waitpid(server, &status, 0), server);
	CHECK_EQ(status, 0);
	close(listener);
	CHECK_EQ(run_exchange(ret_url, &x, err), -ECONNREFUSED);
}

static void test_exchange(void)
{
	struct http_exchange x = {.fd = -1};
	struct jsnap_error err = {0};
	struct http_url url;
	uint16_t port;
	int listener = listen_loopback(&port);
	char text[64];
	pid_t server = fork();

	if (server == 0)
		serve_slowly(listener, "\r\nHost: 127.0.0.1:");
	snprintf(text, sizeof(text), "http://127.0.0.1:%u/x?y=1", port);
	check_served(text, server, listener, &url, &err);
	CHECK(strstr(err.text, "127.0.0.1"));
	/* Nor does an address of what this machine has not, which comes after, hide that. */
	url.addresses[1].any.sa_family = AF_UNSPEC;
	url.n_addresses = 2;
	CHECK_EQ(run_exchange(&url, &x, &err), -ECONNREFUSED);
}

/* A server that listens on ::1 alone: localhost is that, too. */
static void test_second_address(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET6, SOCK_STREAM, 0);
	struct jsnap_error err = {0};
	struct http_url url;
	char text[64];
	pid_t server;

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0) {
		fprintf(stderr, "left out: no IPv6 here\n");
		return;
	}
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	server = fork();
	if (server == 0)
		serve_slowly(listener, "\r\nHost: localhost:");
	snprintf(text, sizeof(text), "http://localhost:%u/x?y=1", ntohs(address.sin6_port));
	check_served(text, server, listener, &url, &err);
}

/* An address that swallows SYNs, as a listener's whose queue is full does, costs HTTP_CONNECT_MS
 * once: the next request begins with the one that was reached. */
static void test_silent_address(void)
{
	struct sockaddr_in second = {.sin_family = AF_INET};
	struct http_exchange x = {.fd = -1};
	struct jsnap_error err = {0};
	struct http_url url;
	uint16_t port;
	int listener = listen_loopback(&port), silent, filler[4];
	uint64_t start = monotonic_ns();
	char text[64];
	pid_t server;

	snprintf(text, sizeof(text), "http://localhost:%u/x?y=1", port);
	CHECK_EQ(http_url_parse(text, &url, &err), 0);
	CHECK_EQ(url.n_addresses, 2);
	second.sin_port = htons(port);
	inet_pton(AF_INET, "127.0.0.2", &second.sin_addr);
	silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(silent, (struct sockaddr *)&second, sizeof(second)), 0);
	CHECK_EQ(listen(silent, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(filler); i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&second, sizeof(second));
	}
	url.addresses[1] = url.addresses[0];
	url.addresses[0] = (struct http_address){.in = second, .size = sizeof(second)};
	for (int i = 0; i < 3; i++) {
		server = fork();
		if (server == 0)
			serve_slowly(listener, "\r\nHost: localhost:");
		CHECK_EQ(run_exchange(&url, &x, &err), 1);
		CHECK_EQ(x.address, 1);
		CHECK_EQ(waitpid(server, NULL, 0), server);
	}
	CHECK(monotonic_ns() - start >= HTTP_CONNECT_MS * 1000000ull);
	CHECK_EQ(x.tried, 1);
	for (size_t i = 0; i < ARRAY_SIZE(filler); i++)
		close(filler[i]);
	close(silent);
	close(listener);
}

static void test_look_up(void)
{
	struct supervise s;
	struct jsnap_error err = {0};
	struct http_url url, known;

	CHECK_EQ(supervise_begin(&s, &err), 0);
	CHECK_EQ(http_url_parse("http://localhost:8080/", &known, &err), 0);
	url = known;
	url.n_addresses = 0;
	CHECK_EQ(host_name_look_up(&s, &url, monotonic_ns() + 20000000000ull, &err), 0);
	CHECK(url.n_addresses > 0);
	CHECK_EQ(ntohs(url.addresses[0].in.sin_port), 8080);
	CHECK(memcmp(&url.addresses[0].any, &known.addresses[0].any, known.addresses[0].size) ==
		      0 ||
	      memcmp(&url.addresses[0].any, &known.addresses[1].any, known.addresses[1].size) == 0);

	/* Name servers may be silent for longer than anybody waits. */
	CHECK_EQ(http_url_parse("http://nowhere.invalid/", &url, &err), 0);
	CHECK_EQ(host_name_look_up(&s, &url, monotonic_ns() + 200000000, &err), -EHOSTUNREACH);
	CHECK(strstr(err.text, "nowhere.invalid"));
	CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
	supervise_end(&s);
}

int main(void)
{
	test_urls();
	test_bad_urls();
	test_responses();
	test_bad_responses();
	test_exchange();
	test_second_address();
	test_silent_address();
	test_look_up();
	return 0;
}
