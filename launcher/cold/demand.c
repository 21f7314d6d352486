/* See demand.h. */
#include "launcher/cold/demand.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/report/log.h"
#include "proc/status.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_MAX 4096u

static socklen_t address_of(uid_t uid, pid_t pid, struct sockaddr_un *ret_address)
{
	int n;

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(ret_address->sun_path + 1, sizeof(ret_address->sun_path) - 1, "jsnap/%u/%d",
		     (unsigned)uid, (int)pid);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

void demand_open(struct demand *demand)
{
	struct sockaddr_un address;
	socklen_t size = address_of(geteuid(), getpid(), &address);
	int fd;

	if (demand->listen_fd >= 0)
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 8) < 0) {
		log_debug("`jsnap checkpoint --pid` cannot reach this jsnap: %s", strerror(errno));
		close(fd);
		return;
	}
	demand->listen_fd = fd;
}

void demand_close(struct demand *demand)
{
	demand_answer(demand, false, "the program has ended");
	cleanup_close(&demand->listen_fd);
	demand->listen_fd = -1;
}

int demand_waits_for(const struct demand *demand)
{
	return demand->client_fd < 0 ? demand->listen_fd : -1;
}

static bool peer_of(int fd, struct ucred *ret_peer)
{
	socklen_t size = sizeof(*ret_peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &size) == 0;
}

bool demand_accept(struct demand *demand)
{
	int fd = accept4(demand->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer;

	if (fd < 0)
		return false;
	if (!peer_of(fd, &peer) || (peer.uid != geteuid() && peer.uid != 0)) {
		close(fd);
		return false;
	}
	demand->client_fd = fd;
	return true;
}

void demand_answer(struct demand *demand, bool ok, const char *words)
{
	char line[ANSWER_MAX];
	int n;

	if (demand->client_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s %s\n", ok ? "ok" : "error", words);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	/* It may have gone: nobody waits then. */
	(void)send(demand->client_fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(steal_fd(&demand->client_fd));
}

static int connect_to(pid_t pid, uid_t uid, int *ret_fd)
{
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t size = address_of(uid, pid, &address);
	struct ucred peer;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0)
		return -errno;
	if (!peer_of(fd, &peer) || peer.uid != uid)
		return -EPERM;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* To the jsnap with this PID, else to the one whose child it is. */
static int connect_near(pid_t pid, int *ret_fd, struct jsnap_error *err)
{
	struct proc_status status = {0};
	int rc = proc_status_read(pid, 0, &status, err);

	if (rc < 0)
		return rc;
	rc = connect_to(pid, status.uid[1], ret_fd);
	if (rc == -ECONNREFUSED && status.ppid > 0)
		rc = connect_to(status.ppid, status.uid[1], ret_fd);
	if (rc == 0)
		return 0;
	error_set(err, -rc, "no jsnap answers for process %d: %s", (int)pid, strerror(-rc));
	return error_hint(err,
			  "it takes a program that `jsnap run` started or restored, of the same "
			  "user and in the same network namespace; not while its first snapshot is "
			  "being prepared, nor while a hook runs after a restore");
}

static int read_answer(int fd, uint64_t timeout_ns, char *ret_line, size_t size)
{
	uint64_t deadline = timeout_ns ? monotonic_ns() + timeout_ns : 0;
	size_t used = 0;

	for (;;) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};
		uint64_t now = monotonic_ns();
		int left = deadline ? (int)((deadline > now ? deadline - now : 0) / 1000000) : -1;
		ssize_t n;

		if (poll(&pollfd, 1, left) == 0)
			return -ETIMEDOUT;
		n = read(fd, ret_line + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	ret_line[used] = '\0';
	ret_line[strcspn(ret_line, "\n")] = '\0';
	return used ? 0 : -ECONNRESET;
}

int demand_snapshot(pid_t pid, uint64_t timeout_ns, int *ret_status, struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = -1;
	char line[ANSWER_MAX];
	int rc = connect_near(pid, &fd, err);

	if (rc < 0)
		return rc;
	rc = read_answer(fd, timeout_ns, line, sizeof(line));
	if (rc < 0)
		return error_set(err, -rc, "the jsnap of process %d gave no answer: %s", (int)pid,
				 strerror(-rc));
	if (strncmp(line, "ok ", 3) != 0)
		return error_set(err, EREMOTEIO, "no snapshot of process %d: %s", (int)pid,
				 strncmp(line, "error ", 6) == 0 ? line + 6 : line);
	log_info("snapshot of process %d is in %s", (int)pid, line + 3);
	*ret_status = 0;
	return 0;
}
