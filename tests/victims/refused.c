/*
 * What jsnap does not carry, one kind by argv[2]: it must say so, naming it, before anything is
 * harmed, and this process must find its object as it was.
 */
#include "refused.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t child = -1;
static int fds[2] = {-1, -1};
static char *shared;

static void child_setup(void)
{
	child = fork();
	SETUP(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
}

static void child_check(void)
{
	int status = 0;

	EXPECT_EQ(waitpid(child, &status, WNOHANG), 0);
	EXPECT_EQ(kill(child, SIGTERM), 0);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

static void zombie_setup(void)
{
	siginfo_t info;

	child = fork();
	if (child == 0)
		_exit(9);
	SETUP(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
}

static void zombie_check(void)
{
	int status = 0;

	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 9);
}

/* A child traces us, as a debugger would: it is a tracer, and the one refused first may be either.
 */
static void tracer_setup(void)
{
	pid_t target = getpid();
	int ready[2];
	char byte;

	SETUP(pipe(ready) == 0);
	child = fork();
	SETUP(child >= 0);
	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild > 0)
			_exit(0); /* no child of the target's */
		if (ptrace(PTRACE_SEIZE, target, 0, 0) < 0)
			byte = 'n';
		else
			byte = 'y';
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		close(ready[1]);
		/* Ends with the target, whose descriptors it holds none of. */
		while (kill(target, 0) == 0) {
			int status;

			if (waitpid(target, &status, __WALL | WNOHANG) == target &&
			    WIFSTOPPED(status))
				ptrace(PTRACE_CONT, target, 0, status >> 16 ? 0 : WSTOPSIG(status));
			victim_sleep_ms(5);
		}
		_exit(0);
	}
	SETUP(waitpid(child, NULL, 0) == child);
	SETUP(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	if (byte != 'y')
		victim_skip("ptrace of a parent is not allowed here");
}

static void nothing(void)
{
}

static void uring_setup(void)
{
	unsigned char params[120] = {0};

	fds[0] = syscall(SYS_io_uring_setup, 4, params);
	if (fds[0] < 0)
		victim_skip("io_uring_setup: %s", strerror(errno));
}

static void uring_check(void)
{
	EXPECT(fcntl(fds[0], F_GETFD) >= 0);
}

static void connection_setup(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);

	SETUP(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
	SETUP(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	SETUP(connect(fds[0], (struct sockaddr *)&address, size) == 0);
	fds[1] = accept(listener, NULL, NULL);
	SETUP(fds[1] >= 0 && close(listener) == 0);
}

static void connection_check(void)
{
	char got[8] = {0};

	EXPECT_EQ(write(fds[0], "there", 5), 5);
	EXPECT_EQ(read(fds[1], got, 5), 5);
	EXPECT_STR(got, "there");
	EXPECT_EQ(write(fds[1], "back", 4), 4);
	EXPECT_EQ(read(fds[0], got, 8), 4);
}

static void shm_setup(void)
{
	int id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);

	if (id < 0)
		victim_skip("shmget: %s", strerror(errno));
	shared = shmat(id, NULL, 0);
	SETUP(shmctl(id, IPC_RMID, NULL) == 0 && shared != (void *)-1);
	victim_fill(shared, 8192);
}

static void shm_check(void)
{
	victim_expect_filled("System V segment", shared, 8192);
}

static void netlink_setup(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};

	fds[0] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	SETUP(fds[0] >= 0 && bind(fds[0], (struct sockaddr *)&address, sizeof(address)) == 0);
}

static void vsock_setup(void)
{
	fds[0] = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fds[0] < 0)
		victim_lacks("sockets to virtual machines: %s", strerror(errno));
}

static void vsock_check(void)
{
	int family = 0;
	socklen_t size = sizeof(family);

	EXPECT_EQ(getsockopt(fds[0], SOL_SOCKET, SO_DOMAIN, &family, &size), 0);
	EXPECT_EQ(family, AF_VSOCK);
}

