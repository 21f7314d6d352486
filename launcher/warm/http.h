/*
 * Just enough of an HTTP/1.1 client to ask a local server for a page: GET over TCP, one exchange
 * for each connection (`Connection: close`, so that nothing stays open in the server), no TLS, no
 * redirects (RFC 9112).
 *
 * The parser is fed bytes and knows when the response is whole; the exchange is a non-blocking
 * state machine that runs beside the supervision. It knows addresses alone; who has a URL with a
 * name looks that up first (host_name.h).
 */
#ifndef JSNAP_LAUNCHER_HTTP_H
#define JSNAP_LAUNCHER_HTTP_H

#include "base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define HTTP_MAX_URL	   2048u
#define HTTP_MAX_HEADER	   65536u /* bytes of status line and fields */
#define HTTP_MAX_ADDRESSES 8u
#define HTTP_CONNECT_MS	   2000u /* for each address but the last */

struct http_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t size;
};

struct http_url {
	char host[256];		   /* as written, without brackets */
	char authority[272];	   /* for the Host field */
	char target[HTTP_MAX_URL]; /* "/path?query", never empty */
	uint16_t port;
	struct http_address addresses[HTTP_MAX_ADDRESSES]; /* in the order to try them */
	size_t n_addresses;				   /* 0: its name is to be looked up */
};

/* "http://HOST[:PORT][/PATH]" where HOST is a name, an IPv4 or an [IPv6] address; localhost is
 * 127.0.0.1 and ::1 without a look (RFC 6761, section 6.3). -EINVAL says what is wrong with it;
 * https is refused by name. */
int http_url_parse(const char *text, struct http_url *ret_url, struct jsnap_error *err);

enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_TO_EOF };

struct http_parser { /* all zeros at the start */
	int status;  /* 0 until known */
	int phase;
	enum http_body body;
	uint64_t left;	 /* bytes of the body or of the chunk still to come */
	size_t header;	 /* bytes of the header so far */
	char line[1024]; /* the line being read; the rest of a longer one is dropped */
	size_t line_used;
	bool done;
};

/* -EPROTO when this is no HTTP response. Bytes after its end are ignored. */
int http_parser_feed(struct http_parser *parser, const char *data, size_t size,
		     struct jsnap_error *err);
/* The connection was closed: 0 when that ends the response, -ECONNRESET when it is cut short. */
int http_parser_end(struct http_parser *parser, struct jsnap_error *err);

struct http_exchange {
	const struct http_url *url;
	size_t address; /* of the URL's, the one that is tried */
	size_t tried;	/* so many, this one included */
	int fd;		/* -1 when idle */
	char request[HTTP_MAX_URL + 512];
	size_t request_size, sent;
	bool connected;
	int failure; /* errno of an address that could not be reached, 0 */
	struct http_parser parser;
};

/* Starts connecting, to the first address that can be reached: one that swallows what is sent to it
 * gives place to the next after HTTP_CONNECT_MS. The exchange is to be all zeros but fd = -1, or
 * finished: then the address that it came to connect with is the first. */
int http_exchange_start(struct http_exchange *x, const struct http_url *url,
			struct jsnap_error *err);
short http_exchange_events(const struct http_exchange *x); /* what to poll fd for */
/* Goes on as far as it can: 1 when the response is whole (parser.status), 0 when there is more to
 * wait for, negative on failure. The descriptor is closed unless 0 is returned. */
int http_exchange_step(struct http_exchange *x, struct jsnap_error *err);
void http_exchange_close(struct http_exchange *x);

#endif
