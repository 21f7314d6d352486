/*
 * Time to first response: asks an HTTP address again and again, from before the program is started,
 * and prints when the first answer with status 200 was complete, as microseconds of the wall clock
 * (what bash has in EPOCHREALTIME). The answer's body goes to a file. Exits 1 after the deadline.
 *
 * probe PORT PATH BODY_FILE DEADLINE_SECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 300000 /* between attempts: the measure's resolution */

static char answer[1 << 20];

static long long wall_us(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* Has all of the answer come? Else the end of the connection tells. */
static int complete(size_t total)
{
	const char *body = strstr(answer, "\r\n\r\n");
	const char *length;

	if (!body)
		return 0;
	length = strcasestr(answer, "\r\nContent-Length:");
	if (length && length < body)
		return answer + total - (body + 4) >= atol(length + 17);
	return total > 5 && strcmp(answer + total - 5, "0\r\n\r\n") == 0;
}

/* One request over a connection of its own; the length of the answer or -1. */
static ssize_t ask(int port, const char *path)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = 20};
	char request[512];
	ssize_t total = -1, n;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length = snprintf(request, sizeof(request),
			      "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n",
			      path, port);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    send(fd, request, length, MSG_NOSIGNAL) == length) {
		total = 0;
		answer[0] = 0;
		while (total < (ssize_t)sizeof(answer) - 1 && !complete(total) &&
		       (n = read(fd, answer + total, sizeof(answer) - 1 - total)) > 0) {
			total += n;
			answer[total] = 0;
		}
	}
	close(fd);
	return total;
}

int main(int argc, char **argv)
{
	long long deadline;
	int status = 0;
	char *body;
	FILE *f;

	if (argc != 5) {
		fprintf(stderr, "usage: probe PORT PATH BODY_FILE DEADLINE_SECONDS\n");
		return 2;
	}
	deadline = wall_us() + atoll(argv[4]) * 1000000;
	while (ask(atoi(argv[1]), argv[2]) < 0 || sscanf(answer, "HTTP/1.%*d %d", &status) != 1 ||
	       status != 200) {
		if (wall_us() > deadline) {
			fprintf(stderr,
				"probe: no answer 200 from port %s in %s s (last status %d)\n",
				argv[1], argv[4], status);
			return 1;
		}
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
	}
	printf("%lld\n", wall_us());
	body = strstr(answer, "\r\n\r\n");
	f = fopen(argv[3], "we");
	if (!f || !body || fputs(body + 4, f) < 0 || fclose(f) != 0) {
		fprintf(stderr, "probe: %s: %s\n", argv[3], strerror(errno));
		return 1;
	}
	return 0;
}