static void netlink_check(void)
{
	struct sockaddr_nl address;
	socklen_t size = sizeof(address);

	EXPECT_EQ(getsockname(fds[0], (struct sockaddr *)&address, &size), 0);
	EXPECT(address.nl_pid != 0);
}

/* A descriptor on its way in a queue, behind a message without one. */
static void pass(int type)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS}};
	char with[] = "with";
	struct iovec iov = {with, 4};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	SETUP(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0 && null >= 0);
	memcpy(CMSG_DATA(&control.head), &null, sizeof(null));
	SETUP(send(fds[0], "none", 4, 0) == 4);
	SETUP(sendmsg(fds[0], &msg, 0) == 4 && close(null) == 0);
}

static void passed_setup(void)
{
	pass(SOCK_STREAM);
}

static void passed_packet_setup(void)
{
	pass(SOCK_SEQPACKET);
}

static void passed_check(void)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = {0};
	char got[4];
	struct iovec iov = {got, sizeof(got)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	int free_number = dup(0), off = 0, received;
	socklen_t size = sizeof(off);

	EXPECT(free_number > 0 && close(free_number) == 0);
	EXPECT_EQ(getsockopt(fds[1], SOL_SOCKET, SO_PEEK_OFF, &off, &size), 0);
	EXPECT_EQ(off, -1);
	EXPECT_EQ(recv(fds[1], got, 4, MSG_DONTWAIT), 4);
	EXPECT_EQ(recvmsg(fds[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 4);
	EXPECT(memcmp(got, "with", 4) == 0);
	memcpy(&received, CMSG_DATA(&control.head), sizeof(received));
	/* Looking at the queue left no copy of it here. */
	EXPECT_EQ(received, free_number);
}

static void bound_dgram(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", victim_path("bound"));
	fds[0] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[1] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	SETUP(bind(fds[0], (struct sockaddr *)&address, sizeof(address)) == 0);
	SETUP(connect(fds[1], (struct sockaddr *)&address, sizeof(address)) == 0);
}

static void one_way_check(void)
{
	char got[8];

	EXPECT_EQ(send(fds[1], "there", 5, 0), 5);
	EXPECT_EQ(recv(fds[0], got, sizeof(got), MSG_DONTWAIT), 5);
}

static void unconnected_setup(void)
{
	bound_dgram();
	SETUP(send(fds[1], "there", 5, 0) == 5 && close(fds[1]) == 0);
}

static void unconnected_check(void)
{
	char got[8];

	EXPECT_EQ(recv(fds[0], got, sizeof(got), MSG_DONTWAIT), 5);
}

/* A peer that closes without having read all resets the connection. */
static void socket_error_setup(void)
{
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	SETUP(write(fds[0], "unread", 6) == 6 && close(fds[1]) == 0);
}

static void socket_error_check(void)
{
	char byte;

	EXPECT(read(fds[0], &byte, 1) < 0 && errno == ECONNRESET);
}

static void inotify_unread_setup(void)
{
	fds[0] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	SETUP(mkdir(victim_path("watched"), 0700) == 0);
	SETUP(inotify_add_watch(fds[0], victim_path("watched"), IN_CREATE) == 1);
	SETUP(mkdir(victim_path("watched/new"), 0700) == 0);
}

static void expect_event(uint32_t mask)
{
	char buffer[sizeof(struct inotify_event) + 16] __attribute__((aligned(8)));
	const struct inotify_event *event = (void *)buffer;

	EXPECT(read(fds[0], buffer, sizeof(buffer)) >= (ssize_t)sizeof(*event));
	EXPECT_EQ(event->mask, mask);
}

static void inotify_unread_check(void)
{
	expect_event(IN_CREATE | IN_ISDIR);
}

/* A file that was removed while it is open is watched on, but has no name. */
static void inotify_unnamed_setup(void)
{
	fds[0] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	fds[1] = victim_file("gone", 100);
	SETUP(inotify_add_watch(fds[0], victim_path("gone"), IN_MODIFY) == 1);
	SETUP(unlink(victim_path("gone")) == 0);
}

static void inotify_unnamed_check(void)
{
	EXPECT_EQ(write(fds[1], "x", 1), 1);
	expect_event(IN_MODIFY);
}

static void urgent_setup(void)
{
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	SETUP(send(fds[0], "ab", 2, 0) == 2);
	if (send(fds[0], "X", 1, MSG_OOB) != 1)
		victim_lacks("no urgent bytes of Unix sockets: %s", strerror(errno));
	SETUP(send(fds[0], "cd", 2, 0) == 2);
}

static void urgent_check(void)
{
	char got = 0;

	EXPECT_EQ(recv(fds[1], &got, 1, MSG_OOB | MSG_DONTWAIT), 1);
	EXPECT_EQ(got, 'X');
}

static void filter_setup(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
	struct sock_fprog program = {.len = 1, .filter = &all};

	fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	SETUP(setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0);
}

static void filter_check(void)
{
	int none = 0;

	EXPECT_EQ(setsockopt(fds[0], SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)), 0);
}

static struct sockaddr_un unaccepted_at;

static void unaccepted_setup(void)
{
	unaccepted_at.sun_family = AF_UNIX;
	snprintf(unaccepted_at.sun_path, sizeof(unaccepted_at.sun_path), "%s", victim_path("own"));
	fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SETUP(bind(fds[0], (struct sockaddr *)&unaccepted_at, sizeof(unaccepted_at)) == 0);
	SETUP(listen(fds[0], 5) == 0);
	SETUP(connect(fds[1], (struct sockaddr *)&unaccepted_at, sizeof(unaccepted_at)) == 0);
	SETUP(write(fds[1], "hello", 5) == 5);
}

static void unaccepted_check(void)
{
	int server = accept4(fds[0], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	char got[8] = {0};

	EXPECT_EQ(read(server, got, 5), 5);
	EXPECT_STR(got, "hello");
}

/* Where it was bound nobody can find out. */
static void relative_gone_setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "relative"};

	SETUP(chdir(victim_path(".")) == 0);
	fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SETUP(bind(fds[0], (struct sockaddr *)&address, sizeof(address)) == 0);
	SETUP(listen(fds[0], 5) == 0 && chdir("/") == 0);
}

