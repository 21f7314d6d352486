/*
 * The calls that threads of blocked.c are in: those that are woken, then those with a timeout.
 */
#include "blocked.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13 /* Linux 5.14 */
#endif

#ifndef SYS_futex_wait
#define SYS_futex_wait 455 /* Linux 6.7 */
#endif
#define FUTEX2_WORD (2 | FUTEX_PRIVATE_FLAG) /* FUTEX2_SIZE_U32 */

static struct timespec in(clockid_t clock, int64_t ns)
{
	int64_t at = (clock < 0 ? 0 : victim_now(clock)) + ns;

	return (struct timespec){at / 1000000000, at % 1000000000};
}

static void make_pipe(struct waiter *w)
{
	SETUP(pipe2(w->fd, O_CLOEXEC) == 0);
}

static void write_byte(struct waiter *w)
{
	EXPECT_EQ(write(w->fd[1], "x", 1), 1);
}

static long read_byte(struct waiter *w)
{
	char byte = 0;
	long n = read(w->fd[0], &byte, 1);

	EXPECT_EQ(byte, 'x');
	return n;
}

static long futex(struct waiter *w, int op, const struct timespec *ts)
{
	return syscall(SYS_futex, &w->word, op, 0, ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

static long futex_forever(struct waiter *w)
{
	return futex(w, FUTEX_WAIT_PRIVATE, NULL);
}

static long futex_shared(struct waiter *w)
{
	return futex(w, FUTEX_WAIT, NULL);
}

static long futex_woken_before_deadline(struct waiter *w)
{
	struct timespec ts = in(CLOCK_MONOTONIC, 1000 * SLEEP_NS);

	return futex(w, FUTEX_WAIT_BITSET_PRIVATE, &ts);
}

static void futex_wake(struct waiter *w)
{
	w->word = 1;
	syscall(SYS_futex, &w->word, FUTEX_WAKE, 1, NULL, NULL, 0);
	syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static long futex_vector(struct waiter *w, const struct timespec *ts)
{
	struct futex_waitv vector = {.uaddr = (uintptr_t)&w->word,
				     .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};

	return syscall(SYS_futex_waitv, &vector, 1, 0, ts, CLOCK_MONOTONIC);
}

static long futex_waitv_forever(struct waiter *w)
{
	return futex_vector(w, NULL);
}

/* The main thread, which prepares it, holds the lock: its word is the owner's TID. */
static void own_pi(struct waiter *w)
{
	w->word = (uint32_t)gettid();
}

static long lock_pi(struct waiter *w)
{
	long r = futex(w, FUTEX_LOCK_PI_PRIVATE, NULL);

	EXPECT_EQ(w->word & FUTEX_TID_MASK, gettid());
	return r;
}

static void unlock_pi(struct waiter *w)
{
	EXPECT_EQ(futex(w, FUTEX_UNLOCK_PI_PRIVATE, NULL), 0);
}

/* futex_wait(2), the call of its own; where there is none, the operation that does the same. */
static long futex_call(struct waiter *w)
{
	long r = syscall(SYS_futex_wait, &w->word, 0, FUTEX_BITSET_MATCH_ANY, FUTEX2_WORD, NULL,
			 CLOCK_MONOTONIC);

	return r < 0 && errno == ENOSYS ? futex_forever(w) : r;
}

/* A condition variable's way to a PI mutex: fd[0] is the mutex's word, which the waker leaves to
 * the waiter. */
static long wait_requeue(struct waiter *w)
{
	long r = syscall(SYS_futex, &w->word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &w->fd[0], 0);

	EXPECT_EQ((uint32_t)w->fd[0] & FUTEX_TID_MASK, gettid());
	return r;
}

static void make_requeue(struct waiter *w)
{
	w->fd[0] = 0;
}

static void requeue(struct waiter *w)
{
	EXPECT(syscall(SYS_futex, &w->word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, 0, &w->fd[0], 0) >= 0);
}

static void make_watch(struct waiter *w)
{
	w->fd[0] = inotify_init1(IN_CLOEXEC);
	SETUP(mkdir(victim_path("watched"), 0700) == 0);
	SETUP(inotify_add_watch(w->fd[0], victim_path("watched"), IN_CREATE) == 1);
}

static long read_event(struct waiter *w)
{
	char bytes[512] __attribute__((aligned(8))) = {0};
	long n = read(w->fd[0], bytes, sizeof(bytes));

	return n < 0 ? n : (long)((struct inotify_event *)bytes)->mask;
}

static void make_file(struct waiter *w)
{
	(void)w;
	close(victim_file("watched/new", 1));
}

static long poll_forever(struct waiter *w)
{
	return poll(&(struct pollfd){.fd = w->fd[0], .events = POLLIN}, 1, -1);
}

/* With a mask of the call's own, which a stop must not leave behind. */
static long ppoll_forever(struct waiter *w)
{
	sigset_t during, before, after;
	long n;

	sigfillset(&during);
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	n = ppoll(&(struct pollfd){.fd = w->fd[0], .events = POLLIN}, 1, NULL, &during);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	EXPECT(memcmp(&before, &after, 8) == 0);
	return n;
}

static long select_for(struct waiter *w, struct timeval *timeout)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(w->fd[0], &set);
	return select(w->fd[0] + 1, &set, NULL, NULL, timeout);
}

static long select_forever(struct waiter *w)
{
	return select_for(w, NULL);
}

static long pselect_for(struct waiter *w, const struct timespec *timeout)
{
	sigset_t during;
	fd_set set;

	sigfillset(&during);
	FD_ZERO(&set);
	FD_SET(w->fd[0], &set);
	return pselect(w->fd[0] + 1, &set, NULL, NULL, timeout, &during);
}

static long pselect_forever(struct waiter *w)
{
	return pselect_for(w, NULL);
}

static long epoll(struct waiter *w, int timeout)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
	int fd = epoll_create1(EPOLL_CLOEXEC);
	long n;

	SETUP(epoll_ctl(fd, EPOLL_CTL_ADD, w->fd[0], &event) == 0);
	memset(&event, 0, sizeof(event));
	n = epoll_wait(fd, &event, 1, timeout);
	if (n == 1)
		EXPECT_EQ(event.data.u64, 0x1122334455667788);
	return n;
}

static long epoll_forever(struct waiter *w)
{
	return epoll(w, -1);
}

static void make_pair(struct waiter *w)
{
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->fd) == 0);
}

