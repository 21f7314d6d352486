/*
 * Descriptors and mappings that are not carried. See refused.c.
 */
#include "refused.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/if_packet.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096ul

static int fd = -1, other = -1;
static unsigned char *area;
static atomic_int thread_tid;

static void expect_open(void)
{
	EXPECT(fcntl(fd, F_GETFD) >= 0);
}

static void given(void)
{
	fd = GIVEN_FD;
	SETUP(fcntl(fd, F_GETFD) >= 0);
}

static void userfaultfd_setup(void)
{
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		victim_skip("userfaultfd: %s", strerror(errno));
}

static void perf_setup(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_TASK_CLOCK,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};

	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		victim_skip("perf_event_open: %s", strerror(errno));
}

static void perf_check(void)
{
	uint64_t count = 0;

	EXPECT_EQ(read(fd, &count, sizeof(count)), sizeof(count));
	EXPECT(count > 0);
}

/* Rings in a mapping, whose descriptor is closed. */
static void perf_ring_setup(void)
{
	perf_setup();
	area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SETUP(area != MAP_FAILED && close(fd) == 0);
}

static void ring_check(void)
{
	EXPECT_STR(victim_perms(area), "rw-s");
}

static void packet_ring_setup(void)
{
	struct tpacket_req request = {
		.tp_block_size = PAGE, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 2};

	given();
	SETUP(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) == 0);
	area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SETUP(area != MAP_FAILED && close(fd) == 0);
}

static void fanotify_setup(void)
{
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC, O_RDONLY);
	if (fd < 0)
		victim_skip("fanotify_init: %s", strerror(errno));
}

static void landlock_setup(void)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};

	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		victim_skip("landlock_create_ruleset: %s", strerror(errno));
}

static void mqueue_setup(void)
{
	struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 16};
	char name[64];

	snprintf(name, sizeof(name), "/jsnap-test-%d", getpid());
	fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (fd < 0)
		victim_skip("mq_open: %s", strerror(errno));
	mq_unlink(name);
	SETUP(mq_send(fd, "there", 5, 0) == 0);
}

static void mqueue_check(void)
{
	char got[16];

	EXPECT_EQ(mq_receive(fd, got, sizeof(got), NULL), 5);
}

static void other_name_setup(void)
{
	fd = victim_file("first", 10);
	SETUP(link(victim_path("first"), victim_path("second")) == 0);
	SETUP(unlink(victim_path("first")) == 0);
}

