/* The parsers of http.h: URLs and responses. No system calls. */
#include "launcher/warm/http.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

static bool add_address(struct http_url *url, int family, const char *host)
{
	struct http_address *a = &url->addresses[url->n_addresses];
	void *bytes = family == AF_INET ? (void *)&a->in.sin_addr : (void *)&a->in6.sin6_addr;

	if (inet_pton(family, host, bytes) != 1)
		return false;
	a->any.sa_family = (sa_family_t)family;
	a->in.sin_port = htons(url->port); /* in6.sin6_port is at the same place */
	a->size = family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
	url->n_addresses++;
	return true;
}

/* Letters, digits, - . and _; not one whose last label is a number: such a name is meant as an
 * address (WHATWG URL, "ends in a number"), and the C library would take "1.2.3" for 1.2.0.3. */
static bool is_name(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";
	const char *last = strrchr(host, '.');

	last = last ? last + 1 : host;
	return !strchr("-.", *host) && !host[strspn(host, letters)] && !strstr(host, "..") &&
	       (!*last || last[strspn(last, "0123456789")]);
}

static int set_addresses(struct http_url *url, bool bracketed, struct jsnap_error *err)
{
	if (bracketed && add_address(url, AF_INET6, url->host))
		return 0;
	if (bracketed)
		return error_set(err, EINVAL, "'[%s]' is no IPv6 address", url->host);
	if (strcasecmp(url->host, "localhost") == 0) {
		add_address(url, AF_INET, "127.0.0.1");
		add_address(url, AF_INET6, "::1");
	} else if (!add_address(url, AF_INET, url->host) && !is_name(url->host)) {
		return error_set(err, EINVAL, "'%s' is neither a host name nor an address",
				 url->host);
	}
	return 0;
}

static int split_authority(const char *text, size_t size, struct http_url *url, bool *ret_bracketed,
			   struct jsnap_error *err)
{
	const char *end = text + size, *host = text, *host_end, *port;
	char *number_end;
	unsigned long value;

	*ret_bracketed = size && *text == '[';
	if (*ret_bracketed) {
		host++;
		host_end = memchr(host, ']', (size_t)(end - host));
		port = host_end ? host_end + 1 : NULL;
	} else {
		host_end = memchr(host, ':', size);
		host_end = host_end ? host_end : end;
		port = host_end;
	}
	if (!host_end || host_end == host || (size_t)(host_end - host) >= sizeof(url->host))
		return error_set(err, EINVAL, "it names no host");
	memcpy(url->host, host, (size_t)(host_end - host));
	memcpy(url->authority, text, size);
	url->port = 80;
	if (port == end)
		return 0;
	value = *port == ':' && isdigit((unsigned char)port[1]) ? strtoul(port + 1, &number_end, 10)
								: 0;
	if (!value || value > 65535 || number_end != end)
		return error_set(err, EINVAL, "its port is not a number from 1 to 65535");
	url->port = (uint16_t)value;
	return 0;
}

int http_url_parse(const char *text, struct http_url *ret_url, struct jsnap_error *err)
{
	struct http_url url = {0};
	const char *authority = text + strlen("http://"), *path;
	bool bracketed = false;
	int rc;

	if (strncasecmp(text, "https://", 8) == 0)
		return error_set(err, EINVAL,
				 "URL '%s': https is not supported; use http or exec:CMD", text);
	if (strncasecmp(text, "http://", 7) != 0)
		return error_set(err, EINVAL, "URL '%s' does not begin with http://", text);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return error_set(err, EINVAL, "URL '%s' holds a blank or control character",
					 text);
	path = authority + strcspn(authority, "/?#");
	if ((size_t)(path - authority) >= sizeof(url.authority) || strlen(path) >= HTTP_MAX_URL - 2)
		return error_set(err, EINVAL, "URL '%.60s...' is too long", text);
	rc = split_authority(authority, (size_t)(path - authority), &url, &bracketed, err);
	if (rc == 0)
		rc = set_addresses(&url, bracketed, err);
	if (rc < 0)
		return error_context(err, "URL '%s'", text);
	snprintf(url.target, sizeof(url.target), "%s%.*s", *path == '/' ? "" : "/",
		 (int)strcspn(path, "#"), path);
	*ret_url = url;
	return 0;
}

enum phase { STATUS_LINE, FIELDS, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

static int bad(struct jsnap_error *err, const char *what)
{
	return error_set(err, EPROTO, "the answer is not HTTP: %s", what);
}

static int status_line(struct http_parser *p, struct jsnap_error *err)
{
	const char *l = p->line;

	if (strncmp(l, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)l[7]) || l[8] != ' ' ||
	    !isdigit((unsigned char)l[9]) || !isdigit((unsigned char)l[10]) ||
	    !isdigit((unsigned char)l[11]))
		return bad(err, "no status line");
	p->status = (l[9] - '0') * 100 + (l[10] - '0') * 10 + (l[11] - '0');
	p->body = HTTP_BODY_TO_EOF;
	p->phase = FIELDS;
	return 0;
}