static void relative_gone_check(void)
{
	EXPECT_EQ(access(victim_path("relative"), F_OK), 0);
}

static const struct refused_kind kinds[] = {
	{"child", child_setup, child_check},
	{"zombie", zombie_setup, zombie_check},
	{"tracer", tracer_setup, nothing},
	{"io_uring", uring_setup, uring_check},
	{"connection", connection_setup, connection_check},
	{"shm", shm_setup, shm_check},
	{"netlink", netlink_setup, netlink_check},
	{"vsock", vsock_setup, vsock_check},
	{"inotify_unread", inotify_unread_setup, inotify_unread_check},
	{"inotify_unnamed", inotify_unnamed_setup, inotify_unnamed_check},
	{"passed", passed_setup, passed_check},
	{"passed_packet", passed_packet_setup, passed_check},
	{"one_way", bound_dgram, one_way_check},
	{"unconnected", unconnected_setup, unconnected_check},
	{"socket_error", socket_error_setup, socket_error_check},
	{"filter", filter_setup, filter_check},
	{"urgent", urgent_setup, urgent_check},
	{"unaccepted", unaccepted_setup, unaccepted_check},
	{"relative_gone", relative_gone_setup, relative_gone_check},
	{0},
};

static const struct refused_kind *find(const struct refused_kind *kind, const char *name)
{
	while (kind->name && strcmp(kind->name, name) != 0)
		kind++;
	return kind->name ? kind : NULL;
}

int main(int argc, char **argv)
{
	const struct refused_kind *kind;

	victim_init(argc, argv);
	SETUP(argc > 2);
	kind = find(kinds, argv[2]);
	if (!kind)
		kind = find(refused_files, argv[2]);
	if (!kind)
		kind = find(refused_states, argv[2]);
	SETUP(kind);
	kind->setup();
	victim_ready();
	kind->check();
	return victim_result();
}
