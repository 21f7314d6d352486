/* The first response of a server: seen when data has gone out, not before; seen also afterwards. */
#include "launcher/restore/first_response.h"

#include "base/cleanup.h"
#include "check.h"

#include <netinet/in.h>
#include <sys/socket.h>

static uint16_t listen_somewhere(int *ret_fd)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(*ret_fd >= 0 && bind(*ret_fd, (void *)&address, sizeof(address)) == 0);
	CHECK(listen(*ret_fd, 4) == 0 && getsockname(*ret_fd, (void *)&address, &size) == 0);
	return ntohs(address.sin_port);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && connect(fd, (void *)&address, sizeof(address)) == 0);
	return fd;
}

int main(void)
{
	CLEANUP_CLOSE int server = -1, client = -1, accepted = -1, other = -1;
	struct first_response watch = {.fd = -1, .n_ports = 1};
	struct first_response later = {.fd = -1, .n_ports = 1};
	struct jsnap_error err = {0};
	char byte = 'x';

	watch.ports[0] = later.ports[0] = listen_somewhere(&server);
	listen_somewhere(&other);
	if (first_response_begin(&watch, &err) < 0) {
		fprintf(stderr, "skipped: %s\n", err.text);
		return 77;
	}
	CHECK_EQ(first_response_begin(&later, &err), 0);
	CHECK_EQ(first_response_seen(&watch), 0);
	client = connect_to(watch.ports[0]);
	accepted = accept(server, NULL, NULL);
	CHECK(accepted >= 0);
	CHECK_EQ(first_response_seen(&watch), 0);
	CHECK_EQ(send(client, &byte, 1, 0), 1); /* a request is no response */
	CHECK_EQ(recv(accepted, &byte, 1, 0), 1);
	CHECK_EQ(first_response_seen(&watch), 0);
	CHECK_EQ(send(accepted, &byte, 1, 0), 1);
	CHECK_EQ(first_response_seen(&watch), 1);
	CHECK_EQ(recv(client, &byte, 1, 0), 1);
	/* All over before anybody looked: its trace stays for a while. */
	close(steal_fd(&accepted));
	while (recv(client, &byte, 1, 0) > 0)
		;
	close(steal_fd(&client));
	CHECK_EQ(first_response_seen(&later), 1);
	first_response_end(&watch);
	first_response_end(&later);
	CHECK_EQ(watch.fd, -1);
	return 0;
}
