/*
 * States of a process or thread that are not carried. See refused.c.
 */
#include "refused.h"

#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

static atomic_int ready, leave;
static pthread_t thread;

static void allow_all(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow};

	SETUP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		victim_skip("seccomp: %s", strerror(errno));
}

static void *in_thread(void *arg)
{
	((void (*)(void))arg)();
	ready = 1;
	while (!leave)
		victim_sleep_ms(2);
	return NULL;
}

static void start(void (*setup)(void))
{
	SETUP(pthread_create(&thread, NULL, in_thread, (void *)setup) == 0);
	while (!ready)
		victim_sleep_ms(1);
}

static void end(void)
{
	leave = 1;
	pthread_join(thread, NULL);
}

static void seccomp_check(void)
{
	EXPECT_EQ(prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER);
}

static void seccomp_thread_setup(void)
{
	start(allow_all);
}

static void no_new_privs(void)
{
	SETUP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static void thread_privs_setup(void)
{
	start(no_new_privs);
}

static void dispatch_setup(void)
{
	static char selector = SYSCALL_DISPATCH_FILTER_ALLOW;

	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector) < 0)
		victim_skip("PR_SET_SYSCALL_USER_DISPATCH: %s", strerror(errno));
}

static void nothing(void)
{
}

static void own_files(void)
{
	SETUP(unshare(CLONE_FILES) == 0);
}

static void own_files_setup(void)
{
	start(own_files);
}

static void own_folder(void)
{
	SETUP(unshare(CLONE_FS) == 0 && chdir("/") == 0);
}

static void own_folder_setup(void)
{
	start(own_folder);
}

static void own_personality(void)
{
	SETUP(personality(SHORT_INODE) >= 0);
}

static void own_personality_setup(void)
{
	start(own_personality);
}

static void *idle(void *arg)
{
	pause();
	return arg;
}

/* The last of so many that they are shared out (checkpoint/each_thread.c). */
static void personality_of_many_setup(void)
{
	for (int i = 0; i < 200; i++) {
		pthread_attr_t attr;
		pthread_t other;

		SETUP(pthread_attr_init(&attr) == 0);
		SETUP(pthread_attr_setstacksize(&attr, 64 << 10) == 0);
		SETUP(pthread_create(&other, &attr, idle, NULL) == 0);
	}
	start(own_personality);
}

/* May make no symbolic links; all else that the test needs it may. */
static void landlock_domain_setup(void)
{
	const uint64_t attr = LANDLOCK_ACCESS_FS_MAKE_SYM;
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (rules < 0)
		victim_skip("Landlock: %s", strerror(errno));
	SETUP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	SETUP(syscall(SYS_landlock_restrict_self, rules, 0) == 0 && close(rules) == 0);
}

static void landlock_domain_check(void)
{
	EXPECT(symlink("x", victim_path("link")) < 0 && errno == EACCES);
}

static void ldt_setup(void)
{
	struct user_desc segment = {.entry_number = 3,
				    .base_addr = 0x1000,
				    .limit = 0xfffff,
				    .seg_32bit = 1,
				    .limit_in_pages = 1,
				    .useable = 1};

	if (syscall(SYS_modify_ldt, 1, &segment, sizeof(segment)) != 0)
		victim_lacks("modify_ldt: %s", strerror(errno));
}

static void ldt_check(void)
{
	char entries[64];

	EXPECT(syscall(SYS_modify_ldt, 0, entries, sizeof(entries)) > 0);
}