static void make_packets(struct waiter *w)
{
	SETUP(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, w->fd) == 0);
}

static long receive_message(struct waiter *w)
{
	char byte = 0;
	struct iovec iov = {&byte, 1};
	long n = recvmsg(w->fd[0], &(struct msghdr){.msg_iov = &iov, .msg_iovlen = 1}, 0);

	EXPECT_EQ(byte, 'x');
	return n;
}

static void make_eventfd(struct waiter *w)
{
	w->fd[0] = w->fd[1] = eventfd(0, EFD_CLOEXEC);
	SETUP(w->fd[0] >= 0);
}

static long read_count(struct waiter *w)
{
	uint64_t count = 0;
	long n = read(w->fd[0], &count, sizeof(count));

	return n == sizeof(count) ? (long)count : n;
}

static void count_three(struct waiter *w)
{
	uint64_t three = 3;

	EXPECT_EQ(write(w->fd[1], &three, sizeof(three)), sizeof(three));
}

static void make_signalfd(struct waiter *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGNAL_DESCRIBED);
	w->fd[0] = signalfd(-1, &set, SFD_CLOEXEC);
	SETUP(w->fd[0] >= 0);
}

static long read_signal(struct waiter *w)
{
	struct signalfd_siginfo info = {0};
	long n = read(w->fd[0], &info, sizeof(info));

	return n == sizeof(info) ? (long)info.ssi_signo - SIGRTMIN : n;
}

static void send_described(struct waiter *w)
{
	(void)w;
	EXPECT_EQ(kill(getpid(), SIGNAL_DESCRIBED), 0);
}

/* The writer of a full pipe. */
static void fill_pipe(struct waiter *w)
{
	static const char zeros[4096];

	SETUP(pipe2(w->fd, O_CLOEXEC | O_NONBLOCK) == 0);
	while (write(w->fd[1], zeros, sizeof(zeros)) > 0)
		;
	SETUP(errno == EAGAIN && fcntl(w->fd[1], F_SETFL, 0) == 0);
}

static long write_more(struct waiter *w)
{
	return write(w->fd[1], "more", 4);
}

static void drain_pipe(struct waiter *w)
{
	char page[4096];

	EXPECT_EQ(read(w->fd[0], page, sizeof(page)), sizeof(page));
}

static long splice_pipe(struct waiter *w)
{
	int out[2];

	SETUP(pipe2(out, O_CLOEXEC) == 0);
	return splice(w->fd[0], NULL, out[1], NULL, 1, 0);
}

