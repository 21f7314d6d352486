/*
 * Who comes in first: a client that connects as soon as the program is back must not be accepted
 * before the program has closed those of its own connections that have ended and that it watches.
 * By argv[2]:
 *
 *	epoll	a set waits for the listening socket
 *	accept	a thread waits in accept
 *	leader	the main thread does
 *	kept	as epoll, and what has ended is never closed: the client is accepted all the same
 *	slow	as epoll, and closing them takes a second and more, as on a crowded machine
 *	starved	as epoll, and the thread that closes them does not get to it for a while
 *	dead	as epoll, and it never gets to it: the client is accepted all the same
 *	changed	as epoll, and what the program sets for the listening socket meanwhile stays
 *
 * The thread that closes them takes its time for each. In a program that is left running nothing
 * has ended, and the connections go on.
 */
#include "victim.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define POOL	12
#define CHANGED 77 /* what an event of the listening socket then says */

static const char *kind;
static int closing = 5; /* ms for each */
static int door, door_set, pool_set, others, sign;
static struct sockaddr_in door_name, others_name;
static int pool[POOL], peers[POOL];
static atomic_int pool_open, told, at_accept = -1;
static atomic_int door_tid;
static atomic_bool over;

static int listener(struct sockaddr_in *name)
{
	socklen_t size = sizeof(*name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	*name = (struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	SETUP(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	SETUP(bind(fd, (struct sockaddr *)name, size) == 0 && listen(fd, 16) == 0);
	SETUP(getsockname(fd, (struct sockaddr *)name, &size) == 0);
	return fd;
}

static void set_door(uint32_t events, int says)
{
	struct epoll_event event = {.events = events, .data.fd = says};

	EXPECT_EQ(epoll_ctl(door_set, EPOLL_CTL_MOD, door, &event), 0);
}

/* Nobody else may have set anything by now: then the client may come in. */
static void check_changed(void)
{
	char path[64], line[256];
	unsigned int events = ~0u;
	unsigned long long says = 0;
	FILE *f;

	victim_sleep_ms(50);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", door_set);
	f = fopen(path, "re");
	SETUP(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "tfd: %*d events: %x data: %llx", &events, &says) == 2)
			break;
	fclose(f);
	EXPECT_EQ(events & ~(EPOLLERR | EPOLLHUP), 0);
	EXPECT_EQ(says, CHANGED);
	set_door(EPOLLIN, CHANGED);
}

static int connected(const struct sockaddr_in *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void watch(int set, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	SETUP(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
}

static bool ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLRDHUP);
}

/* As one that waits for a processor or a page: whoever has called vfork is in state D until its
 * child has ended. */
static void starve(void)
{
	const struct timespec time = {.tv_sec = *kind == 'd' ? 60 : 0, .tv_nsec = 700000000};
	pid_t child = vfork();

	if (child == 0) {
		syscall(SYS_nanosleep, &time, NULL);
		_exit(0);
	}
	SETUP(child > 0 && waitpid(child, NULL, 0) == child);
}

/* The program's own event loop: half of them are told as an edge, half as a level. */
static void *run_pool(void *arg)
{
	struct epoll_event event;
	char byte;

	while (pool_open > 0 && epoll_wait(pool_set, &event, 1, -1) == 1) {
		if (strcmp(kind, "changed") == 0 && pool_open == POOL)
			set_door(0, CHANGED);
		if (pool_open == POOL &&
		    (strcmp(kind, "starved") == 0 || strcmp(kind, "dead") == 0))
			starve();
		victim_sleep_ms(closing);
		EXPECT_EQ(recv(event.data.fd, &byte, 1, MSG_DONTWAIT), 0);
		told++;
		if (strcmp(kind, "kept") == 0)
			continue;
		pool_open--;
		close(event.data.fd);
	}
	if (strcmp(kind, "changed") == 0)
		check_changed();
	return arg;
}

static void accept_one(void)
{
	int fd = accept4(door, NULL, NULL, SOCK_CLOEXEC), expected = -1;

	EXPECT(fd >= 0);
	atomic_compare_exchange_strong(&at_accept, &expected, pool_open);
	EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	close(fd);
}

static void *run_door(void *arg)
{
	struct epoll_event event;

	door_tid = gettid();
	for (;;) {
		if (strcmp(kind, "accept") != 0) {
			EXPECT_EQ(epoll_wait(door_set, &event, 1, -1), 1);
			EXPECT_EQ(event.events, EPOLLIN);
			EXPECT_EQ(event.data.fd, strcmp(kind, "changed") == 0 ? CHANGED : door);
		}
		accept_one();
	}
	return arg;
}

/* A connection that ends with a snapshot, and nobody watches. */
static int watch_snapshots(void)
{
	int fd = connected(&others_name);

	SETUP(fd >= 0 && accept4(others, NULL, NULL, SOCK_CLOEXEC) >= 0);
	return fd;
}

/* From within, for nobody else knows so early. Whoever is in the middle of it when the next
 * snapshot comes begins anew. */
static void *run_client(void *arg)
{
	char byte = 0;
	int fd, again;
	ssize_t n;

	while (!over && !ended(sign))
		victim_sleep_ms(1);
	while (!over && byte != 'x') {
		again = watch_snapshots();
		fd = connected(&door_name);
		n = fd < 0 ? -1 : recv(fd, &byte, 1, 0);
		EXPECT(n == 1 || ended(again));
		close(fd);
		close(again);
	}
	return arg;
}

static void check_live(void)
{
	char byte;

	over = true;
	EXPECT_EQ(at_accept, -1);
	for (int i = 0; i < POOL; i++) {
		EXPECT_EQ(send(pool[i], "x", 1, MSG_NOSIGNAL), 1);
		EXPECT_EQ(recv(peers[i], &byte, 1, 0), 1);
	}
}

/* Only a thread that waits there is at a door. */
static void await_door(void)
{
	const long wanted = strcmp(kind, "accept") == 0 || strcmp(kind, "leader") == 0
				    ? SYS_accept4
				    : SYS_epoll_wait;
	char path[64];
	long nr = -1;

	while (nr != wanted) {
		FILE *f;

		victim_sleep_ms(1);
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)door_tid);
		f = fopen(path, "re");
		nr = -1;
		if (f && fscanf(f, "%ld", &nr) != 1)
			nr = -1;
		if (f)
			fclose(f);
	}
}

