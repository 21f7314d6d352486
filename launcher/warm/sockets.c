/* See sockets.h. */
#include "launcher/warm/sockets.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <string.h>

void tcp_sockets_free(struct tcp_sockets *sockets)
{
	free(sockets->sockets);
	memset(sockets, 0, sizeof(*sockets));
}

static int compare_inodes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int append(struct tcp_sockets *list, const struct tcp_socket *socket,
		  struct jsnap_error *err)
{
	if (list->count == SOCKETS_MAX)
		return error_set(err, E2BIG, "the process has more than %u sockets", SOCKETS_MAX);
	if ((list->count & (list->count - 1)) == 0) {
		struct tcp_socket *grown = reallocarray(
			list->sockets, list->count ? list->count * 2 : 1, sizeof(*grown));

		if (!grown)
			return error_set(err, ENOMEM, "no memory for the list of sockets");
		list->sockets = grown;
	}
	list->sockets[list->count++] = *socket;
	return 0;
}

/* "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 12345 ..."
 */
static bool parse_line(const char *line, struct tcp_socket *ret_socket)
{
	unsigned local, remote, state;
	uint64_t inode;

	if (sscanf(line,
		   " %*u: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%4x %2x %*x:%*x %*x:%*x %*x %*u %*u "
		   "%" SCNu64,
		   &local, &remote, &state, &inode) != 4)
		return false;
	*ret_socket = (struct tcp_socket){.inode = inode,
					  .local_port = (uint16_t)local,
					  .remote_port = (uint16_t)remote,
					  .state = (uint8_t)state};
	return true;
}

int tcp_sockets_parse(const char *text, const uint64_t *inodes, size_t n_inodes,
		      struct tcp_sockets *sockets, struct jsnap_error *err)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		struct tcp_socket socket;
		int rc;

		line += *line == '\n';
		if (!parse_line(line, &socket))
			continue;
		if (inodes &&
		    !bsearch(&socket.inode, inodes, n_inodes, sizeof(*inodes), compare_inodes))
			continue;
		rc = append(sockets, &socket, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_inodes(pid_t pid, uint64_t **ret_inodes, size_t *ret_count, struct jsnap_error *err)
{
	CLEANUP_FREE uint64_t *inodes = calloc(SOCKETS_MAX, sizeof(*inodes));
	CLEANUP_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	char path[64];
	size_t count = 0;

	if (!inodes)
		return error_set(err, ENOMEM, "no memory for the list of sockets");
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return error_errno(err, "open %s", path);
	while (count < SOCKETS_MAX && (entry = readdir(dir))) {
		char link[64];
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (n < 0)
			continue;
		link[n] = '\0';
		if (sscanf(link, "socket:[%" SCNu64 "]", &inodes[count]) == 1)
			count++;
	}
	qsort(inodes, count, sizeof(*inodes), compare_inodes);
	*ret_inodes = STEAL_PTR(inodes);
	*ret_count = count;
	return 0;
}

int tcp_sockets_read(pid_t pid, struct tcp_sockets *ret_sockets, struct jsnap_error *err)
{
	static const char *const tables[] = {"tcp", "tcp6"};
	CLEANUP_TCP_SOCKETS struct tcp_sockets sockets = {0};
	CLEANUP_FREE uint64_t *inodes = NULL;
	size_t n_inodes = 0;
	int rc = read_inodes(pid, &inodes, &n_inodes, err);

	for (size_t i = 0; rc == 0 && n_inodes && i < ARRAY_SIZE(tables); i++) {
		CLEANUP_FREE char *text = NULL;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, tables[i]);
		rc = read_file(path, SOCKETS_MAX_TABLE, &text, NULL);
		if (rc == -ENOENT) { /* no IPv6 */
			rc = 0;
			continue;
		}
		if (rc < 0)
			return error_set(err, -rc, "read %s: %s", path, strerror(-rc));
		rc = tcp_sockets_parse(text, inodes, n_inodes, &sockets, err);
	}
	if (rc < 0)
		return rc;
	*ret_sockets = sockets;
	sockets = (struct tcp_sockets){0};
	return 0;
}

bool tcp_sockets_listen(const struct tcp_sockets *sockets, uint16_t port)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->sockets[i].state == TCP_LISTEN &&
		    (port == 0 || sockets->sockets[i].local_port == port))
			return true;
	return false;
}

bool tcp_sockets_serve(const struct tcp_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->sockets[i].state == TCP_ESTABLISHED &&
		    tcp_sockets_listen(sockets, sockets->sockets[i].local_port))
			return true;
	return false;
}
