/*
 * The runner's dealings with the system. Nothing here knows what a checkpoint is.
 */
#include "sandbox.h"

#include "given.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

static const struct sandbox *entered; /* what a skip has to clear away */

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(saved));
	exit(1);
}

void sandbox_skip(const char *fmt, ...)
{
	const char *strict = getenv("JSNAP_TEST_STRICT");
	bool fail = strict && strcmp(strict, "1") == 0;
	va_list ap;

	printf("%s: ", fail ? "failed (JSNAP_TEST_STRICT=1, would skip)" : "skipped");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (entered)
		sandbox_remove(entered);
	exit(fail ? 1 : SKIPPED);
}

double now_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void sleep_seconds(double seconds)
{
	struct timespec ts = {.tv_sec = seconds, .tv_nsec = (seconds - (long)seconds) * 1e9};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;

	if (in < 0 || out < 0)
		die("copy %s to %s", from, to);
	while ((n = read(in, buffer, sizeof(buffer))) > 0) {
		if (write(out, buffer, n) != n)
			die("write %s", to);
	}
	if (n < 0 || fchmod(out, 0755) < 0 || close(out) < 0)
		die("copy %s", from);
	close(in);
}

static void set_capability(const char *file)
{
	cap_t caps = cap_from_text("cap_checkpoint_restore=p");

	if (!caps || cap_set_file(file, caps) < 0)
		sandbox_skip("setcap cap_checkpoint_restore=p %s: %s", file, strerror(errno));
	cap_free(caps);
}

static void prepare_cap(struct sandbox *box)
{
	const char *ready = getenv("JSNAP_TEST_CAP_JSNAP");
	struct statvfs fs;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		sandbox_skip("no_new_privs is set: file capabilities are ignored");
	if (prctl(PR_CAPBSET_READ, CAP_CHECKPOINT_RESTORE, 0, 0, 0) != 1)
		sandbox_skip("CAP_CHECKPOINT_RESTORE is not in the bounding set");
	if (geteuid() != 0) {
		if (!ready)
			sandbox_skip("no root for setcap, and JSNAP_TEST_CAP_JSNAP names no jsnap "
				     "that has the capability");
		snprintf(box->jsnap, sizeof(box->jsnap), "%s", ready);
		return;
	}
	if (statvfs(box->dir, &fs) == 0 && (fs.f_flag & ST_NOSUID))
		sandbox_skip("%s is mounted nosuid: file capabilities are ignored", box->dir);
	set_capability(box->jsnap);
}

static void prepare_userns(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		die("fork");
	if (WEXITSTATUS(status))
		sandbox_skip("no unprivileged user namespaces here: unshare: %s",
			     strerror(WEXITSTATUS(status)));
}

static uid_t unprivileged(void)
{
	const char *sudo = getenv("SUDO_UID");
	long uid = sudo ? strtol(sudo, NULL, 10) : 0;

	return uid > 0 ? (uid_t)uid : 65534;
}

static void drop_root(const struct sandbox *box)
{
	uid_t uid = unprivileged();
	gid_t gid = uid;
	char bin[PATH_MAX];

	snprintf(bin, sizeof(bin), "%s/bin", box->dir);
	/* The files in it stay root's, for chown would take the capability away. */
	if (chown(box->dir, uid, gid) < 0 || chown(bin, uid, gid) < 0)
		die("chown %s", box->dir);
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		die("become uid %d", (int)uid);
	/* Changing the uid made this process undumpable, which a child of fork would inherit. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		die("PR_SET_DUMPABLE");
}

/* Mounts at `place`, or below it too. */
static int count_mounts(const char *place, bool below)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t length = strlen(place);
	char line[8192], at[4096];
	int count = 0;

	if (!f)
		die("/proc/self/mountinfo");
	while (fgets(line, sizeof(line), f)) /* proc(5): the fifth word is the mount point */
		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) == 1 &&
		    strncmp(at, place, length) == 0 &&
		    (at[length] == '\0' || (below && at[length] == '/')))
			count++;
	fclose(f);
	return count;
}