static void make_listener(struct waiter *w)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	w->fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SETUP(bind(w->fd[0], (struct sockaddr *)&address, sizeof(address)) == 0);
	SETUP(listen(w->fd[0], 5) == 0);
}

static long accept_connection(struct waiter *w)
{
	int fd = accept(w->fd[0], NULL, NULL);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static void connect_to_it(struct waiter *w)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(getsockname(w->fd[0], (struct sockaddr *)&address, &size), 0);
	EXPECT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static long wait_signal(struct waiter *w)
{
	siginfo_t info;
	sigset_t set;

	(void)w;
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_WAITED);
	return sigwaitinfo(&set, &info);
}

static void send_waited(struct waiter *w)
{
	(void)w;
	EXPECT_EQ(kill(getpid(), SIGNAL_WAITED), 0);
}

static long pause_for_ever(struct waiter *w)
{
	(void)w;
	return pause();
}

static long suspend(struct waiter *w)
{
	sigset_t during, before, after;
	long r;

	(void)w;
	sigfillset(&during);
	sigdelset(&during, SIGNAL_HANDLED);
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	r = sigsuspend(&during);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	EXPECT(memcmp(&before, &after, 8) == 0);
	errno = EINTR;
	return r;
}

static void interrupt(struct waiter *w)
{
	EXPECT_EQ(syscall(SYS_tgkill, getpid(), w->tid, SIGNAL_HANDLED), 0);
}

/* fd[1] holds the lock that the thread wants on fd[0]. */
static void make_locked(struct waiter *w)
{
	w->fd[1] = victim_file(w->kind->name, 10);
	w->fd[0] = open(victim_path(w->kind->name), O_RDWR | O_CLOEXEC);
	SETUP(w->fd[0] >= 0);
}

static void hold_flock(struct waiter *w)
{
	make_locked(w);
	SETUP(flock(w->fd[1], LOCK_EX) == 0);
}

static long want_flock(struct waiter *w)
{
	return flock(w->fd[0], LOCK_EX);
}

static void drop_flock(struct waiter *w)
{
	EXPECT_EQ(flock(w->fd[1], LOCK_UN), 0);
}

static int lock_range(int fd, int type, int how)
{
	struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = 3, .l_len = 4};

	return fcntl(fd, how, &lock);
}

static void hold_ofd(struct waiter *w)
{
	make_locked(w);
	SETUP(lock_range(w->fd[1], F_WRLCK, F_OFD_SETLK) == 0);
}

static long want_ofd(struct waiter *w)
{
	return lock_range(w->fd[0], F_WRLCK, F_OFD_SETLKW);
}

static void drop_ofd(struct waiter *w)
{
	EXPECT_EQ(lock_range(w->fd[1], F_UNLCK, F_OFD_SETLK), 0);
}

/* Locks of one process do not stand in each other's way: another has it, until the file is there.
 */
static void keep_posix_lock(pid_t victim)
{
	int fd;

	(void)victim;
	setsid();		/* a restored process wants its group's number */
	close_range(3, ~0U, 0); /* and what others wait on */
	fd = open(victim_path("posix_lock"), O_RDWR | O_CLOEXEC);
	if (lock_range(fd, F_WRLCK, F_SETLK) < 0)
		return;
	close(victim_file("posix_lock.held", 1));
	while (access(victim_path("posix_lock.drop"), F_OK) < 0)
		victim_sleep_ms(3);
}

static void hold_posix(struct waiter *w)
{
	make_locked(w);
	victim_stranger(keep_posix_lock);
	while (access(victim_path("posix_lock.held"), F_OK) < 0)
		victim_sleep_ms(1);
}

static long want_posix(struct waiter *w)
{
	return lock_range(w->fd[0], F_WRLCK, F_SETLKW);
}

static void drop_posix(struct waiter *w)
{
	(void)w;
	close(victim_file("posix_lock.drop", 1));
}

static void make_fifo(struct waiter *w)
{
	(void)w;
	SETUP(mkfifo(victim_path("fifo"), 0600) == 0);
}

static long open_fifo(struct waiter *w)
{
	w->fd[0] = open(victim_path("fifo"), O_RDONLY | O_CLOEXEC);
	return w->fd[0] < 0 ? -1 : 0;
}

static void open_other_end(struct waiter *w)
{
	w->fd[1] = open(victim_path("fifo"), O_WRONLY | O_CLOEXEC);
	EXPECT(w->fd[1] >= 0);
}

