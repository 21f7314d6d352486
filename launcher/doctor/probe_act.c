/* See probe.h: the acts. Each runs in a child of its own, may do what it likes there, and returns 0
 * or a positive errno. Sources: clone(2), user_namespaces(7), time_namespaces(7), prctl(2). */
#include "launcher/doctor/probe.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "proc/status.h"
#include "base/privilege.h"
#include "restore/tids.h"

#include <fcntl.h>
#include <sched.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static void raise_capability(void)
{
	int capability = privilege_tid_capability();

	if (capability >= 0)
		privilege_raise(capability, true);
}

/* Exit status of a child, or an errno. */
static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int clone_with_tid(pid_t tid)
{
	pid_t tids[] = {tid};
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)tids, .set_tid_size = 1};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(getpid() == tid ? 0 : EBADMSG);
	return reap((pid_t)pid);
}

/* A number that was free a moment ago: that of a child just reaped. */
static int act_clone3(void)
{
	int r = EAGAIN;

	raise_capability();
	for (int tries = 0; tries < 3; tries++) {
		pid_t pid = fork();

		if (pid < 0)
			return errno;
		if (pid == 0)
			_exit(0);
		reap(pid);
		r = clone_with_tid(pid);
		if (r != EEXIST)
			break;
	}
	return r;
}

static int write_text(const char *path, const char *text)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : write_full(fd, text, strlen(text));

	return -r;
}

/* Becomes the owner of new namespaces; `flags` beside CLONE_NEWUSER. */
static int enter_namespaces(int flags)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	/* a program with file capabilities does not own its /proc files otherwise */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER | flags) < 0)
		return errno;
	r = write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (r == 0)
		r = write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return r == 0 ? write_text("/proc/self/gid_map", map) : r;
}

/* Runs `act` as the first process of the new PID namespace. */
static int as_init(int (*act)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(act());
	return reap(pid);
}

static int act_walk(void)
{
	pid_t first = fork(), second;

	if (first == 0)
		_exit(0);
	if (first < 0)
		return errno;
	reap(first);
	second = fork();
	if (second == 0)
		_exit(0);
	if (second < 0)
		return errno;
	reap(second);
	/* others may fork in between, and the counter may wrap, but it never gives one twice
	 * running */
	return second != first ? 0 : EBADMSG;
}

/* Where a filter hides clone3 the counter of the new namespace is set or walked (namespace.c). */
static int clone_300(void)
{
	return tids_has_clone3() ? clone_with_tid(300) : act_walk();
}

static int act_userns(void)
{
	int r = enter_namespaces(TIDS_NAMESPACES);

	return r ? r : as_init(clone_300);
}

static int is_clock_ahead(void)
{
	return monotonic_ns() >= 1000000ull * 1000000000 ? 0 : EBADMSG;
}

static int act_time_ns(void)
{
	int r = enter_namespaces(CLONE_NEWPID | CLONE_NEWTIME);

	if (r == 0)
		r = write_text("/proc/self/timens_offsets", "monotonic 1000000 0\n");
	return r ? r : as_init(is_clock_ahead);
}

static int mount_proc(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return errno;
	return access("/proc/1/status", R_OK) < 0 ? errno : 0;
}

static int act_proc_mount(void)
{
	int r = enter_namespaces(CLONE_NEWPID | CLONE_NEWNS);

	return r ? r : as_init(mount_proc);
}

/* Writing what is there anyway: the kernel goes on from the same number. */
static int act_ns_last_pid(void)
{
	static const char path[] = "/proc/sys/kernel/ns_last_pid";
	CLEANUP_FREE char *text = NULL;
	int r;

	raise_capability();
	r = read_file(path, 64, &text, NULL);
	return r < 0 ? -r : write_text(path, text);
}

static int act_ptrace(void)
{
	int status, r = 0;
	pid_t pid;

	/* a JVM is dumpable; this program is not when it has file capabilities */
	prctl(PR_SET_DUMPABLE, 1);
	pid = fork();
	if (pid < 0)
		return errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
		r = errno;
	else if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		r = EBADMSG;
	kill(pid, SIGKILL);
	reap(pid);
	return r;
}

/* The first entry is a mapped file of ours: the program itself. */
static int act_map_files(void)
{
	CLEANUP_CLOSEDIR DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	raise_capability();
	prctl(PR_SET_DUMPABLE, 1);
	dir = opendir("/proc/self/map_files");
	if (!dir)
		return errno;
	while ((entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	if (!entry)
		return ENOENT;
	fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

struct scan_arg { /* struct pm_scan_arg of include/uapi/linux/fs.h, Linux 6.7 */
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
struct scan_region {
	uint64_t start, end, categories;
};
#define SCAN_IOCTL   _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1u << 3)

static int act_pagemap_scan(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct scan_region region = {0};
	struct scan_arg arg = {.size = sizeof(arg),
			       .start = (uintptr_t)page,
			       .end = (uintptr_t)page + sizeof(page),
			       .vec = (uintptr_t)&region,
			       .vec_len = 1,
			       .category_mask = SCAN_PRESENT,
			       .return_mask = SCAN_PRESENT};
	CLEANUP_CLOSE int fd = -1;
	int n;

	prctl(PR_SET_DUMPABLE, 1);
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	page[0] = 1;
	n = fd < 0 ? -1 : ioctl(fd, SCAN_IOCTL, &arg);
	if (n < 0)
		return errno;
	return n == 1 && region.start == (uintptr_t)page ? 0 : EBADMSG;
}

/* Sets the fields to what they are. */
static int act_mm_map(void)
{
	struct prctl_mm_map map = {.exe_fd = (uint32_t)-1};
	struct proc_stat stat;
	int r;

	prctl(PR_SET_DUMPABLE, 1);
	r = proc_stat_read(getpid(), &stat, NULL);
	if (r < 0)
		return -r;
	map.start_code = stat.start_code;
	map.end_code = stat.end_code;
	map.start_data = stat.start_data;
	map.end_data = stat.end_data;
	map.start_brk = stat.start_brk;
	map.brk = (uintptr_t)sbrk(0);
	map.start_stack = stat.start_stack;
	map.arg_start = stat.arg_start;
	map.arg_end = stat.arg_end;
	map.env_start = stat.env_start;
	map.env_end = stat.env_end;
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0 ? errno : 0;
}

const struct probe probes[PROBE_COUNT] = {
	[PROBE_CLONE3] = {"clone3", "clone3 with chosen ids", false, act_clone3},
	[PROBE_USERNS] = {"userns", "chosen ids in a new user and PID namespace", false,
			  act_userns},
	[PROBE_TIME_NS] = {"time-namespace", "a time namespace in a new user namespace", false,
			   act_time_ns},
	[PROBE_PROC_MOUNT] = {"proc-mount", "mounting /proc in a new user namespace", false,
			      act_proc_mount},
	[PROBE_NS_LAST_PID] = {"ns-last-pid", "writing /proc/sys/kernel/ns_last_pid", false,
			       act_ns_last_pid},
	[PROBE_WALK] = {"walk", "walking the PID counter with plain clone", false, act_walk},
	[PROBE_PTRACE] = {"ptrace", "ptrace of one's own child", true, act_ptrace},
	[PROBE_MAP_FILES] = {"map-files", "opening /proc/PID/map_files", false, act_map_files},
	[PROBE_PAGEMAP_SCAN] = {"pagemap-scan", "the PAGEMAP_SCAN ioctl", false, act_pagemap_scan},
	[PROBE_MM_MAP] = {"mm-map", "prctl(PR_SET_MM_MAP)", true, act_mm_map},
};