int sandbox_mounts(const struct sandbox *box)
{
	int on_proc = count_mounts("/proc", false) - box->proc_mounts;
	int own = count_mounts(box->dir, true);

	if (on_proc > 0)
		fprintf(stderr, "left behind: %d mounts on /proc\n", on_proc);
	if (own)
		fprintf(stderr, "left behind: %d mounts in %s\n", own, box->dir);
	return (on_proc > 0 ? on_proc : 0) + own;
}

/* Whether a process was started by the runner, or restored from one that was: its program is the
 * folder's. */
static bool is_ours(const struct sandbox *box, const char *pid)
{
	char path[300], name[sizeof(box->dir)] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	name[fread(name, 1, strlen(box->dir), f)] = '\0';
	fclose(f);
	return strcmp(name, box->dir) == 0;
}

static void end_ours(const struct sandbox *box)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (atoi(entry->d_name) > 0 && is_ours(box, entry->d_name))
			kill(atoi(entry->d_name), SIGKILL);
	if (proc)
		closedir(proc);
}

/* A runner that is ended from outside, as a test is that takes too long, can't clear up: a process
 * that is none of its children does, once its end of the pipe is closed. */
static void start_heir(const struct sandbox *box)
{
	int ends[2];
	pid_t pid;
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("start the heir");
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		setsid();
		close(ends[1]);
		close_range(0, ends[0] - 1, 0);
		close_range(ends[0] + 1, ~0U, 0);
		while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
			;
		end_ours(box);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	close(ends[0]);
}

void sandbox_enter(struct sandbox *box, enum privilege privilege, const char *jsnap,
		   const char *victim)
{
	static const char *const folders[] = {"images", "tmp", "home", "v"};
	char path[PATH_MAX];

	if (access(jsnap, X_OK) < 0 || access(victim, X_OK) < 0)
		die("%s or %s", jsnap, victim);
	snprintf(box->dir, sizeof(box->dir), "/tmp/jsnap-victim-XXXXXX");
	if (!mkdtemp(box->dir))
		die("mkdtemp %s", box->dir);
	entered = box;
	box->proc_mounts = count_mounts("/proc", false);
	snprintf(path, sizeof(path), "%s/bin", box->dir);
	if (mkdir(path, 0755) < 0)
		die("mkdir %s", path);
	snprintf(box->jsnap, sizeof(box->jsnap), "%s/bin/jsnap", box->dir);
	snprintf(box->victim, sizeof(box->victim), "%s/bin/victim", box->dir);
	copy_file(jsnap, box->jsnap);
	copy_file(victim, box->victim);
	given_file(box->victim);
	if (privilege == PRIVILEGE_CAP)
		prepare_cap(box);
	if (geteuid() == 0)
		drop_root(box);
	if (privilege != PRIVILEGE_CAP)
		prepare_userns();
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", box->dir, folders[i]);
		if (mkdir(path, 0700) < 0)
			die("mkdir %s", path);
	}
	start_heir(box);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("PR_SET_CHILD_SUBREAPER");
	if (chdir(box->dir) < 0)
		die("chdir %s", box->dir);
	snprintf(path, sizeof(path), "%s/tmp", box->dir);
	setenv("TMPDIR", path, 1);
	snprintf(path, sizeof(path), "%s/home", box->dir);
	setenv("HOME", path, 1);
	unsetenv("XDG_CACHE_HOME");
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_RUNTIME_DIR");
}

static int open_output(const struct sandbox *box, const char *name, const char *suffix)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.%s", box->dir, name, suffix);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		die("open %s", path);
	return fd;
}

/* Two of the calls that the default seccomp filters of containers deny. */
static void filter_calls(uint32_t one, uint32_t other, uint32_t error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, one, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(127);
}

