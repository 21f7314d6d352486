/* See given.h. */
#include "given.h"
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_GROUP 2 /* nobody's who runs tests */

static int descriptor = -1, order = -1;
static bool other_group;
static pid_t helper;

static int open_bpf(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int open_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int open_device(void)
{
	static const char *const devices[] = {"/dev/fuse", "/dev/loop-control", "/dev/kvm",
					      "/dev/net/tun"};
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
		fd = open(devices[i], O_RDWR | O_CLOEXEC);
	return fd;
}

/* Read by nobody. */
static int open_disk(void)
{
	static const char *const devices[] = {"/dev/loop0", "/dev/zram0", "/dev/vda", "/dev/sda"};
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < sizeof(devices) / sizeof(devices[0]); i++)
		fd = open(devices[i], O_RDONLY | O_CLOEXEC);
	return fd;
}

/* The master stays open in the runner. */
static int open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return -1;
	return open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int set_policy(pid_t pid, const char *kind)
{
	struct sched_attr attr = {.size = SCHED_ATTR_SIZE_VER0};

	if (strcmp(kind, "deadline") == 0) {
		attr.sched_policy = SCHED_DEADLINE;
		attr.sched_runtime = 10000000;
		attr.sched_deadline = attr.sched_period = 1000000000;
	} else {
		attr.sched_policy = strcmp(kind, "fifo") == 0 ? SCHED_FIFO : SCHED_RR;
		attr.sched_priority = 3;
	}
	return (int)syscall(SYS_sched_setattr, pid, &attr, 0);
}

/* A process that stays root, until it was told whom the policy is for. */
static void start_helper(const char *kind)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		sandbox_skip("pipe: %s", strerror(errno));
	helper = fork();
	if (helper == 0) {
		close(ends[1]);
		if (read(ends[0], &pid, sizeof(pid)) != sizeof(pid))
			_exit(0);
		_exit(set_policy(pid, kind) < 0 ? errno : 0);
	}
	close(ends[0]);
	order = ends[1];
}

void given_prepare(const char *kind)
{
	static const struct {
		const char *kind;
		int (*open)(void);
	} openers[] = {
		{"bpf", open_bpf},	 {"packet", open_packet},      {"packet_ring", open_packet},
		{"device", open_device}, {"device_mapped", open_disk}, {"terminal", open_terminal}};

	/* No package makes an ordinary user root. */
	if (geteuid() != 0)
		unsetenv("JSNAP_TEST_STRICT");
	if (geteuid() != 0)
		sandbox_skip("only root can give a victim: %s", kind);
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
		if (strcmp(openers[i].kind, kind) != 0)
			continue;
		descriptor = openers[i].open();
		if (descriptor < 0)
			sandbox_skip("give %s: %s", kind, strerror(errno));
		return;
	}
	other_group = strcmp(kind, "ids") == 0;
	if (!other_group)
		start_helper(kind);
}

void given_file(const char *victim)
{
	if (other_group && (chown(victim, 0, OTHER_GROUP) < 0 || chmod(victim, 02755) < 0))
		sandbox_skip("%s: no group of its own: %s", victim, strerror(errno));
}

void given_place(void)
{
	if (descriptor >= 0 && descriptor != GIVEN_FD && dup2(descriptor, GIVEN_FD) < 0)
		_exit(127);
	close_range(3, GIVEN_FD - 1, 0);
	close_range(descriptor >= 0 ? GIVEN_FD + 1 : GIVEN_FD, ~0U, 0);
}

void given_apply(pid_t victim)
{
	int status;

	if (order < 0)
		return;
	if (write(order, &victim, sizeof(victim)) != sizeof(victim) ||
	    waitpid(helper, &status, 0) != helper || !WIFEXITED(status))
		sandbox_skip("the helper is gone");
	close(order);
	order = -1;
	if (WEXITSTATUS(status)) {
		kill(victim, SIGKILL);
		waitpid(victim, NULL, 0);
		sandbox_skip("set the scheduling policy: %s", strerror(WEXITSTATUS(status)));
	}
}