static const char *field_value(const char *line, const char *name)
{
	size_t length = strlen(name);

	if (strncasecmp(line, name, length) != 0 || line[length] != ':')
		return NULL;
	return line + length + 1 + strspn(line + length + 1, " \t");
}

static int field_line(struct http_parser *p, struct jsnap_error *err)
{
	const char *value;
	char *end;

	value = field_value(p->line, "Transfer-Encoding");
	if (value && strcasestr(value, "chunked"))
		p->body = HTTP_BODY_CHUNKED; /* wins over a length, RFC 9112 section 6.3 */
	value = field_value(p->line, "Content-Length");
	if (!value || p->body == HTTP_BODY_CHUNKED)
		return 0;
	errno = 0;
	p->left = strtoull(value, &end, 10);
	if (errno || !isdigit((unsigned char)*value) || end[strspn(end, " \t")])
		return bad(err, "its Content-Length is not a number");
	p->body = HTTP_BODY_LENGTH;
	return 0;
}

static void fields_end(struct http_parser *p)
{
	if (p->status < 200 && p->status != 101) { /* 100 Continue: another head follows */
		p->phase = STATUS_LINE;
		p->status = 0;
		p->left = 0;
		return;
	}
	if (p->status == 101 || p->status == 204 || p->status == 304)
		p->body = HTTP_BODY_NONE;
	p->phase = p->body == HTTP_BODY_CHUNKED ? CHUNK_SIZE : BODY;
	p->done = p->body == HTTP_BODY_NONE || (p->body == HTTP_BODY_LENGTH && p->left == 0);
}

static int chunk_size_line(struct http_parser *p, struct jsnap_error *err)
{
	char *end;

	errno = 0;
	p->left = strtoull(p->line, &end, 16);
	if (errno || !isxdigit((unsigned char)p->line[0]) || (*end && !strchr("; \t", *end)))
		return bad(err, "a chunk's size is not a number");
	p->phase = p->left ? CHUNK_DATA : TRAILER;
	return 0;
}

static int line_end(struct http_parser *p, struct jsnap_error *err)
{
	int rc = 0;

	if (p->line_used && p->line[p->line_used - 1] == '\r')
		p->line_used--;
	p->line[p->line_used] = '\0';
	switch (p->phase) {
	case STATUS_LINE:
		rc = status_line(p, err);
		break;
	case FIELDS:
		if (p->line_used)
			rc = field_line(p, err);
		else
			fields_end(p);
		break;
	case CHUNK_SIZE:
		rc = chunk_size_line(p, err);
		break;
	case CHUNK_END:
		p->phase = CHUNK_SIZE;
		break;
	case TRAILER:
		p->done = p->line_used == 0;
		break;
	}
	p->line_used = 0;
	return rc;
}

static int feed_line(struct http_parser *p, char c, struct jsnap_error *err)
{
	if (p->phase != CHUNK_SIZE && p->phase != CHUNK_END && ++p->header > HTTP_MAX_HEADER)
		return bad(err, "its header is longer than 64 KiB");
	if (c == '\n')
		return line_end(p, err);
	if (p->line_used + 1 < sizeof(p->line))
		p->line[p->line_used++] = c;
	return 0;
}

/* Skips bytes of the body; how many. */
static size_t feed_body(struct http_parser *p, size_t size)
{
	size_t n = size;

	if (p->phase == BODY && p->body == HTTP_BODY_TO_EOF)
		return size;
	if (p->left < n)
		n = (size_t)p->left;
	p->left -= n;
	if (p->left == 0 && p->phase == CHUNK_DATA)
		p->phase = CHUNK_END;
	else if (p->left == 0)
		p->done = true;
	return n;
}

int http_parser_feed(struct http_parser *parser, const char *data, size_t size,
		     struct jsnap_error *err)
{
	size_t at = 0;

	while (at < size && !parser->done) {
		int rc;

		if (parser->phase == BODY || parser->phase == CHUNK_DATA) {
			at += feed_body(parser, size - at);
			continue;
		}
		rc = feed_line(parser, data[at++], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int http_parser_end(struct http_parser *parser, struct jsnap_error *err)
{
	if (parser->phase == BODY && parser->body == HTTP_BODY_TO_EOF)
		parser->done = true;
	if (parser->done)
		return 0;
	return error_set(err, ECONNRESET, "the server closed the connection %s",
			 parser->header ? "before its answer was whole" : "without an answer");
}