/* Queues and sets of System V are the machine's, not the process's: they need only still be there.
 */
static void make_queue(struct waiter *w)
{
	w->fd[0] = msgget(IPC_PRIVATE, 0600);
	SETUP(w->fd[0] >= 0);
}

static long receive_queued(struct waiter *w)
{
	struct {
		long type;
		char text[4];
	} message;

	return msgrcv(w->fd[0], &message, sizeof(message.text), 7, 0);
}

#define SLEEP_CPU_NS INT64_C(500000000) /* more than the main thread uses while it waits */

static clockid_t main_clock;

static void find_main_clock(struct waiter *w)
{
	(void)w;
	SETUP(pthread_getcpuclockid(pthread_self(), &main_clock) == 0);
}

static void burn(struct waiter *w)
{
	for (volatile unsigned i = 0; !w->returned; i++)
		;
}

static void send_queued(struct waiter *w)
{
	struct {
		long type;
		char text[4];
	} message = {7, "xyz"};

	EXPECT_EQ(msgsnd(w->fd[0], &message, 3, 0), 0);
	victim_sleep_ms(20);
	while (!w->returned)
		victim_sleep_ms(1);
	EXPECT_EQ(msgctl(w->fd[0], IPC_RMID, NULL), 0);
}

static void make_semaphore(struct waiter *w)
{
	w->fd[0] = semget(IPC_PRIVATE, 1, 0600);
	SETUP(w->fd[0] >= 0);
}

static long decrease(struct waiter *w)
{
	return semop(w->fd[0], &(struct sembuf){.sem_op = -1}, 1);
}

static void increase(struct waiter *w)
{
	EXPECT_EQ(semop(w->fd[0], &(struct sembuf){.sem_op = 1}, 1), 0);
	while (!w->returned)
		victim_sleep_ms(1);
	EXPECT_EQ(semctl(w->fd[0], 0, IPC_RMID), 0);
}

static long decrease_timed(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);
	long r = semtimedop(w->fd[0], &(struct sembuf){.sem_op = -1}, 1, &ts);
	int saved = errno;

	semctl(w->fd[0], 0, IPC_RMID);
	errno = saved;
	return r;
}

static long futex_relative(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);

	return futex(w, FUTEX_WAIT_PRIVATE, &ts);
}

static long futex_absolute(struct waiter *w)
{
	struct timespec ts = in(CLOCK_MONOTONIC, SLEEP_NS);

	return futex(w, FUTEX_WAIT_BITSET_PRIVATE, &ts);
}

static long futex_realtime(struct waiter *w)
{
	struct timespec ts = in(CLOCK_REALTIME, SLEEP_NS);

	return futex(w, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, &ts);
}

static long futex_waitv_timeout(struct waiter *w)
{
	struct timespec ts = in(CLOCK_MONOTONIC, SLEEP_NS);

	return futex_vector(w, &ts);
}

static long lock_pi_realtime(struct waiter *w)
{
	struct timespec ts = in(CLOCK_REALTIME, SLEEP_NS);

	return futex(w, FUTEX_LOCK_PI_PRIVATE, &ts);
}

static long lock_pi_monotonic(struct waiter *w)
{
	struct timespec ts = in(CLOCK_MONOTONIC, SLEEP_NS);

	return futex(w, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, &ts);
}

static long wait_condition(struct waiter *w)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec ts = in(CLOCK_MONOTONIC, SLEEP_NS);
	pthread_condattr_t attr;
	pthread_cond_t cond;

	(void)w;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cond, &attr);
	pthread_mutex_lock(&mutex);
	errno = pthread_cond_timedwait(&cond, &mutex, &ts);
	pthread_mutex_unlock(&mutex);
	return errno ? -1 : 0;
}

static long sleep_relative(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);

	(void)w;
	return nanosleep(&ts, NULL);
}

/* What remains is written where the caller sleeps from: the usual loop around nanosleep(2). */
static long sleep_remaining(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);

	(void)w;
	return nanosleep(&ts, &ts);
}

static long sleep_ns(clockid_t clock, int flags, int64_t ns)
{
	struct timespec ts = in(flags ? clock : -1, ns);

	errno = clock_nanosleep(clock, flags, &ts, NULL);
	return errno ? -1 : 0;
}

static long sleep_clock(clockid_t clock, int flags)
{
	return sleep_ns(clock, flags, SLEEP_NS);
}