pid_t sandbox_spawn(const struct sandbox *box, const char *name, const char *const argv[])
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open_output(box, name, "out");
	int err = open_output(box, name, "err");
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		setsid();
		if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
			_exit(127);
		/* A descriptor that leaked in from the caller is no business of the victim's. */
		if (strcmp(name, "victim") == 0)
			given_place();
		else
			close_range(3, ~0U, 0);
		if (box->confined && strcmp(name, "restore") != 0)
			filter_calls(SYS_kexec_load, SYS_kexec_load, EPERM);
		if (box->filtered && strcmp(name, "dump") == 0)
			filter_calls(SYS_pidfd_getfd, SYS_kcmp, EPERM);
		if (box->no_clone3 && strcmp(name, "restore") == 0)
			filter_calls(SYS_clone3, SYS_clone3, ENOSYS);
		execv(argv[0], (char *const *)argv);
		dprintf(2, "exec %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(null);
	close(out);
	close(err);
	return pid;
}

int sandbox_wait(pid_t pid, double seconds)
{
	double deadline = now_seconds() + seconds;
	int status;

	while (now_seconds() < deadline) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		if (got < 0)
			die("waitpid %d", (int)pid);
		sleep_seconds(0.002);
	}
	fprintf(stderr, "process %d still runs after %.0f s\n", (int)pid, seconds);
	return -1;
}

/* The value of a numeric line of /proc/PID/status; of NSpid the last number; 0 when there is none.
 */
static pid_t status_number(pid_t pid, const char *key)
{
	char path[64], line[256];
	pid_t value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		char *last;

		if (strncmp(line, key, strlen(key)) != 0 || line[strlen(key)] != ':')
			continue;
		last = strrchr(line, '\t');
		value = last ? atoi(last) : 0;
	}
	fclose(f);
	return value;
}

/* Calls `use` for each living or dead child of `parent` until it returns true. */
static pid_t each_child(pid_t parent, bool (*use)(pid_t pid, pid_t arg), pid_t arg)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	if (!proc)
		die("opendir /proc");
	while (!found && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && status_number(pid, "PPid") == parent && use(pid, arg))
			found = pid;
	}
	closedir(proc);
	return found;
}

static bool is_number(pid_t pid, pid_t number)
{
	return status_number(pid, "NSpid") == number;
}

pid_t sandbox_find_child(pid_t parent, pid_t number)
{
	return each_child(parent, is_number, number);
}

static bool name_and_kill(pid_t pid, pid_t unused)
{
	char path[64], name[64] = "?";
	FILE *f;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = 0;
		fclose(f);
	}
	fprintf(stderr, "left behind: process %d (%s)\n", (int)pid, name);
	kill(pid, SIGKILL);
	return false;
}

int sandbox_leftovers(void)
{
	double grace = now_seconds() + 2; /* a namespace's init may be dying still */
	int count = 0, status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return count;
		if (pid == 0 && now_seconds() > grace) {
			count++;
			each_child(getpid(), name_and_kill, 0);
			grace = now_seconds() + 1;
		}
		sleep_seconds(0.005);
	}
}

int sandbox_strangers(const struct sandbox *box, const char *name, char *const expected[])
{
	char path[PATH_MAX];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", box->dir, name);
	dir = opendir(path);
	if (!dir)
		die("opendir %s", path);
	while ((entry = readdir(dir))) {
		bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;

		for (char *const *e = expected; *e; e++)
			known |= strcmp(entry->d_name, *e) == 0;
		if (!known) {
			fprintf(stderr, "left behind: file %s/%s\n", path, entry->d_name);
			count++;
		}
	}
	closedir(dir);
	return count;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void sandbox_remove(const struct sandbox *box)
{
	if (nftw(box->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0)
		fprintf(stderr, "cannot remove %s: %s\n", box->dir, strerror(errno));
}

void sandbox_show(const struct sandbox *box, const char *file)
{
	char path[PATH_MAX], line[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", box->dir, file);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "%s: %s", file, line);
	if (f)
		fclose(f);
}

bool sandbox_contains(const struct sandbox *box, const char *file, const char *words)
{
	char path[PATH_MAX], text[8192];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", box->dir, file);
	f = fopen(path, "re");
	if (!f)
		die("open %s", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	return strcasestr(text, words) != NULL;
}