static void other_name_check(void)
{
	char got[4] = {0};

	EXPECT_EQ(pwrite(fd, "new", 3, 0), 3);
	other = open(victim_path("second"), O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(pread(other, got, 3, 0), 3);
	EXPECT_STR(got, "new");
}

static void removed_folder_setup(void)
{
	SETUP(mkdir(victim_path("gone"), 0700) == 0);
	fd = open(victim_path("gone"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SETUP(fd >= 0 && rmdir(victim_path("gone")) == 0);
}

static void proc_other_setup(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", getppid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	SETUP(fd >= 0);
}

static void ns_file_setup(void)
{
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	SETUP(fd >= 0);
}

static void *note_tid(void *arg)
{
	thread_tid = gettid();
	for (;;)
		victim_sleep_ms(100);
	return arg;
}

static void proc_thread_setup(void)
{
	pthread_t thread;
	char path[64];

	SETUP(pthread_create(&thread, NULL, note_tid, NULL) == 0);
	while (!thread_tid)
		victim_sleep_ms(1);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", thread_tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	SETUP(fd >= 0);
}

static void pidfd_setup(void)
{
	fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
	SETUP(fd >= 0);
}

static void pidfd_thread_setup(void)
{
	pthread_t thread;

	SETUP(pthread_create(&thread, NULL, note_tid, NULL) == 0);
	while (!thread_tid)
		victim_sleep_ms(1);
	fd = (int)syscall(SYS_pidfd_open, thread_tid, O_EXCL);
	if (fd < 0)
		victim_lacks("pidfds of threads: %s", strerror(errno));
}

static void pidfd_check(void)
{
	EXPECT_EQ(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
}

static void master_setup(void)
{
	fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	SETUP(fd >= 0 && unlockpt(fd) == 0);
}

/* The slave's side, whose master somebody else holds. */
static void terminal_setup(void)
{
	given();
}

static void terminal_check(void)
{
	EXPECT(isatty(fd));
}

static void lease_setup(void)
{
	close(victim_file("leased", 10));
	fd = open(victim_path("leased"), O_RDONLY | O_CLOEXEC);
	SETUP(fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
}

static void lease_check(void)
{
	EXPECT_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
}

static void owner_setup(void)
{
	int ends[2];

	SETUP(pipe2(ends, O_CLOEXEC) == 0);
	fd = ends[0];
	/* One that the runner ignores, should it be sent. */
	SETUP(fcntl(fd, F_SETSIG, SIGWINCH) == 0);
	SETUP(fcntl(fd, F_SETOWN, getppid()) == 0 && fcntl(fd, F_SETFL, O_ASYNC) == 0);
}

static void owner_check(void)
{
	EXPECT_EQ(fcntl(fd, F_GETOWN), getppid());
}

static int ends[2], go[2];

static void hold_end(pid_t target)
{
	close(ends[0]);
	close(go[0]);
	if (write(go[1], "x", 1) != 1)
		_exit(1);
	close(go[1]);
	while (kill(target, 0) == 0) /* ends with the target */
		victim_sleep_ms(5);
	_exit(0);
}

/* A process that is no child of ours holds the other end. */
static void outside_pipe_setup(void)
{
	char byte;

	SETUP(pipe2(ends, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	victim_stranger(hold_end);
	SETUP(read(go[0], &byte, 1) == 1);
	close(go[0]);
	close(go[1]);
	close(ends[1]);
	fd = ends[0];
}

static void near_limit_setup(void)
{
	struct rlimit limit;

	SETUP(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	SETUP(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (limit.rlim_max > 1 << 20)
		victim_skip("the hard limit of descriptors is %llu",
			    (unsigned long long)limit.rlim_max);
	fd = dup2(0, (int)limit.rlim_max - 1);
	SETUP(fd >= 0);
}

static void map_area(int map_fd, int flags)
{
	area = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, flags, map_fd, 0);
	if (area == MAP_FAILED)
		victim_skip("mmap: %s", strerror(errno));
}

static void device_mapped_setup(void)
{
	area = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE, GIVEN_FD, 0);
	SETUP(area != MAP_FAILED && close(GIVEN_FD) == 0);
}

static void mappings_setup(void)
{
	area = victim_crowd(2);
}

static void mappings_check(void)
{
	EXPECT_STR(victim_perms(area), "---p");
	EXPECT_STR(victim_perms(area + 4096), "r--p");
}

/* Reserved, for the machine need not have such pages. */
static void hugetlb_setup(void)
{
	map_area(-1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE);
}

static void hugetlb_file_setup(void)
{
	fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	if (fd < 0)
		victim_skip("memfd_create(MFD_HUGETLB): %s", strerror(errno));
}

static void still_mapped(void)
{
	EXPECT_STR(victim_perms(area), "rw-p");
}

static void secret_setup(void)
{
	fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		victim_skip("memfd_secret: %s", strerror(errno));
	SETUP(ftruncate(fd, PAGE) == 0);
	area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SETUP(area != MAP_FAILED);
	area[0] = 5;
}

/* Only the mapping. */
static void secret_mapped_setup(void)
{
	secret_setup();
	close(fd);
}

static void secret_check(void)
{
	EXPECT_EQ(area[0], 5);
}

static aio_context_t aio;

static void aio_setup(void)
{
	if (syscall(SYS_io_setup, 4, &aio) < 0)
		victim_skip("io_setup: %s", strerror(errno));
}

static void aio_check(void)
{
	struct io_event event;
	struct timespec now = {0};

	EXPECT_EQ(syscall(SYS_io_getevents, aio, 0, 1, &event, &now), 0);
	EXPECT_EQ(syscall(SYS_io_destroy, aio), 0);
}

static void pkey_setup(void)
{
	int key = pkey_alloc(0, 0);

	if (key < 0)
		victim_lacks("pkey_alloc: %s", strerror(errno));
	map_area(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	SETUP(pkey_mprotect(area, PAGE, PROT_READ | PROT_WRITE, key) == 0);
}

static void sealed_setup(void)
{
	map_area(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	if (syscall(462 /* mseal, Linux 6.10 */, area, PAGE, 0) < 0)
		victim_lacks("mseal: %s", strerror(errno));
}

/* A name of its own (PR_SET_VMA) makes it no mapping of the kernel's. */
static void sealed_named_setup(void)
{
	map_area(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, area, PAGE, "mine") < 0)
		victim_lacks("names of anonymous memory: %s", strerror(errno));
	if (syscall(462 /* mseal, Linux 6.10 */, area, PAGE, 0) < 0)
		victim_lacks("mseal: %s", strerror(errno));
}

static void sealed_check(void)
{
	EXPECT(munmap(area, PAGE) < 0 && errno == EPERM);
}

static volatile sig_atomic_t noticed;

static void on_notice(int sig)
{
	(void)sig;
	noticed++;
}

static void notify_setup(void)
{
	signal(SIGIO, on_notice);
	SETUP(mkdir(victim_path("watched"), 0700) == 0);
	fd = open(victim_path("watched"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SETUP(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
}

static void notify_check(void)
{
	EXPECT_EQ(close(open(victim_path("watched/new"), O_CREAT | O_WRONLY, 0600)), 0);
	for (int i = 0; i < 5000 && !noticed; i++)
		victim_sleep_ms(1);
	EXPECT_EQ(noticed, 1);
}

#define BIG (300ul << 20)

static void big_shared_setup(void)
{
	area = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	SETUP(area != MAP_FAILED);
	area[BIG - 1] = 7;
}

static void big_shared_check(void)
{
	unsigned char resident;

	EXPECT_EQ(mincore(area, PAGE, &resident), 0);
	EXPECT_EQ(resident & 1, 0);
	EXPECT_EQ(area[BIG - 1], 7);
}

static void pressure_setup(void)
{
	static const char trigger[] = "some 500000 2000000";

	fd = open("/proc/pressure/cpu", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || write(fd, trigger, sizeof(trigger)) < 0)
		victim_lacks("no pressure triggers: %s", strerror(errno));
}

static void pressure_check(void)
{
	struct pollfd p = {.fd = fd, .events = POLLPRI};

	EXPECT(poll(&p, 1, 0) >= 0 && !(p.revents & POLLERR));
}

const struct refused_kind refused_files[] = {
	{"userfaultfd", userfaultfd_setup, expect_open},
	{"perf_event", perf_setup, perf_check},
	{"perf_ring", perf_ring_setup, ring_check},
	{"packet_ring", packet_ring_setup, ring_check},
	{"fanotify", fanotify_setup, expect_open},
	{"landlock", landlock_setup, expect_open},
	{"bpf", given, expect_open},
	{"packet", given, expect_open},
	{"device", given, expect_open},
	{"ns_file", ns_file_setup, expect_open},
	{"mqueue", mqueue_setup, mqueue_check},
	{"other_name", other_name_setup, other_name_check},
	{"removed_folder", removed_folder_setup, expect_open},
	{"proc_other", proc_other_setup, expect_open},
	{"proc_thread", proc_thread_setup, expect_open},
	{"pidfd", pidfd_setup, pidfd_check},
	{"pidfd_thread", pidfd_thread_setup, pidfd_check},
	{"master", master_setup, expect_open},
	{"terminal", terminal_setup, terminal_check},
	{"lease", lease_setup, lease_check},
	{"owner", owner_setup, owner_check},
	{"outside_pipe", outside_pipe_setup, expect_open},
	{"near_limit", near_limit_setup, expect_open},
	{"device_mapped", device_mapped_setup, still_mapped},
	{"mappings", mappings_setup, mappings_check},
	{"hugetlb", hugetlb_setup, still_mapped},
	{"hugetlb_file", hugetlb_file_setup, expect_open},
	{"secret", secret_setup, secret_check},
	{"secret_mapped", secret_mapped_setup, secret_check},
	{"aio", aio_setup, aio_check},
	{"pkey", pkey_setup, still_mapped},
	{"sealed", sealed_setup, sealed_check},
	{"notify", notify_setup, notify_check},
	{"big_shared", big_shared_setup, big_shared_check},
	{"pressure", pressure_setup, pressure_check},
	{"sealed_named", sealed_named_setup, sealed_check},
	{0},
};
