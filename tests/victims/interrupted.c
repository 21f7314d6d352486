/*
 * Signals with a handler that arrive all the time, while a thread waits in one call after the
 * other: each EINTR must have had its handler, and each handler ends a wait sooner or later. What
 * jsnap does to a thread is seen as neither.
 *
 * With argv[2] only calls that SIGSTOP and SIGCONT do not end by themselves (signal(7)).
 */
#include "victim.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

static atomic_int handled, interrupted, leave, tid;
static int ends[2], pair[2], epoll;
static _Atomic uint32_t word;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static bool stoppable;

static long wait_in(unsigned kind)
{
	struct epoll_event event;
	struct timespec ts = {1000, 0};
	char byte;

	switch (kind % 8) {
	case 0:
		return read(ends[0], &byte, 1);
	case 1:
		return epoll_wait(epoll, &event, 1, -1);
	case 2:
		return nanosleep(&ts, &ts);
	case 3:
		return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0);
	case 4:
		return recv(pair[0], &byte, 1, 0); /* with a timeout: EINTR even for SIGSTOP */
	case 5:
		return poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, -1);
	case 6:
		return pause();
	default:
		return epoll_wait(epoll, &event, 1, 1000000);
	}
}

static void *waiter(void *arg)
{
	int seen = 0;

	tid = gettid();
	for (unsigned kind = 0; !leave; kind++) {
		long r;
		int now;

		if (stoppable && (kind % 8 == 1 || kind % 8 == 4 || kind % 8 == 7))
			continue;
		r = wait_in(kind);
		now = handled;

		if (r >= 0 || errno != EINTR)
			victim_fault(__FILE__, __LINE__, "call %u: %ld, %s", kind % 8, r,
				     strerror(errno));
		else if (now == seen)
			victim_fault(__FILE__, __LINE__, "call %u: EINTR without a handler",
				     kind % 8);
		seen = now;
		interrupted++;
	}
	return arg;
}

/* Sends signals, one at a time, until one has ended a wait: the first may come between two. */
static void *sender(void *arg)
{
	while (!leave) {
		int before = interrupted, sent = handled + 1;

		syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
		for (int i = 0; i < 20000 && handled < sent; i++)
			victim_sleep_ms(1);
		if (handled < sent)
			victim_fault(__FILE__, __LINE__, "a signal was lost");
		for (int i = 0; i < 5 && interrupted == before; i++)
			victim_sleep_ms(1);
	}
	return arg;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
	struct timeval patience = {1000, 0};
	pthread_t threads[2];
	int before;

	victim_init(argc, argv);
	stoppable = argc > 2;
	SETUP(sigaction(SIGUSR1, &action, NULL) == 0);
	SETUP(pipe2(ends, O_CLOEXEC) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	SETUP(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	SETUP(epoll >= 0);
	SETUP(pthread_create(&threads[0], NULL, waiter, NULL) == 0);
	while (!tid)
		victim_sleep_ms(1);
	SETUP(pthread_create(&threads[1], NULL, sender, NULL) == 0);
	while (interrupted < 16)
		victim_sleep_ms(1);
	victim_ready();
	before = interrupted;
	for (int i = 0; i < 20000 && interrupted < before + 16; i++)
		victim_sleep_ms(1);
	EXPECT(interrupted >= before + 16);
	leave = 1;
	pthread_join(threads[1], NULL);
	for (int i = 0; i < 1000 && syscall(SYS_tgkill, getpid(), tid, SIGUSR1) == 0 &&
			pthread_tryjoin_np(threads[0], NULL) != 0;
	     i++)
		victim_sleep_ms(2);
	return victim_result();
}