static long sleep_process(struct waiter *w)
{
	(void)w;
	return sleep_ns(CLOCK_PROCESS_CPUTIME_ID, 0, SLEEP_CPU_NS);
}

static long sleep_until_process(struct waiter *w)
{
	(void)w;
	return sleep_ns(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, SLEEP_CPU_NS);
}

static long sleep_thread(struct waiter *w)
{
	(void)w;
	return sleep_ns(main_clock, 0, SLEEP_CPU_NS);
}

static long sleep_monotonic(struct waiter *w)
{
	(void)w;
	return sleep_clock(CLOCK_MONOTONIC, 0);
}

static long sleep_until_monotonic(struct waiter *w)
{
	(void)w;
	return sleep_clock(CLOCK_MONOTONIC, TIMER_ABSTIME);
}

static long sleep_until_boottime(struct waiter *w)
{
	(void)w;
	return sleep_clock(CLOCK_BOOTTIME, TIMER_ABSTIME);
}

static long sleep_until_realtime(struct waiter *w)
{
	(void)w;
	return sleep_clock(CLOCK_REALTIME, TIMER_ABSTIME);
}

static long poll_timeout(struct waiter *w)
{
	return poll(&(struct pollfd){.fd = w->fd[0], .events = POLLIN}, 1, SLEEP_NS / 1000000);
}

static long ppoll_timeout(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);

	return ppoll(&(struct pollfd){.fd = w->fd[0], .events = POLLIN}, 1, &ts, NULL);
}

static long select_timeout(struct waiter *w)
{
	return select_for(w,
			  &(struct timeval){SLEEP_NS / 1000000000, SLEEP_NS % 1000000000 / 1000});
}

static long pselect_timeout(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);

	return pselect_for(w, &ts);
}

static long epoll_timeout(struct waiter *w)
{
	return epoll(w, SLEEP_NS / 1000000);
}

static long epoll_pwait2_timeout(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	(void)w;
	return syscall(SYS_epoll_pwait2, fd, &event, 1, &ts, NULL, 0);
}

static long wait_signal_timed(struct waiter *w)
{
	struct timespec ts = in(-1, SLEEP_NS);
	sigset_t set;

	(void)w;
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_TIMED);
	return sigtimedwait(&set, NULL, &ts);
}

