/* See host_name.h. */
#include "launcher/warm/host_name.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/supervise/fds.h"

#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct answer { /* what crosses the pipe, whole (PIPE_BUF) */
	size_t count;
	struct http_address addresses[HTTP_MAX_ADDRESSES];
	char failure[128];
};

static void ask_name_service(const struct http_url *url, struct answer *answer)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	char port[8];
	int rc;

	snprintf(port, sizeof(port), "%u", url->port);
	rc = getaddrinfo(url->host, port, &hints, &found);
	if (rc)
		snprintf(answer->failure, sizeof(answer->failure), "%s",
			 rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	for (; rc == 0 && found && answer->count < HTTP_MAX_ADDRESSES; found = found->ai_next) {
		struct http_address *a = &answer->addresses[answer->count];

		if (found->ai_addrlen > sizeof(a->in6))
			continue;
		memcpy(&a->any, found->ai_addr, found->ai_addrlen);
		a->size = found->ai_addrlen;
		answer->count++;
	}
}

_Noreturn static void become_asker(const struct supervise *s, const struct http_url *url, int fd)
{
	struct answer answer = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	supervise_reset_signals(s);
	fds_keep_only(&fd, 1);
	ask_name_service(url, &answer);
	_exit(write_full(fd, &answer, sizeof(answer)) < 0);
}

/* Until the asker has written its answer or is gone. */
static int await(struct supervise *s, int fd, struct http_url *url, uint64_t deadline_ns,
		 struct jsnap_error *err)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct answer answer;
	int rc;

	while ((rc = supervise_wait(s, &wait, 1, deadline_ns)) > 0 && !wait.revents)
		;
	if (rc < 0)
		return supervise_explain(s, rc, err);
	if (rc == 0)
		return error_set(err, EHOSTUNREACH, "no answer about the host '%s' in time",
				 url->host);
	if (read_full(fd, &answer, sizeof(answer)) < 0)
		return error_set(err, EHOSTUNREACH, "the look-up of the host '%s' broke off",
				 url->host);
	if (answer.count == 0)
		return error_set(err, EHOSTUNREACH, "look up the host '%s': %s", url->host,
				 answer.failure);
	memcpy(url->addresses, answer.addresses, sizeof(url->addresses));
	url->n_addresses = answer.count;
	return 0;
}

int host_name_look_up(struct supervise *s, struct http_url *url, uint64_t deadline_ns,
		      struct jsnap_error *err)
{
	CLEANUP_CLOSE int fd = -1;
	struct supervise_helper *helper;
	int fds[2], rc;
	pid_t pid;

	if (url->n_addresses)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "create a pipe");
	fd = fds[0];
	pid = fork();
	if (pid == 0)
		become_asker(s, url, fds[1]);
	close(fds[1]);
	if (pid < 0)
		return error_errno(err, "fork a process that looks up a host");
	helper = supervise_helper(s, pid);
	rc = helper ? await(s, fd, url, deadline_ns, err)
		    : error_set(err, EAGAIN, "too many commands at once");
	if (!(helper && helper->ended)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	supervise_forget(helper);
	return rc;
}
