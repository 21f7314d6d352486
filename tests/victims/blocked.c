/*
 * A thread inside a system call of the kind named by argv[2]. The call must go on as if nothing had
 * happened: it returns once, with the right result, never EINTR, and no wait ends before its time.
 *
 * signal(7): epoll_wait and sigwaitinfo fail with EINTR after SIGSTOP and SIGCONT even without a
 * handler, so with the runner's --stop these kinds fail by the kernel's own doing.
 */
#include "victim.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SLEEP_NS INT64_C(2500000000)

static const struct kind *kind;
static int pair[2] = {-1, -1}, listener = -1;
static struct sockaddr_in address;
static _Atomic uint32_t word;
static atomic_int entered, returned;
static long result;
static int error;
static int64_t took;
static pid_t blocked_tid;

struct kind {
	const char *name;
	long (*block)(void);
	void (*wake)(void); /* NULL: the call ends by itself after SLEEP_NS */
	long expected;
	int expected_errno;
};

static struct timespec in(clockid_t clock, int64_t ns)
{
	int64_t at = (clock < 0 ? 0 : victim_now(clock)) + ns;

	return (struct timespec){at / 1000000000, at % 1000000000};
}

static long futex(int op, const struct timespec *ts)
{
	return syscall(SYS_futex, &word, op, 0, ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

static long futex_forever(void)
{
	return futex(FUTEX_WAIT_PRIVATE, NULL);
}

static long futex_shared(void)
{
	return futex(FUTEX_WAIT, NULL);
}

static long futex_relative(void)
{
	struct timespec ts = in(-1, SLEEP_NS);

	return futex(FUTEX_WAIT_PRIVATE, &ts);
}

static long futex_absolute(void)
{
	struct timespec ts = in(CLOCK_MONOTONIC, SLEEP_NS);

	return futex(FUTEX_WAIT_BITSET_PRIVATE, &ts);
}

static long futex_realtime(void)
{
	struct timespec ts = in(CLOCK_REALTIME, SLEEP_NS);

	return futex(FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, &ts);
}

static long futex_woken_before_deadline(void)
{
	struct timespec ts = in(CLOCK_MONOTONIC, 1000 * SLEEP_NS);

	return futex(FUTEX_WAIT_BITSET_PRIVATE, &ts);
}

static void futex_wake(void)
{
	word = 1;
	syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static long sleep_relative(void)
{
	struct timespec ts = in(-1, SLEEP_NS);

	return nanosleep(&ts, NULL);
}

static long sleep_absolute(void)
{
	struct timespec ts = in(CLOCK_MONOTONIC, SLEEP_NS);

	return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static long poll_forever(void)
{
	return poll(&(struct pollfd){.fd = pair[0], .events = POLLIN}, 1, -1);
}

static long poll_timeout(void)
{
	return poll(&(struct pollfd){.fd = pair[0], .events = POLLIN}, 1, SLEEP_NS / 1000000);
}

static long select_forever(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pair[0], &set);
	return select(pair[0] + 1, &set, NULL, NULL, NULL);
}

static long epoll(int timeout)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
	int fd = epoll_create1(EPOLL_CLOEXEC);
	long n;

	SETUP(epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], &event) == 0);
	memset(&event, 0, sizeof(event));
	n = epoll_wait(fd, &event, 1, timeout);
	if (n == 1)
		EXPECT_EQ(event.data.u64, 0x1122334455667788);
	return n;
}

static long epoll_forever(void)
{
	return epoll(-1);
}

static long epoll_timeout(void)
{
	return epoll(SLEEP_NS / 1000000);
}

static long read_pipe(void)
{
	char byte = 0;
	long n = read(pair[0], &byte, 1);

	EXPECT_EQ(byte, 'x');
	return n;
}

static void write_pipe(void)
{
	EXPECT_EQ(write(pair[1], "x", 1), 1);
}

static long accept_connection(void)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static void connect_to_it(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static long wait_signal(void)
{
	siginfo_t info;
	sigset_t set;
	long sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sig = sigwaitinfo(&set, &info);
	return sig;
}

static void send_signal(void)
{
	EXPECT_EQ(kill(getpid(), SIGUSR1), 0);
}

static long pause_for_ever(void)
{
	return pause();
}

static void interrupt(void)
{
	EXPECT_EQ(syscall(SYS_tgkill, getpid(), blocked_tid, SIGUSR2), 0);
}

static const struct kind kinds[] = {
	{"futex", futex_forever, futex_wake, 0, 0},
	{"futex_shared", futex_shared, futex_wake, 0, 0},
	{"futex_relative", futex_relative, NULL, -1, ETIMEDOUT},
	{"futex_absolute", futex_absolute, NULL, -1, ETIMEDOUT},
	{"futex_realtime", futex_realtime, NULL, -1, ETIMEDOUT},
	{"futex_woken", futex_woken_before_deadline, futex_wake, 0, 0},
	{"nanosleep", sleep_relative, NULL, 0, 0},
	{"clock_nanosleep", sleep_absolute, NULL, 0, 0},
	{"poll", poll_forever, write_pipe, 1, 0},
	{"poll_timeout", poll_timeout, NULL, 0, 0},
	{"select", select_forever, write_pipe, 1, 0},
	{"epoll", epoll_forever, write_pipe, 1, 0},
	{"epoll_timeout", epoll_timeout, NULL, 0, 0},
	{"read", read_pipe, write_pipe, 1, 0},
	{"accept", accept_connection, connect_to_it, 0, 0},
	{"sigwait", wait_signal, send_signal, SIGUSR1, 0},
	{"pause", pause_for_ever, interrupt, -1, EINTR}, /* by the handler, no sooner */
};

static void *block(void *arg)
{
	/* A deadline on the wall clock is kept by that clock, whatever others say after a restore. */
	clockid_t clock = kind->block == futex_realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	int64_t start = victim_now(clock);

	blocked_tid = gettid();
	atomic_store(&entered, 1);
	errno = 0;
	result = kind->block();
	error = errno;
	took = victim_now(clock) - start;
	atomic_store(&returned, 1);
	return arg;
}

static void on_signal(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	socklen_t len = sizeof(address);
	pthread_t thread;
	sigset_t set;

	victim_init(argc, argv);
	for (size_t i = 0; argc > 2 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[2], kinds[i].name) == 0)
			kind = &kinds[i];
	}
	SETUP(kind);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SETUP(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	signal(SIGUSR2, on_signal);
	SETUP(pipe2(pair, O_CLOEXEC) == 0);
	address = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SETUP(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	SETUP(listen(listener, 5) == 0);
	SETUP(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	SETUP(pthread_create(&thread, NULL, block, NULL) == 0);
	while (!entered)
		victim_sleep_ms(1);
	victim_sleep_ms(20);
	victim_ready();
	if (kind->wake) {
		EXPECT_EQ(returned, 0); /* interrupted, else */
		victim_sleep_ms(20);
		kind->wake();
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(result, kind->expected);
	EXPECT_EQ(error, kind->expected_errno);
	if (!kind->wake && took < SLEEP_NS - 1000000)
		victim_fault(__FILE__, __LINE__, "waited %" PRId64 " of %" PRId64 " ns", took,
			     SLEEP_NS);
	return victim_result();
}
