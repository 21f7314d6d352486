/*
 * Descriptors that send signals: O_ASYNC with the process or one thread as owner, with SIGIO or a
 * signal of its own, the owner of a socket without O_ASYNC, who gets SIGURG, and what is set for an
 * O_ASYNC to come: owner and signal, or the signal alone.
 */
#include "victim.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

static volatile pid_t tid_of[65], fd_of[65];
static atomic_int leave, thread_tid;

static void note(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fd_of[sig] = info->si_fd;
	tid_of[sig] = gettid();
}

static void *wait_for_signals(void *arg)
{
	thread_tid = gettid();
	while (!leave)
		victim_sleep_ms(1);
	return arg;
}

static void catch (int sig)
{
	struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};

	SETUP(sigaction(sig, &action, NULL) == 0);
}

static void await_signal(int sig)
{
	for (int i = 0; i < 5000 && !tid_of[sig]; i++)
		victim_sleep_ms(1);
	EXPECT(tid_of[sig]);
}

static void own(int fd, int type, pid_t pid, int sig, int flags)
{
	struct f_owner_ex owner = {.type = type, .pid = pid};

	SETUP(fcntl(fd, F_SETOWN_EX, &owner) == 0);
	SETUP(fcntl(fd, F_SETSIG, sig) == 0);
	SETUP(fcntl(fd, F_SETFL, flags) == 0);
}

static void expect_owner(int fd, int type, pid_t pid, int sig)
{
	struct f_owner_ex owner = {0};

	EXPECT_EQ(fcntl(fd, F_GETOWN_EX, &owner), 0);
	EXPECT(owner.type == (__typeof__(owner.type))type);
	EXPECT_EQ(owner.pid, pid);
	EXPECT_EQ(fcntl(fd, F_GETSIG), sig);
}

int main(int argc, char **argv)
{
	int process[2], thread[2], plain[2], later[2], rt = SIGRTMIN + 4;
	pthread_t other;

	victim_init(argc, argv);
	catch (SIGIO);
	catch (rt);
	catch (SIGURG);
	SETUP(pthread_create(&other, NULL, wait_for_signals, NULL) == 0);
	while (!thread_tid)
		victim_sleep_ms(1);
	SETUP(pipe2(process, O_CLOEXEC) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, thread) == 0);
	SETUP(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, plain) == 0);
	own(process[0], F_OWNER_PID, getpid(), 0, O_ASYNC);
	own(thread[0], F_OWNER_TID, thread_tid, rt, O_ASYNC | O_NONBLOCK);
	own(plain[0], F_OWNER_PID, getpid(), 0, 0);
	SETUP(pipe2(later, O_CLOEXEC) == 0);
	own(later[0], F_OWNER_TID, thread_tid, rt, 0);
	SETUP(fcntl(later[1], F_SETSIG, rt) == 0);
	victim_ready();
	EXPECT_EQ(tid_of[SIGIO] + tid_of[rt] + tid_of[SIGURG], 0); /* jsnap itself caused none */
	expect_owner(process[0], F_OWNER_PID, getpid(), 0);
	expect_owner(thread[0], F_OWNER_TID, thread_tid, rt);
	expect_owner(plain[0], F_OWNER_PID, getpid(), 0);
	expect_owner(later[0], F_OWNER_TID, thread_tid, rt);
	EXPECT_EQ(fcntl(later[1], F_GETSIG), rt);
	EXPECT_EQ(fcntl(later[1], F_GETOWN), 0);
	EXPECT_EQ(fcntl(process[0], F_GETFL) & (O_ASYNC | O_NONBLOCK), O_ASYNC);
	EXPECT_EQ(fcntl(thread[0], F_GETFL) & (O_ASYNC | O_NONBLOCK), O_ASYNC | O_NONBLOCK);
	EXPECT_EQ(fcntl(plain[0], F_GETFL) & O_ASYNC, 0);
	EXPECT_EQ(fcntl(process[1], F_GETFL) & O_ASYNC, 0);
	EXPECT_EQ(write(process[1], "x", 1), 1);
	await_signal(SIGIO);
	EXPECT_EQ(write(thread[1], "x", 1), 1);
	await_signal(rt);
	EXPECT_EQ(tid_of[rt], thread_tid);
	EXPECT_EQ(fd_of[rt], thread[0]);
	leave = 1;
	pthread_join(other, NULL);
	return victim_result();
}