static void set_patience(int fd)
{
	struct timeval patience = {SLEEP_NS / 1000000000, SLEEP_NS % 1000000000 / 1000};

	SETUP(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
}

static void make_patient_pair(struct waiter *w)
{
	make_pair(w);
	set_patience(w->fd[0]);
}

static long receive_patiently(struct waiter *w)
{
	char byte;

	return recv(w->fd[0], &byte, 1, 0);
}

static void make_patient_listener(struct waiter *w)
{
	make_listener(w);
	set_patience(w->fd[0]);
}

static long read_timerfd(struct waiter *w)
{
	struct itimerspec value = {.it_value = in(-1, SLEEP_NS)};

	w->fd[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	SETUP(w->fd[0] >= 0 && timerfd_settime(w->fd[0], 0, &value, NULL) == 0);
	return read_count(w);
}

#define CLK CLOCK_MONOTONIC

const struct kind blocked_kinds[] = {
	{"futex", NULL, futex_forever, futex_wake, 0, 0, CLK},
	{"futex_shared", NULL, futex_shared, futex_wake, 0, 0, CLK},
	{"futex_woken", NULL, futex_woken_before_deadline, futex_wake, 0, 0, CLK},
	{"futex_waitv", NULL, futex_waitv_forever, futex_wake, 0, 0, CLK},
	{"futex_pi", own_pi, lock_pi, unlock_pi, 0, 0, CLK},
	{"futex_call", NULL, futex_call, futex_wake, 0, 0, CLK},
	{"futex_requeue_pi", make_requeue, wait_requeue, requeue, 0, 0, CLK},
	{"read_inotify", make_watch, read_event, make_file, IN_CREATE, 0, CLK},
	{"poll", make_pipe, poll_forever, write_byte, 1, 0, CLK},
	{"ppoll", make_pipe, ppoll_forever, write_byte, 1, 0, CLK},
	{"select", make_pipe, select_forever, write_byte, 1, 0, CLK},
	{"pselect", make_pipe, pselect_forever, write_byte, 1, 0, CLK},
	{"epoll", make_pipe, epoll_forever, write_byte, 1, 0, CLK},
	{"read", make_pipe, read_byte, write_byte, 1, 0, CLK},
	{"read_socket", make_pair, read_byte, write_byte, 1, 0, CLK},
	{"recvmsg", make_packets, receive_message, write_byte, 1, 0, CLK},
	{"read_eventfd", make_eventfd, read_count, count_three, 3, 0, CLK},
	{"read_signalfd", make_signalfd, read_signal, send_described, 1, 0, CLK},
	{"write", fill_pipe, write_more, drain_pipe, 4, 0, CLK},
	{"splice", make_pipe, splice_pipe, write_byte, 1, 0, CLK},
	{"accept", make_listener, accept_connection, connect_to_it, 0, 0, CLK},
	{"sigwait", NULL, wait_signal, send_waited, SIGNAL_WAITED, 0, CLK},
	{"pause", NULL, pause_for_ever, interrupt, -1, EINTR, CLK}, /* by the handler, no sooner */
	{"sigsuspend", NULL, suspend, interrupt, -1, EINTR, CLK},
	{"flock", hold_flock, want_flock, drop_flock, 0, 0, CLK},
	{"ofd_lock", hold_ofd, want_ofd, drop_ofd, 0, 0, CLK},
	{"posix_lock", hold_posix, want_posix, drop_posix, 0, 0, CLK},
	{"cpu_process", NULL, sleep_process, burn, 0, 0, CLK},
	{"cpu_process_until", NULL, sleep_until_process, burn, 0, 0, CLK},
	{"cpu_thread", find_main_clock, sleep_thread, burn, 0, 0, CLK},
	{"open_fifo", make_fifo, open_fifo, open_other_end, 0, 0, CLK},
	{"msgrcv", make_queue, receive_queued, send_queued, 3, 0, CLK},
	{"semop", make_semaphore, decrease, increase, 0, 0, CLK},

	{"futex_relative", NULL, futex_relative, NULL, -1, ETIMEDOUT, CLK},
	{"futex_absolute", NULL, futex_absolute, NULL, -1, ETIMEDOUT, CLK},
	{"futex_realtime", NULL, futex_realtime, NULL, -1, ETIMEDOUT, CLOCK_REALTIME},
	{"futex_waitv_timeout", NULL, futex_waitv_timeout, NULL, -1, ETIMEDOUT, CLK},
	{"futex_pi_realtime", own_pi, lock_pi_realtime, NULL, -1, ETIMEDOUT, CLOCK_REALTIME},
	{"futex_pi_monotonic", own_pi, lock_pi_monotonic, NULL, -1, ETIMEDOUT, CLK},
	{"condition", NULL, wait_condition, NULL, -1, ETIMEDOUT, CLK},
	{"nanosleep", NULL, sleep_relative, NULL, 0, 0, CLK},
	{"nanosleep_remaining", NULL, sleep_remaining, NULL, 0, 0, CLK},
	{"clock_nanosleep_relative", NULL, sleep_monotonic, NULL, 0, 0, CLK},
	{"clock_nanosleep", NULL, sleep_until_monotonic, NULL, 0, 0, CLK},
	{"clock_nanosleep_boottime", NULL, sleep_until_boottime, NULL, 0, 0, CLOCK_BOOTTIME},
	{"clock_nanosleep_realtime", NULL, sleep_until_realtime, NULL, 0, 0, CLOCK_REALTIME},
	{"poll_timeout", make_pipe, poll_timeout, NULL, 0, 0, CLK},
	{"ppoll_timeout", make_pipe, ppoll_timeout, NULL, 0, 0, CLK},
	{"select_timeout", make_pipe, select_timeout, NULL, 0, 0, CLK},
	{"pselect_timeout", make_pipe, pselect_timeout, NULL, 0, 0, CLK},
	{"epoll_timeout", make_pipe, epoll_timeout, NULL, 0, 0, CLK},
	{"epoll_pwait2_timeout", NULL, epoll_pwait2_timeout, NULL, 0, 0, CLK},
	{"sigtimedwait", NULL, wait_signal_timed, NULL, -1, EAGAIN, CLK},
	{"recv_timeout", make_patient_pair, receive_patiently, NULL, -1, EAGAIN, CLK},
	{"accept_timeout", make_patient_listener, accept_connection, NULL, -1, EAGAIN, CLK},
	{"semtimedop", make_semaphore, decrease_timed, NULL, -1, EAGAIN, CLK},
	{"read_timerfd", NULL, read_timerfd, NULL, 1, 0, CLK},
	{0},
};
