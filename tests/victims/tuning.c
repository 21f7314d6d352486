/*
 * What programs tune once and rely on since: membarrier(2), without whose registration every later
 * call fails (HotSpot's UseSystemMemoryBarrier), the filter of core dumps, memory policy, pages to
 * be merged, memory errors, locking of what is mapped later, at once or when it is touched (with
 * the argument onfault), and of a thread its I/O priority and time slice.
 */
#include "victim.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

#define GET_REGISTRATIONS 512 /* Linux 6.3 */
#define SLICE_NS	  5000000u
#define IDLE		  IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)

struct attributes { /* struct sched_attr, whose header and <sched.h> exclude each other */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static atomic_int prepared, leave;

static uint64_t slice(void)
{
	struct attributes attr = {0};

	EXPECT_EQ(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
	return attr.runtime;
}

static void *tuned(void *arg)
{
	struct attributes attr = {.size = sizeof(attr), .runtime = SLICE_NS};
	uint64_t before;

	SETUP(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IDLE) == 0);
	SETUP(syscall(SYS_sched_setattr, 0, &attr, 0) == 0);
	before = slice(); /* Linux before 6.12 has none */
	prepared = 1;
	while (!leave)
		victim_sleep_ms(2);
	EXPECT_EQ(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0), IDLE);
	EXPECT_EQ(slice(), before);
	return arg;
}

static unsigned long filter(const char *set)
{
	int fd = open("/proc/self/coredump_filter", O_RDWR | O_CLOEXEC);
	char text[32] = {0};

	if (fd < 0)
		return 0; /* a kernel without core dumps */
	if (set)
		SETUP(write(fd, set, strlen(set)) > 0);
	SETUP(pread(fd, text, sizeof(text) - 1, 0) > 0);
	close(fd);
	return strtoul(text, NULL, 16);
}

/* The marks of a page that is mapped now, after its address: "lo" says locked, "lf" when touched.
 */
static void new_page(char marks[256])
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[256];

	EXPECT(page != MAP_FAILED);
	victim_vmflags(page, text, sizeof(text));
	snprintf(marks, 256, "%s", strchr(text, ' ') ? strchr(text, ' ') : "");
	munmap(page, 4096);
}

static int policy(unsigned long *nodes)
{
	int mode = -1;

	*nodes = 0;
	syscall(SYS_get_mempolicy, &mode, nodes, 64, NULL, 0);
	return mode;
}

int main(int argc, char **argv)
{
	unsigned long core, only = 1, nodes, nodes_after;
	char locked[256], locked_after[256];
	int mode, merged, mce;
	long registered, priority, length;
	pthread_t thread;

	victim_init(argc, argv);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0)
		victim_lacks("membarrier: %s", strerror(errno));
	registered = syscall(SYS_membarrier, GET_REGISTRATIONS, 0, 0);
	core = filter("0x7f");
	syscall(SYS_set_mempolicy, MPOL_BIND, &only, 64); /* not every kernel has it */
	mode = policy(&nodes);
	prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0);
	merged = prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0);
	SETUP(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	mce = prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
	priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	length = (long)slice();
	SETUP(pthread_create(&thread, NULL, tuned, NULL) == 0);
	while (!prepared)
		victim_sleep_ms(1);
	if (mlockall(MCL_FUTURE | (argc > 2 ? MCL_ONFAULT : 0)) < 0)
		fprintf(stderr, "not tried here: mlockall: %s\n", strerror(errno));
	new_page(locked);
	victim_ready();

	EXPECT_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
	if (registered >= 0)
		EXPECT_EQ(syscall(SYS_membarrier, GET_REGISTRATIONS, 0, 0), registered);
	EXPECT_EQ(filter(NULL), core);
	EXPECT_EQ(policy(&nodes_after), mode);
	EXPECT_EQ(nodes_after, nodes);
	EXPECT_EQ(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), merged);
	EXPECT_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), mce);
	EXPECT_EQ(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0), priority);
	EXPECT_EQ(slice(), length);
	new_page(locked_after);
	EXPECT_STR(locked_after, locked);
	leave = 1;
	pthread_join(thread, NULL);
	return victim_result();
}
