/* The process of relay.h that passes output on. */
#include "launcher/warm/relay.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "launcher/supervise/fds.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

struct stream {
	int in, out;
	struct relay_lines *lines;
};

static void report(void *ctx, size_t pattern)
{
	unsigned char byte = (unsigned char)pattern;

	(void)write_full(*(int *)ctx, &byte, 1);
}

/* False when the stream is at its end, or nobody takes its output any more. */
static bool pass_on(struct stream *stream, int report_fd)
{
	char data[65536];
	ssize_t n = read(stream->in, data, sizeof(data));

	if (n < 0 && errno == EINTR)
		return true;
	/* What cannot be written (a full disk, a closed stdout) is lost, as it would be without us;
	 * the application learns only of a reader that has gone. */
	if (n <= 0 || write_full(stream->out, data, (size_t)n) == -EPIPE)
		return false;
	relay_lines_feed(stream->lines, data, (size_t)n, report, &report_fd);
	return true;
}

static _Noreturn void relay_main(struct stream streams[2], int report_fd)
{
	struct pollfd fds[2];

	while (streams[0].in >= 0 || streams[1].in >= 0) {
		for (int i = 0; i < 2; i++)
			fds[i] = (struct pollfd){.fd = streams[i].in, .events = POLLIN};
		if (poll(fds, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++) {
			if (!fds[i].revents || pass_on(&streams[i], report_fd))
				continue;
			/* Closing it makes the application see EPIPE, as it would without us. */
			close(streams[i].in);
			streams[i].in = -1;
		}
	}
	_exit(0);
}

static _Noreturn void become_relay(const int pipes[2][2], int report_fd,
				   const char *const *patterns, size_t n)
{
	int fds[] = {pipes[0][0], pipes[1][0], report_fd};
	struct stream streams[2];

	setpgid(0, 0);
	/* The control channel and the pipes' other ends must not live on in here. */
	fds_keep_only(fds, ARRAY_SIZE(fds));
	for (int i = 0; i < 2; i++) {
		streams[i] =
			(struct stream){.in = fds[i], .out = i ? STDERR_FILENO : STDOUT_FILENO};
		streams[i].lines = relay_lines_new(patterns, n, NULL);
		if (!streams[i].lines)
			_exit(1);
	}
	relay_main(streams, fds[2]);
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

int relay_start(struct supervise *s, const char *const *patterns, size_t n, struct relay *ret_relay,
		struct jsnap_error *err)
{
	struct relay_lines *check = relay_lines_new(patterns, n, err);
	int pipes[2][2], reports[2];
	pid_t pid;

	if (!check)
		return -EINVAL;
	relay_lines_free(check);
	if (pipe2(pipes[0], O_CLOEXEC) < 0)
		return error_errno(err, "create a pipe for the application's output");
	if (pipe2(pipes[1], O_CLOEXEC) < 0) {
		close_pair(pipes[0]);
		return error_errno(err, "create a pipe for the application's output");
	}
	if (pipe2(reports, O_CLOEXEC | O_NONBLOCK) < 0) {
		close_pair(pipes[0]);
		close_pair(pipes[1]);
		return error_errno(err, "create a pipe for the application's output");
	}
	pid = fork();
	if (pid == 0)
		become_relay(pipes, reports[1], patterns, n);
	close(pipes[0][0]);
	close(pipes[1][0]);
	close(reports[1]);
	*ret_relay = (struct relay){.pid = pid,
				    .report_fd = reports[0],
				    .stdout_fd = pipes[0][1],
				    .stderr_fd = pipes[1][1]};
	if (pid > 0) {
		ret_relay->helper = supervise_helper(s, pid);
		return 0;
	}
	relay_started(ret_relay);
	close(reports[0]);
	*ret_relay = (struct relay){0};
	return error_errno(err, "fork the reader of the application's output");
}

void relay_started(struct relay *relay)
{
	if (!relay->pid)
		return;
	close(steal_fd(&relay->stdout_fd));
	close(steal_fd(&relay->stderr_fd));
}

void relay_read(struct relay *relay)
{
	unsigned char bytes[RELAY_MAX_PATTERNS];
	ssize_t n = relay->pid && relay->report_fd >= 0
			    ? read(relay->report_fd, bytes, sizeof(bytes))
			    : -1;

	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] < RELAY_MAX_PATTERNS)
			relay->seen[bytes[i]] = true;
	if (n == 0)
		close(steal_fd(&relay->report_fd));
}

void relay_finish(struct relay *relay)
{
	struct pollfd fd = {.fd = -1, .events = POLLIN};
	uint64_t deadline = monotonic_ns() + 1000000000u;

	if (!relay->pid)
		return;
	fd.fd = relay->report_fd;
	/* The application is gone: there is nothing to supervise, and no signal to pass on. */
	while (fd.fd >= 0 && monotonic_ns() < deadline) {
		if (poll(&fd, 1, 50) > 0)
			relay_read(relay);
		fd.fd = relay->report_fd;
	}
	if (relay->report_fd >= 0)
		close(steal_fd(&relay->report_fd));
	supervise_forget(relay->helper);
	relay->pid = 0;
}
