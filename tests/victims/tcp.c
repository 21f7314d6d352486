/*
 * TCP connections in every state, by argv[2]: "ended" for a program that comes back (its peers are
 * taken for gone), "live" for one that is left running and must find every connection as it was.
 *
 * Both ends are this process's own. Each end is watched by an epoll set; threads are blocked in
 * what waits for data.
 */
#include "victim.h"

#include <fcntl.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define EVENTS 16

static bool live, filtered;
static int set = -1;

struct pair { /* made (outbound), accepted; and the listener */
	int out, in, listener;
	uint16_t port;
};

union name {
	struct sockaddr plain;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t loopback(union name *a, int family)
{
	memset(a, 0, sizeof(*a));
	a->plain.sa_family = (sa_family_t)family;
	if (family == AF_INET6)
		a->in6.sin6_addr = in6addr_loopback;
	else
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

static uint16_t port_of(int fd)
{
	union name a;
	socklen_t size = sizeof(a);

	EXPECT_EQ(getsockname(fd, &a.plain, &size), 0);
	return ntohs(a.in.sin_port);
}

static struct pair pair_of(int family)
{
	struct pair p = {.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	union name a;
	socklen_t size = loopback(&a, family);
	int on = 1;

	/* Else the remains of its connections keep the port taken for a minute, as at any restart.
	 */
	SETUP(setsockopt(p.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	SETUP(p.listener >= 0 && bind(p.listener, &a.plain, size) == 0 &&
	      listen(p.listener, 5) == 0 && getsockname(p.listener, &a.plain, &size) == 0);
	p.out = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SETUP(p.out >= 0 && connect(p.out, &a.plain, size) == 0);
	p.in = accept4(p.listener, NULL, NULL, SOCK_CLOEXEC);
	SETUP(p.in >= 0);
	p.port = port_of(p.out);
	return p;
}

static void watch(int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	SETUP(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static int events_of(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	EXPECT(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static int error_of(int fd)
{
	socklen_t size = sizeof(int);
	int error = -1;

	EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	return error;
}

static int option(int fd, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = -1;

	EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

/* Its end is there for the one who reads; the first write is taken, the reset makes the next fail.
 */
static void expect_ended(const char *what, int fd)
{
	char byte;

	if (!(events_of(fd) & POLLRDHUP) || recv(fd, &byte, 1, MSG_DONTWAIT) != 0)
		victim_fault(__FILE__, __LINE__, "%s: not ended: events %x", what, events_of(fd));
	EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	for (int i = 0; i < 1000 && !(events_of(fd) & POLLHUP); i++)
		victim_sleep_ms(1);
	EXPECT(send(fd, "x", 1, MSG_NOSIGNAL) < 0 && (errno == EPIPE || errno == ECONNRESET));
}

static void expect_talk(const char *what, int from, int to)
{
	char got[8] = {0};

	if (send(from, "there", 5, MSG_NOSIGNAL) != 5 || recv(to, got, 5, MSG_WAITALL) != 5 ||
	    memcmp(got, "there", 5) != 0)
		victim_fault(__FILE__, __LINE__, "%s: the connection is gone", what);
}

struct blocked {
	const char *name;
	struct pair p;
	long (*call)(struct blocked *b);
	atomic_long result;
	pthread_t thread;
};

static long block_read(struct blocked *b)
{
	char byte;

	return read(b->p.out, &byte, 1);
}

static long block_recv(struct blocked *b)
{
	char byte;

	return recv(b->p.in, &byte, 1, 0);
}

/* Interrupted ones with a time limit say EINTR instead of restarting (signal(7)). */
static long block_recv_limited(struct blocked *b)
{
	struct timeval limit = {.tv_sec = 100};
	char byte;

	SETUP(setsockopt(b->p.out, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	return recv(b->p.out, &byte, 1, 0);
}

static long block_poll(struct blocked *b)
{
	char byte;

	if (poll(&(struct pollfd){.fd = b->p.in, .events = POLLIN}, 1, -1) != 1)
		return -1;
	return read(b->p.in, &byte, 1);
}

static long block_epoll(struct blocked *b)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 77};
	int own = epoll_create1(EPOLL_CLOEXEC);
	char byte;

	SETUP(epoll_ctl(own, EPOLL_CTL_ADD, b->p.out, &event) == 0);
	memset(&event, 0, sizeof(event));
	if (epoll_wait(own, &event, 1, -1) != 1 || event.data.u64 != 77)
		return -1;
	return read(b->p.out, &byte, 1);
}

static struct blocked blocked[] = {
	{.name = "read", .call = block_read},
	{.name = "recv", .call = block_recv},
	{.name = "recv with a limit", .call = block_recv_limited},
	{.name = "poll", .call = block_poll},
	{.name = "epoll", .call = block_epoll},
};

static void *run_blocked(void *arg)
{
	struct blocked *b = arg;

	b->result = b->call(b);
	return NULL;
}

static void blocked_setup(void)
{
	for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
		blocked[i].p = pair_of(i % 2 ? AF_INET6 : AF_INET);
		blocked[i].result = -2;
		SETUP(pthread_create(&blocked[i].thread, NULL, run_blocked, &blocked[i]) == 0);
	}
}

static void blocked_check(void)
{
	for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
		struct blocked *b = &blocked[i];

		if (live) {
			EXPECT_EQ(b->result, -2);
			EXPECT_EQ(write(b->p.in, "x", 1), 1);
			EXPECT_EQ(write(b->p.out, "x", 1), 1);
		}
		pthread_join(b->thread, NULL);
		if (b->result != (live ? 1 : 0))
			victim_fault(__FILE__, __LINE__, "blocked in %s: it returned %ld", b->name,
				     (long)b->result);
	}
}

/* A listener whose queue is full answers no more: who connects stays in SYN_SENT. */
static int full_listener(union name *ret_name, socklen_t *ret_size, int fillers[4])
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct tcp_info info;
	socklen_t size = sizeof(info);
	int on = 1;

	SETUP(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	*ret_size = loopback(ret_name, AF_INET);
	SETUP(bind(listener, &ret_name->plain, *ret_size) == 0 && listen(listener, 0) == 0 &&
	      getsockname(listener, &ret_name->plain, ret_size) == 0);
	for (int i = 0; i < 4; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(fillers[i], &ret_name->plain, *ret_size);
	}
	victim_sleep_ms(20);
	SETUP(getsockopt(fillers[3], IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
	SETUP(info.tcpi_state == TCP_SYN_SENT);
	return listener;
}

static union name full_name;
static socklen_t full_size;
static atomic_long connect_result = -2;

static void *block_connect(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	connect_result = connect(fd, &full_name.plain, full_size) == 0 ? 0 : -errno;
	return NULL;
}

static void expect_set(uint64_t wanted_bits)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(set, events, EVENTS, 1000);
	uint64_t bits = 0;

	for (int i = 0; i < n; i++)
		bits |= events[i].data.u64;
	EXPECT_EQ(bits, wanted_bits);
}

int main(int argc, char **argv)
{
	struct pair plain, v6, out_data, in_data, in_closed, half, closed, both, reset, seen,
		shared, mapped;
	int fillers[4], full, fresh, bound, pending, on = 1, copy;
	struct linger hard = {.l_onoff = 1};
	char got[64] = {0};
	pthread_t connecting;
	union name a;
	socklen_t size;

	victim_init(argc, argv);
	SETUP(argc > 2);
	live = strcmp(argv[2], "live") == 0;
	filtered = strcmp(argv[2], "filtered") == 0;
	set = epoll_create1(EPOLL_CLOEXEC);

	plain = pair_of(AF_INET);
	watch(plain.out, EPOLLIN | EPOLLRDHUP, 1);
	watch(plain.in, EPOLLIN | EPOLLET, 2);
	SETUP(setsockopt(plain.out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	SETUP(setsockopt(plain.out, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	SETUP(fcntl(plain.out, F_SETFL, O_NONBLOCK) == 0);

	v6 = pair_of(AF_INET6);
	watch(v6.out, EPOLLIN | EPOLLONESHOT, 4);
	SETUP(setsockopt(v6.out, IPPROTO_IPV6, IPV6_TCLASS, &(int){8}, sizeof(int)) == 0);

	/* As Java makes them: an IPv6 socket for an IPv4 peer. */
	mapped = pair_of(AF_INET);
	close(mapped.out);
	close(mapped.in);
	mapped.out = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memset(&a, 0, sizeof(a));
	a.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
	a.in6.sin6_port = htons(port_of(mapped.listener));
	SETUP(inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.in6.sin6_addr) == 1);
	SETUP(connect(mapped.out, &a.plain, sizeof(a.in6)) == 0);
	mapped.in = accept4(mapped.listener, NULL, NULL, SOCK_CLOEXEC);
	mapped.port = port_of(mapped.out);

	out_data = pair_of(AF_INET);
	SETUP(send(out_data.in, "an answer", 9, 0) == 9);
	in_data = pair_of(AF_INET);
	SETUP(send(in_data.out, "a request", 9, 0) == 9);
	in_closed = pair_of(AF_INET);
	SETUP(send(in_closed.out, "a request", 9, 0) == 9 && close(in_closed.out) == 0);
	half = pair_of(AF_INET);
	SETUP(shutdown(half.out, SHUT_WR) == 0);
	closed = pair_of(AF_INET);
	SETUP(send(closed.in, "last words", 10, 0) == 10 && close(closed.in) == 0);
	both = pair_of(AF_INET);
	SETUP(shutdown(both.out, SHUT_WR) == 0 && close(both.in) == 0);
	reset = pair_of(AF_INET);
	SETUP(setsockopt(reset.in, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
	SETUP(close(reset.in) == 0);
	seen = pair_of(AF_INET);
	SETUP(setsockopt(seen.in, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
	SETUP(close(seen.in) == 0 && error_of(seen.out) == ECONNRESET);
	shared = pair_of(AF_INET);
	copy = dup(shared.out);

	full = full_listener(&full_name, &full_size, fillers);
	watch(fillers[3], EPOLLOUT, 8);
	SETUP(pthread_create(&connecting, NULL, block_connect, NULL) == 0);
	blocked_setup();
	/* Waiting to be accepted. */
	pending = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size = sizeof(a);
	SETUP(getsockname(plain.listener, &a.plain, &size) == 0);
	SETUP(connect(pending, &a.plain, size) == 0);
	fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size = loopback(&a, AF_INET);
	SETUP(bind(bound, &a.plain, size) == 0);
	size = sizeof(a);
	SETUP(getsockname(bound, &a.plain, &size) == 0);
	victim_sleep_ms(20);
	victim_ready();

	EXPECT_EQ(option(plain.out, IPPROTO_TCP, TCP_NODELAY), 1);
	EXPECT_EQ(option(plain.out, SOL_SOCKET, SO_KEEPALIVE), 1);
	EXPECT_EQ(fcntl(plain.out, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(option(v6.out, SOL_SOCKET, SO_DOMAIN), AF_INET6);
	EXPECT_EQ(option(v6.out, IPPROTO_IPV6, IPV6_TCLASS), 8);
	/* A port may be taken by the remains of the connection itself; hardly by all of them. */
	EXPECT(port_of(plain.out) == plain.port || port_of(v6.out) == v6.port ||
	       port_of(mapped.out) == mapped.port || half.port == port_of(half.out));
	size = sizeof(union name);
	EXPECT_EQ(getpeername(plain.out, &(union name){0}.plain, &size), 0);
	size = sizeof(union name);
	EXPECT_EQ(getpeername(v6.in, &(union name){0}.plain, &size), 0);
	EXPECT_EQ(recv(out_data.out, got, sizeof(got), MSG_DONTWAIT), live ? 9 : 0);
	/* Where descriptors can't be duplicated, what was not read is lost. */
	EXPECT_EQ(recv(closed.out, got, sizeof(got), MSG_DONTWAIT), filtered ? 0 : 10);
	EXPECT(filtered || memcmp(got, "last words", 10) == 0);
	expect_ended("closed by its peer", closed.out);
	EXPECT_EQ(recv(both.out, got, 1, MSG_DONTWAIT), 0);
	EXPECT(send(both.out, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	EXPECT(events_of(reset.out) & POLLERR);
	EXPECT_EQ(error_of(reset.out), ECONNRESET);
	EXPECT_EQ(recv(reset.out, got, 1, MSG_DONTWAIT), 0);
	EXPECT_EQ(error_of(seen.out), 0);
	EXPECT_EQ(recv(seen.out, got, 1, MSG_DONTWAIT), 0);
	EXPECT(send(seen.out, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	EXPECT_EQ(port_of(bound), ntohs(a.in.sin_port));
	EXPECT_EQ(events_of(fresh), POLLOUT | POLLHUP);
	size = loopback(&a, AF_INET);
	a.in.sin_port = htons(port_of(bound)); /* where nobody else can listen */
	EXPECT(connect(fresh, &a.plain, size) < 0 && errno == ECONNREFUSED);
	blocked_check();
	if (live) {
		EXPECT_EQ(epoll_wait(set, &(struct epoll_event){0}, 1, 0), 0);
		EXPECT_EQ(recv(in_data.in, got, sizeof(got), MSG_DONTWAIT), 9);
		EXPECT(shutdown(half.out, SHUT_WR) == 0 && recv(half.in, got, 1, 0) == 0);
		expect_talk("half closed", half.in, half.out);
		EXPECT_EQ(fcntl(plain.out, F_SETFL, 0), 0);
		expect_talk("IPv4", plain.out, plain.in);
		expect_talk("IPv6", v6.in, v6.out);
		expect_talk("mapped", mapped.out, mapped.in);
		expect_talk("shared", copy, shared.in);
		close(accept4(plain.listener, NULL, NULL, SOCK_CLOEXEC));
		EXPECT_EQ(recv(pending, got, 1, 0), 0);
		EXPECT_EQ(listen(full, 16), 0); /* room for all who still try */
		pthread_join(connecting, NULL);
		EXPECT_EQ(connect_result, 0);
		return victim_result();
	}
	expect_set(1 | 2 | 4 | 8);
	EXPECT_EQ(error_of(fillers[3]), ECONNRESET);
	EXPECT_EQ(recv(in_data.in, got, sizeof(got), MSG_DONTWAIT), 0);
	EXPECT_EQ(recv(in_closed.in, got, sizeof(got), MSG_DONTWAIT), 0);
	EXPECT(send(half.out, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	expect_ended("IPv4", plain.out);
	expect_ended("accepted", plain.in);
	expect_ended("IPv6", v6.out);
	expect_ended("IPv6 accepted", v6.in);
	expect_ended("mapped", mapped.out);
	expect_ended("shared", copy);
	EXPECT_EQ(events_of(shared.out) & POLLHUP, POLLHUP);
	expect_ended("waiting to be accepted", pending);
	EXPECT_EQ(events_of(plain.listener), 0);
	pthread_join(connecting, NULL);
	EXPECT_EQ(connect_result, 0);
	return victim_result();
}