static void tsc_setup(void)
{
	SETUP(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
}

static void tsc_check(void)
{
	int mode = 0;

	EXPECT_EQ(prctl(PR_GET_TSC, &mode), 0);
	EXPECT_EQ(mode, PR_TSC_SIGSEGV);
}

static void cpuid_setup(void)
{
	if (syscall(SYS_arch_prctl, 0x1012 /* ARCH_SET_CPUID */, 0) != 0)
		victim_lacks("ARCH_SET_CPUID: %s", strerror(errno));
}

static void cpuid_check(void)
{
	EXPECT_EQ(syscall(SYS_arch_prctl, 0x1011 /* ARCH_GET_CPUID */, 0), 0);
}

/* Once it has another parent it has been restored. */
static pid_t parent;

static void make_namespace(int sig)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {{0}};
	const struct itimerval off = {0};
	int fd;

	(void)sig;
	if (getppid() == parent)
		return;
	setitimer(ITIMER_REAL, &off, NULL);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		victim_skip("unshare: %s", strerror(errno));
	SETUP(syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
	fd = open(victim_path("changed"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	SETUP(fd >= 0 && close(fd) == 0);
}

/* Its program file is another group's. */
static void ids_setup(void)
{
	if (getegid() == getgid())
		victim_skip("set-group-ID programs have no effect here (nosuid)");
}

static void ids_check(void)
{
	EXPECT(getegid() != getgid());
}

static void ns_made_setup(void)
{
	const struct itimerval often = {{0, 20000}, {0, 20000}};

	parent = getppid();
	signal(SIGALRM, make_namespace);
	SETUP(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static void ns_made_check(void)
{
	EXPECT_EQ(access(victim_path("changed"), F_OK), 0);
}

static void mdwe_setup(void)
{
	if (prctl(PR_SET_MDWE, 1, 0, 0, 0) < 0)
		victim_skip("PR_SET_MDWE: %s", strerror(errno));
}

static void mdwe_check(void)
{
	EXPECT_EQ(prctl(PR_GET_MDWE, 0, 0, 0, 0), 1);
}

static void new_namespace(int flag)
{
	if (unshare(CLONE_NEWUSER | flag) < 0)
		victim_skip("unshare: %s", strerror(errno));
}

static void user_setup(void)
{
	new_namespace(0);
}

static void net_setup(void)
{
	new_namespace(CLONE_NEWNET);
}

static void uts_setup(void)
{
	new_namespace(CLONE_NEWUTS);
}

static void ipc_setup(void)
{
	new_namespace(CLONE_NEWIPC);
}

static void cgroup_setup(void)
{
	new_namespace(CLONE_NEWCGROUP);
}

static void mount_setup(void)
{
	new_namespace(CLONE_NEWNS);
}

/* The main thread ends; another one goes on with the rest. */
static void *go_on(void *arg)
{
	(void)arg;
	for (;;) {
		char path[64], text[512] = {0};
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
		f = fopen(path, "re");
		SETUP(f && fgets(text, sizeof(text), f));
		fclose(f);
		if (strstr(text, ") Z "))
			break;
		victim_sleep_ms(1);
	}
	victim_ready();
	exit(victim_result());
}

static void leader_setup(void)
{
	SETUP(pthread_create(&thread, NULL, go_on, NULL) == 0);
	pthread_exit(NULL);
}

/*
 * A thread that can't be stopped: in vfork(2) it waits for a child that is its parent's, so that
 * the process has none. The child shares our memory and looks for the end itself.
 */
static char child_stack[65536] __attribute__((aligned(16)));
static char go_path[4096];

static int vfork_child(void *arg)
{
	(void)arg;
	while (access(go_path, F_OK) < 0)
		usleep(3000);
	_exit(0);
}

static void wait_for_child(void)
{
	snprintf(go_path, sizeof(go_path), "%s", victim_path("go"));
	ready = 1;
	if (clone(vfork_child, child_stack + sizeof(child_stack),
		  CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, NULL) < 0)
		victim_broken(__FILE__, __LINE__, "clone");
}

static void unstoppable_setup(void)
{
	start(wait_for_child);
	victim_sleep_ms(50);
}

static void undumpable_setup(void)
{
	SETUP(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void undumpable_check(void)
{
	EXPECT_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
}

/* The runner gives the policy from outside. */
static void policy_check(void)
{
	EXPECT(sched_getscheduler(0) != SCHED_OTHER);
}

static void await_stopped(pid_t pid)
{
	char path[32], text[512], *end = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (kill(pid, 0) == 0) {
		FILE *f = fopen(path, "re");

		end = f && fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
		if (f)
			fclose(f);
		if (end && end[2] == 'T')
			return;
		victim_sleep_ms(1);
	}
}

/* Stops us, says for us that we are ready, and lets us go on; no child of ours, which would be
 * refused first. */
static void hold(pid_t target)
{
	if (kill(target, SIGSTOP) < 0)
		_exit(1);
	await_stopped(target);
	close(open(victim_path("ready"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	while (access(victim_path("ping"), F_OK) < 0 && kill(target, 0) == 0)
		victim_sleep_ms(2);
	kill(target, SIGCONT);
	_exit(0);
}

static void stopped_setup(void)
{
	victim_stranger(hold);
	while (access(victim_path("ready"), F_OK) < 0)
		victim_sleep_ms(1);
}

static timer_t thread_timer;

/* In the one thread, by whatever it tells: whose time it counts is not to be seen from outside. */
static void thread_clock(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec value = {.it_value = {1000, 0}};

	SETUP(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &thread_timer) == 0);
	SETUP(timer_settime(thread_timer, 0, &value, NULL) == 0);
}

static void thread_clock_setup(void)
{
	start(thread_clock);
}

static void thread_clock_check(void)
{
	struct itimerspec left = {0};

	EXPECT_EQ(timer_gettime(thread_timer, &left), 0);
	EXPECT(left.it_value.tv_sec > 900);
	end();
}

const struct refused_kind refused_states[] = {
	{"seccomp", allow_all, seccomp_check},
	{"seccomp_thread", seccomp_thread_setup, end},
	{"thread_privs", thread_privs_setup, end},
	{"own_files", own_files_setup, end},
	{"own_folder", own_folder_setup, end},
	{"own_personality", own_personality_setup, end},
	{"personality_of_many", personality_of_many_setup, end},
	{"landlock_domain", landlock_domain_setup, landlock_domain_check},
	{"ldt", ldt_setup, ldt_check},
	{"tsc", tsc_setup, tsc_check},
	{"cpuid", cpuid_setup, cpuid_check},
	{"ids", ids_setup, ids_check},
	{"ns_made", ns_made_setup, ns_made_check},
	{"dispatch", dispatch_setup, nothing},
	{"mdwe", mdwe_setup, mdwe_check},
	{"ns_user", user_setup, nothing},
	{"ns_net", net_setup, nothing},
	{"ns_uts", uts_setup, nothing},
	{"ns_ipc", ipc_setup, nothing},
	{"ns_cgroup", cgroup_setup, nothing},
	{"ns_mnt", mount_setup, nothing},
	{"leader", leader_setup, nothing},
	{"unstoppable", unstoppable_setup, end},
	{"undumpable", undumpable_setup, undumpable_check},
	{"fifo", nothing, policy_check},
	{"rr", nothing, policy_check},
	{"deadline", nothing, policy_check},
	{"stopped", stopped_setup, nothing},
	{"thread_clock", thread_clock_setup, thread_clock_check},
	{0},
};
