/*
 * The rarer settings: parent-death signals of the process and of a thread, personality, the idle
 * scheduling policy, a thread's own timer slack, and session and process group, which are the
 * caller's.
 */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#define PAGE 4096ul

static atomic_int prepared, leave;

static int death_signal(void)
{
	int sig = -1;

	EXPECT_EQ(prctl(PR_GET_PDEATHSIG, &sig), 0);
	return sig;
}

static void *idle(void *arg)
{
	struct sched_param param = {0};

	SETUP(pthread_setschedparam(pthread_self(), SCHED_IDLE, &param) == 0);
	SETUP(prctl(PR_SET_PDEATHSIG, SIGWINCH) == 0);
	SETUP(prctl(PR_SET_TIMERSLACK, 77000) == 0);
	prepared = 1;
	while (!leave)
		victim_sleep_ms(2);
	EXPECT_EQ(sched_getscheduler(0), SCHED_IDLE);
	EXPECT_EQ(death_signal(), SIGWINCH);
	EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 77000);
	EXPECT_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE | SHORT_INODE | READ_IMPLIES_EXEC);
	return arg;
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	pthread_t thread;
	void *readable;

	victim_init(argc, argv);
	readable = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(readable != MAP_FAILED);
	SETUP(prctl(PR_SET_PDEATHSIG, SIGURG) == 0);
	if (personality(ADDR_NO_RANDOMIZE | SHORT_INODE | READ_IMPLIES_EXEC) < 0)
		victim_skip("personality: %s", strerror(errno));
	SETUP(pthread_create(&thread, NULL, idle, NULL) == 0);
	while (!prepared)
		victim_sleep_ms(1);
	victim_ready();
	EXPECT_EQ(death_signal(), SIGURG);
	EXPECT_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE | SHORT_INODE | READ_IMPLIES_EXEC);
	EXPECT_STR(victim_perms(readable), "r--p"); /* mapped before it became executable */
	EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
	if (getppid() == parent) {
		EXPECT_EQ(getsid(0), getpid());
	} else { /* restored: jsnap, our parent, leads the session it was started in */
		EXPECT_EQ(getsid(0), getppid());
		EXPECT_EQ(getpgrp(), getppid());
	}
	leave = 1;
	pthread_join(thread, NULL);
	return victim_result();
}
