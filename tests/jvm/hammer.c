/*
 * Load: N connections that are kept open, each asking the same address again as soon as it has its
 * answer, for some seconds and until there is one, or until SIGTERM. Prints one line:
 *
 *	requests R failures F reconnects C per_second S p50_us A p99_us B max_us M
 *
 * A failure is an answer other than 200, or a connection that ends in the middle of one. A server
 * may end a connection between two requests (HTTP/1.1 allows that at any time): such a request is
 * made again on a new one, and counted as a reconnect. Before the first answer of all nobody needs
 * to listen.
 *
 * hammer PORT PATH CONNECTIONS SECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX (1u << 20) /* of one connection */

struct lane {
	pthread_t thread;
	int fd;
	char answer[65536];
	unsigned *samples; /* us */
	size_t count;
	long failures, reconnects;
	char why[128];
};

static int port;
static const char *path;
static double end;
static volatile sig_atomic_t stopped;
static atomic_bool answered;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int connect_lane(struct lane *l)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((unsigned short)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = 30};

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(l->fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return 0;
	snprintf(l->why, sizeof(l->why), "connect: %s", strerror(errno));
	close(l->fd);
	l->fd = -1;
	return -1;
}

/* Bytes of a complete answer, 0 while there is more to come. */
static size_t complete(const char *text, size_t total)
{
	const char *body = strstr(text, "\r\n\r\n"), *length;

	if (!body)
		return 0;
	body += 4;
	length = strcasestr(text, "\r\nContent-Length:");
	if (length && length < body) {
		size_t whole = (size_t)(body - text) + (size_t)atol(length + 17);

		return total >= whole ? whole : 0;
	}
	return total > 5 && strcmp(text + total - 5, "0\r\n\r\n") == 0 ? total : 0;
}

/* 1 answered; 0 the connection was over before anything of the answer came; -1 a failure. */
static int ask(struct lane *l)
{
	char request[512];
	int size = snprintf(request, sizeof(request),
			    "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", path, port);
	size_t total = 0;

	if (send(l->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
		return 0;
	for (;;) {
		ssize_t n = recv(l->fd, l->answer + total, sizeof(l->answer) - 1 - total, 0);

		if (n < 0 && errno == EINTR) /* SIGCONT, signal(7) */
			continue;
		if (n <= 0 && total == 0 && (n == 0 || errno == ECONNRESET || errno == EPIPE))
			return 0;
		if (n <= 0) {
			snprintf(l->why, sizeof(l->why), "in the middle of an answer: %s",
				 n < 0 ? strerror(errno) : "the end");
			return -1;
		}
		total += (size_t)n;
		l->answer[total] = '\0';
		if (complete(l->answer, total))
			break;
	}
	if (strncmp(l->answer, "HTTP/1.1 200", 12) == 0)
		return 1;
	snprintf(l->why, sizeof(l->why), "%.40s", l->answer);
	return -1;
}

static void *run_lane(void *arg)
{
	struct lane *l = arg;
	int retries = 0;

	while (!stopped && (now() < end || !answered)) {
		double start = now();
		int r;

		if (l->fd < 0 && connect_lane(l) < 0) {
			l->failures += answered;
			usleep(1000);
			continue;
		}
		r = ask(l);
		if (r == 1) {
			retries = 0;
			answered = 1;
			if (l->count < SAMPLES_MAX)
				l->samples[l->count++] = (unsigned)((now() - start) * 1e6);
			if (!strcasestr(l->answer, "\r\nConnection: close"))
				continue;
		} else if (r == 0 && retries++ == 0) {
			l->reconnects++;
		} else {
			l->failures++;
			if (r == 0)
				snprintf(l->why, sizeof(l->why), "a new connection was ended");
		}
		close(l->fd);
		l->fd = -1;
	}
	return NULL;
}

static void on_term(int sig)
{
	(void)sig;
	stopped = 1;
}

static int compare(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct lane *lanes;
	unsigned *all;
	size_t count = 0;
	long failures = 0, reconnects = 0;
	double start = now();
	int n;

	if (argc != 5) {
		fprintf(stderr, "usage: hammer PORT PATH CONNECTIONS SECONDS\n");
		return 2;
	}
	port = atoi(argv[1]);
	path = argv[2];
	n = atoi(argv[3]);
	end = start + atof(argv[4]);
	lanes = calloc((size_t)n, sizeof(*lanes));
	signal(SIGTERM, on_term);
	for (int i = 0; i < n; i++) {
		lanes[i].fd = -1;
		lanes[i].samples = malloc(SAMPLES_MAX * sizeof(unsigned));
		pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(lanes[i].thread, NULL);
		count += lanes[i].count;
		failures += lanes[i].failures;
		reconnects += lanes[i].reconnects;
		if (lanes[i].failures)
			fprintf(stderr, "connection %d: %ld failures, the last: %s\n", i,
				lanes[i].failures, lanes[i].why);
	}
	all = malloc((count + 1) * sizeof(*all));
	count = 0;
	for (int i = 0; i < n; i++) {
		memcpy(all + count, lanes[i].samples, lanes[i].count * sizeof(*all));
		count += lanes[i].count;
	}
	qsort(all, count, sizeof(*all), compare);
	printf("requests %zu failures %ld reconnects %ld per_second %.0f p50_us %u p99_us %u "
	       "max_us %u\n",
	       count, failures, reconnects, (double)count / (now() - start),
	       count ? all[count / 2] : 0, count ? all[count * 99 / 100] : 0,
	       count ? all[count - 1] : 0);
	return failures ? 1 : 0;
}
