/* See probe.h: running the probes, the facts around them, and what follows. */
#include "launcher/doctor/probe.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/privilege.h"
#include "proc/status.h"
#include "restore/walk.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#define PROBE_SECONDS 10 /* a probe that hangs is ended by SIGALRM and counts as ETIMEDOUT */

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

static int run_probe(const struct probe *probe)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(PROBE_SECONDS);
		_exit(probe->act() & 0xff);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	/* a seccomp filter may answer with a signal */
	return WTERMSIG(status) == SIGALRM ? ETIMEDOUT : ENOSYS;
}

static long read_long(const char *path)
{
	CLEANUP_FREE char *text = NULL;

	return read_file(path, 64, &text, NULL) < 0 ? -1 : atol(text);
}

static void read_line(const char *path, char *text, size_t size)
{
	CLEANUP_FREE char *data = NULL;

	text[0] = '\0';
	if (read_file(path, 4096, &data, NULL) == 0)
		snprintf(text, size, "%.*s", (int)strcspn(data, "\n"), data);
}

static bool has_file_cap(const char *path)
{
	cap_t caps = cap_get_file(path);
	cap_flag_value_t value = CAP_CLEAR;

	if (!caps)
		return false;
	cap_get_flag(caps, CAP_CHECKPOINT_RESTORE, CAP_PERMITTED, &value);
	cap_free(caps);
	return value == CAP_SET;
}

static void read_executable(struct place *place)
{
	const uint64_t permitted = privilege_permitted();
	struct statvfs fs;
	ssize_t n = readlink("/proc/self/exe", place->executable, sizeof(place->executable) - 1);

	place->executable[n > 0 ? n : 0] = '\0';
	place->has_file_cap = has_file_cap(place->executable);
	place->is_nosuid = statvfs(place->executable, &fs) == 0 && (fs.f_flag & ST_NOSUID);
	place->may_hold_cap = cap_get_bound(CAP_CHECKPOINT_RESTORE) == 1;
	place->holds_cap = permitted >> CAP_CHECKPOINT_RESTORE & 1;
	place->is_root = geteuid() == 0;
	place->is_plain_root = place->is_root && !(permitted >> CAP_SETFCAP & 1);
}

/* A call without effect: what forbids it is a filter, which may answer with a signal. */
static int act_unshare(void)
{
	return unshare(0) < 0 ? errno : 0;
}

static void read_counter(struct place *place)
{
	struct walk_place counter = {-1, -1};

	walk_place_read(&counter, NULL);
	place->last_pid = counter.cursor;
	place->pid_max = counter.pid_max;
	if (walk_measure(&place->step_ns, NULL) < 0)
		place->step_ns = 0;
}

bool probe_walk_affordable(const struct place *place)
{
	if ((place->last_pid >= 0 && place->last_pid < WALK_YOUNG) || !place->step_ns)
		return true;
	return (uint64_t)place->pid_max * place->step_ns <= place->walk_budget_ns;
}

const char *probe_why(const struct place *place, enum probe_id id)
{
	int why = place->results[id];

	return id == PROBE_WALK && why == E2BIG ? "too far for --walk-budget" : strerror(why);
}

void probe_place(uint64_t walk_budget_ns, struct place *ret_place)
{
	struct place *p = ret_place;
	struct proc_status status;

	*p = (struct place){
		.seccomp = -1, .walk_budget_ns = walk_budget_ns, .up_ns = clock_ns(CLOCK_BOOTTIME)};
	for (int i = 0; i < PROBE_COUNT; i++)
		p->results[i] = run_probe(&probes[i]);
	read_executable(p);
	if (proc_status_read(getpid(), 0, &status, NULL) == 0)
		p->seccomp = status.seccomp;
	p->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	read_counter(p);
	if (p->results[PROBE_WALK] == 0 && !probe_walk_affordable(p))
		p->results[PROBE_WALK] = E2BIG;
	p->yama = read_long("/proc/sys/kernel/yama/ptrace_scope");
	p->userns_clone = read_long("/proc/sys/kernel/unprivileged_userns_clone");
	p->max_userns = read_long("/proc/sys/user/max_user_namespaces");
	p->apparmor_userns = read_long("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
	read_line("/sys/kernel/security/lsm", p->lsm, sizeof(p->lsm));
	read_line("/proc/self/attr/current", p->lsm_label, sizeof(p->lsm_label));
	p->may_unshare = run_probe(&(struct probe){.act = act_unshare}) == 0;
	p->podman = access("/run/.containerenv", F_OK) == 0;
	p->container = p->podman || access("/.dockerenv", F_OK) == 0 || getenv("container") ||
		       getenv("KUBERNETES_SERVICE_HOST");
}

bool probe_way_works(const struct place *place, enum tids_way way)
{
	switch (way) {
	case TIDS_AUTO:
		return probe_best_way(place) != TIDS_AUTO;
	case TIDS_CLONE3:
		return place->results[PROBE_CLONE3] == 0;
	case TIDS_USERNS:
		return place->results[PROBE_USERNS] == 0 && place->results[PROBE_TIME_NS] == 0;
	case TIDS_NS_LAST_PID:
		return place->results[PROBE_NS_LAST_PID] == 0;
	case TIDS_WALK:
		return place->results[PROBE_WALK] == 0;
	}
	return false;
}

enum tids_way probe_best_way(const struct place *place)
{
	static const enum tids_way order[] = {TIDS_CLONE3, TIDS_USERNS, TIDS_NS_LAST_PID,
					      TIDS_WALK};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (probe_way_works(place, order[i]))
			return order[i];
	return TIDS_AUTO;
}

bool probe_can_restore(const struct place *place, enum tids_way wanted)
{
	return place->results[PROBE_MM_MAP] == 0 && probe_way_works(place, wanted);
}

bool probe_can_checkpoint(const struct place *place)
{
	return place->results[PROBE_PTRACE] == 0;
}