static void *run_protocol(void *arg)
{
	pthread_t client;

	SETUP(pthread_create(&client, NULL, run_client, NULL) == 0);
	await_door();
	victim_ready();
	if (!ended(sign))
		check_live();
	pthread_join(client, NULL);
	if (at_accept >= 0)
		EXPECT_EQ(at_accept, *kind == 'k' || *kind == 'd' ? POOL : 0);
	EXPECT(strcmp(kind, "kept") != 0 || at_accept < 0 || told == POOL);
	exit(victim_result());
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	victim_init(argc, argv);
	SETUP(argc > 2);
	kind = argv[2];
	if (strcmp(kind, "slow") == 0)
		closing = 120;
	pool_open = POOL;
	door = listener(&door_name);
	others = listener(&others_name);
	door_set = epoll_create1(EPOLL_CLOEXEC);
	pool_set = epoll_create1(EPOLL_CLOEXEC);
	sign = watch_snapshots();
	for (int i = 0; i < POOL; i++) {
		pool[i] = connected(&others_name);
		peers[i] = accept4(others, NULL, NULL, SOCK_CLOEXEC);
		SETUP(pool[i] >= 0 && peers[i] >= 0);
		watch(pool_set, pool[i],
		      EPOLLIN | EPOLLRDHUP | (i % 2 || *kind == 'k' ? EPOLLET : 0));
	}
	SETUP(pthread_create(&thread, NULL, run_pool, NULL) == 0);
	if (strcmp(kind, "leader") == 0) {
		door_tid = getpid();
		SETUP(pthread_create(&thread, NULL, run_protocol, NULL) == 0);
		for (;;)
			accept_one();
	}
	if (strcmp(kind, "accept") != 0)
		watch(door_set, door, EPOLLIN);
	SETUP(pthread_create(&thread, NULL, run_door, NULL) == 0);
	run_protocol(NULL);
}
