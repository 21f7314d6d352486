/*
 * Signal dispositions with their flags and masks, each thread's mask and alternate stack, a handler
 * that runs on it after the restore, a thread that is inside a handler all the while, and children
 * that leave no zombies though SIGCHLD has its default action (SA_NOCLDWAIT).
 */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

static unsigned char alternate[64 << 10] __attribute__((aligned(4096)));
static unsigned char thread_alternate[64 << 10] __attribute__((aligned(4096)));
static volatile sig_atomic_t on_alternate;
static atomic_int inside, leave, done;

static void note_stack(int sig, siginfo_t *info, void *context)
{
	unsigned char here;

	(void)info;
	(void)context;
	on_alternate = &here > alternate && &here < alternate + sizeof(alternate) ? sig : -sig;
}

static void stay_inside(int sig)
{
	sigset_t mask;

	atomic_store(&inside, sig);
	while (!leave)
		victim_sleep_ms(2);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	EXPECT(sigismember(&mask, SIGUSR2)); /* by sa_mask */
	EXPECT(sigismember(&mask, sig));     /* by itself */
}

static void *handler_thread(void *arg)
{
	stack_t stack = {.ss_sp = thread_alternate, .ss_size = sizeof(thread_alternate)};
	volatile double kept = 1.5;
	sigset_t mask;

	SETUP(sigaltstack(&stack, NULL) == 0);
	pthread_kill(pthread_self(), SIGUSR1);
	EXPECT(kept == 1.5);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	EXPECT(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2));
	sigaltstack(NULL, &stack);
	EXPECT(stack.ss_sp == thread_alternate && stack.ss_size == sizeof(thread_alternate));
	EXPECT_EQ(stack.ss_flags, 0);
	atomic_store(&done, 1);
	return arg;
}

static void install(int sig, int flags, void (*plain)(int), int masked)
{
	struct sigaction action = {.sa_flags = flags, .sa_handler = plain};

	if (flags & SA_SIGINFO)
		action.sa_sigaction = note_stack;
	if (masked)
		sigaddset(&action.sa_mask, masked);
	SETUP(sigaction(sig, &action, NULL) == 0);
}

int main(int argc, char **argv)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	struct sigaction before[65], after;
	sigset_t mask, got;
	pthread_t thread;
	pid_t child;

	victim_init(argc, argv);
	install(SIGUSR1, SA_ONSTACK | SA_RESTART, stay_inside, SIGUSR2);
	install(SIGHUP, SA_SIGINFO | SA_ONSTACK | SA_NODEFER, NULL, SIGRTMIN + 3);
	install(SIGPIPE, 0, SIG_IGN, 0);
	install(SIGCHLD, SA_NOCLDWAIT | SA_NOCLDSTOP, SIG_DFL, 0);
	install(SIGRTMAX, SA_SIGINFO | SA_RESETHAND, NULL, 0);
	SETUP(sigaltstack(&stack, NULL) == 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGRTMIN + 7);
	SETUP(pthread_create(&thread, NULL, handler_thread, NULL) == 0);
	while (!inside)
		victim_sleep_ms(1);
	SETUP(pthread_sigmask(SIG_SETMASK, &mask, NULL) == 0);
	for (int sig = 1; sig <= 64; sig++)
		sigaction(sig, NULL, &before[sig]);
	victim_ready();
	for (int sig = 1; sig <= 64; sig++) {
		if (sigaction(sig, NULL, &after) < 0)
			continue;
		/* Once is enough: what is wrong with one is likely so with all. */
		if (after.sa_sigaction != before[sig].sa_sigaction ||
		    after.sa_flags != before[sig].sa_flags ||
		    memcmp(&after.sa_mask, &before[sig].sa_mask, 8) != 0) {
			victim_fault(
				__FILE__, __LINE__,
				"signal %d has handler %p flags %x, not %p %x, or another mask",
				sig, (void *)after.sa_sigaction, after.sa_flags,
				(void *)before[sig].sa_sigaction, before[sig].sa_flags);
			break;
		}
	}
	child = fork();
	if (child == 0)
		_exit(0);
	EXPECT(waitpid(child, NULL, 0) < 0 && errno == ECHILD);
	pthread_sigmask(SIG_BLOCK, NULL, &got);
	EXPECT(memcmp(&got, &mask, 8) == 0);
	EXPECT_EQ(raise(SIGHUP), 0);
	EXPECT_EQ(on_alternate, SIGHUP);
	EXPECT_EQ(raise(SIGPIPE), 0);
	EXPECT_EQ(inside, SIGUSR1);
	EXPECT_EQ(done, 0);
	leave = 1;
	pthread_join(thread, NULL);
	EXPECT_EQ(done, 1);
	return victim_result();
}
