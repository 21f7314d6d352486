/*
 * Descriptors that lead to another process, by argv[2]: "ended" for a program that comes back,
 * where a rule says what becomes of them, "live" for one that is left running and must find them as
 * they were. The other process is no child: it echoes what it gets, and ends with this one.
 */
#include "victim.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static int from_pipe[2], to_pipe[2], stream[2], closed_stream[2], tcp[2];
static struct sockaddr_un log_name = {.sun_family = AF_UNIX};

static void echo(int in, int out)
{
	char bytes[64];
	ssize_t n = read(in, bytes, sizeof(bytes));

	if (n > 0 && write(out, bytes, (size_t)n) != n)
		_exit(1);
}

static void other(pid_t victim)
{
	int log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), ready;
	const int ends[] = {from_pipe[1], to_pipe[0], stream[1], closed_stream[1], tcp[1]};

	setsid(); /* else the victim's number stays taken, as that of a process group */
	for (int fd = 3; fd < 100; fd++) {
		bool ours = fd == log;

		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			ours |= fd == ends[i];
		if (!ours)
			close(fd);
	}
	if (bind(log, (struct sockaddr *)&log_name, sizeof(log_name)) < 0)
		_exit(1);
	ready = open(victim_path("other"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(ready);
	while (kill(victim, 0) == 0 || access(victim_path("stay"), F_OK) == 0) {
		struct pollfd p[] = {{.fd = to_pipe[0], .events = POLLIN},
				     {.fd = stream[1], .events = POLLIN},
				     {.fd = tcp[1], .events = POLLIN},
				     {.fd = log, .events = POLLIN}};
		char bytes[64];
		ssize_t n;

		if (poll(p, 4, 5) <= 0)
			continue;
		if (p[0].revents & POLLIN)
			echo(to_pipe[0], from_pipe[1]);
		if (p[1].revents & POLLIN)
			echo(stream[1], stream[1]);
		if (p[2].revents & POLLIN)
			echo(tcp[1], tcp[1]);
		n = p[3].revents & POLLIN ? recv(log, bytes, sizeof(bytes), 0) : 0;
		if (n > 0) {
			int fd = open(victim_path("logged"),
				      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

			if (write(fd, bytes, (size_t)n) != n)
				_exit(1);
			close(fd);
		}
		victim_sleep_ms(1);
	}
	_exit(0);
}

static void start_other(void)
{
	victim_stranger(other);
	close(from_pipe[1]);
	close(to_pipe[0]);
	close(stream[1]);
	close(closed_stream[1]);
	close(tcp[1]);
	while (access(victim_path("other"), F_OK) < 0)
		victim_sleep_ms(2);
}

static void connect_tcp(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	SETUP(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 1) == 0);
	SETUP(getsockname(listener, (struct sockaddr *)&a, &size) == 0);
	tcp[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SETUP(connect(tcp[0], (struct sockaddr *)&a, size) == 0);
	tcp[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	SETUP(tcp[1] >= 0 && close(listener) == 0);
}

static void expect_echo(const char *what, int to, int from)
{
	char got[8] = {0};

	if (write(to, "hello", 5) != 5 || read(from, got, 5) != 5 || strcmp(got, "hello") != 0)
		victim_fault(__FILE__, __LINE__, "%s: no echo", what);
}

/* A number that answers as a closed one, and is not given out again. */
static void expect_closed(const char *what, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int set = epoll_create1(EPOLL_CLOEXEC), next = dup(0);
	char byte;

	if (read(fd, &byte, 1) != -1 || errno != EBADF || write(fd, "x", 1) != -1 ||
	    errno != EBADF || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != -1 || next == fd ||
	    close(fd) < 0)
		victim_fault(__FILE__, __LINE__, "%s: fd %d is not as a closed one", what, fd);
	close(next);
	close(set);
}

static bool logged(const char *words)
{
	char text[64] = {0};
	int fd = open(victim_path("logged"), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	return strstr(text, words);
}

int main(int argc, char **argv)
{
	int log, closed_file, reopened, note, set, stay;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 5};
	char got[16] = {0};
	struct stat st;
	bool live;

	victim_init(argc, argv);
	SETUP(argc > 2);
	live = strcmp(argv[2], "live") == 0;
	signal(SIGPIPE, SIG_IGN);
	snprintf(log_name.sun_path, sizeof(log_name.sun_path), "%.100s", victim_path("log"));
	stay = open(victim_path("stay"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	SETUP(close(stay) == 0);
	SETUP(pipe2(from_pipe, O_CLOEXEC) == 0 && pipe2(to_pipe, O_CLOEXEC) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, closed_stream) == 0);
	SETUP(dup3(closed_stream[0], 90, O_CLOEXEC) == 90 && close(closed_stream[0]) == 0);
	closed_stream[0] = 90; /* its rule goes by the number */
	connect_tcp();
	start_other();
	log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	SETUP(connect(log, (struct sockaddr *)&log_name, sizeof(log_name)) == 0);
	set = epoll_create1(EPOLL_CLOEXEC);
	SETUP(epoll_ctl(set, EPOLL_CTL_ADD, stream[0], &event) == 0);
	event.data.u64 = 6;
	SETUP(epoll_ctl(set, EPOLL_CTL_ADD, tcp[0], &event) == 0);
	closed_file = victim_file("closed", 100);
	reopened = victim_file("reopened", 100);
	SETUP(lseek(reopened, 40, SEEK_SET) == 40);
	note = victim_file("note", 10);
	close(note);
	note = open(victim_path("note"), O_WRONLY | O_CLOEXEC);
	SETUP(lseek(note, 0, SEEK_END) == 10);
	victim_ready();

	EXPECT_EQ(send(log, "to the log", 10, 0), 10);
	for (int i = 0; i < 1000 && !logged("to the log"); i++)
		victim_sleep_ms(5);
	EXPECT(logged("to the log"));
	if (live) {
		expect_echo("pipes", to_pipe[1], from_pipe[0]);
		expect_echo("a Unix connection", stream[0], stream[0]);
		expect_echo("a TCP connection", tcp[0], tcp[0]);
		EXPECT_EQ(pread(closed_file, got, 10, 0), 10);
		SETUP(unlink(victim_path("stay")) == 0);
		return victim_result();
	}
	EXPECT_EQ(read(from_pipe[0], got, 1), 0);
	EXPECT(write(to_pipe[1], "x", 1) < 0 && errno == EPIPE);
	EXPECT_EQ(epoll_wait(set, &event, 1, 1000), 1);
	EXPECT_EQ(event.data.u64, 5);
	EXPECT_EQ(read(stream[0], got, 1), 0);
	EXPECT(send(stream[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	expect_closed("a TCP connection", tcp[0]);
	expect_closed("a Unix connection", closed_stream[0]);
	expect_closed("a file", closed_file);
	EXPECT_EQ(lseek(reopened, 0, SEEK_CUR), 40);
	EXPECT_EQ(write(note, "more", 4), 4);
	EXPECT(stat(victim_path("note"), &st) == 0);
	EXPECT_EQ(st.st_size, 14);
	SETUP(unlink(victim_path("stay")) == 0);
	return victim_result();
}
