/* The process record: memory layout fields, limits, clocks and the odd per-process settings. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define AUXV_MAX 4096u

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif

static int read_proc(struct capture *c, const char *name, size_t max, char **ret_text,
		     size_t *ret_size, struct jsnap_error *err)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", c->options->pid, name);
	r = read_file(path, max, ret_text, ret_size);
	if (r < 0)
		return error_set(err, -r, "read %s: %s", path, strerror(-r));
	return 0;
}

static int capture_layout(struct capture *c, struct jsnap_error *err)
{
	struct m_process *p = c->m->process;
	struct proc_stat stat;
	CLEANUP_FREE char *auxv = NULL;
	size_t size;
	long brk;
	int r = proc_stat_read(c->options->pid, &stat, err);

	if (r == 0)
		r = read_proc(c, "auxv", AUXV_MAX, &auxv, &size, err);
	if (r == 0)
		r = capture_call(c, &brk, err, "ask the program break", SYS_brk, REMOTE_ARGS(0));
	if (r == 0)
		r = manifest_blob(c->m, auxv, size, &p->auxv);
	if (r < 0)
		return r;
	p->start_code = stat.start_code;
	p->end_code = stat.end_code;
	p->start_data = stat.start_data;
	p->end_data = stat.end_data;
	p->start_brk = stat.start_brk;
	p->brk = (uint64_t)brk;
	p->start_stack = stat.start_stack;
	p->arg_start = stat.arg_start;
	p->arg_end = stat.arg_end;
	p->env_start = stat.env_start;
	p->env_end = stat.env_end;
	return 0;
}

static int capture_links(struct capture *c, struct jsnap_error *err)
{
	char path[64], target[4096];
	struct stat st;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/cwd", c->options->pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return error_errno(err, "read %s", path);
	target[n] = '\0';
	r = manifest_string(c->m, target, &c->m->process->cwd);
	if (r < 0)
		return error_set(err, -r, "out of memory");
	snprintf(path, sizeof(path), "/proc/%d/exe", c->options->pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0 || stat(path, &st) < 0)
		return error_errno(err, "read %s", path);
	target[n] = '\0';
	return capture_backing(c, target, &st, M_BACKING_EXE, &c->m->process->exe_backing, err);
}

/* Offsets of the target's time namespace against this one's: "monotonic  SEC  NSEC". */
static int64_t clock_offset(const char *text, const char *clock)
{
	const char *line = strstr(text, clock);
	long long sec, nsec;

	if (!line || sscanf(line + strlen(clock), "%lld %lld", &sec, &nsec) != 2)
		return 0;
	return sec * 1000000000ll + nsec;
}

static uint64_t clock_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* After everything that has a time left: a clock read before would let it pass too early. */
int capture_clocks(struct capture *c, struct jsnap_error *err)
{
	struct m_process *p = c->m->process;
	CLEANUP_FREE char *theirs = NULL, *ours = NULL;
	int64_t monotonic = 0, boottime = 0;

	if (read_proc(c, "timens_offsets", 4096, &theirs, NULL, NULL) == 0 &&
	    read_file("/proc/self/timens_offsets", 4096, &ours, NULL) == 0) {
		monotonic = clock_offset(theirs, "monotonic") - clock_offset(ours, "monotonic");
		boottime = clock_offset(theirs, "boottime") - clock_offset(ours, "boottime");
	}
	p->monotonic_ns = clock_now(CLOCK_MONOTONIC) + (uint64_t)monotonic;
	p->boottime_ns = clock_now(CLOCK_BOOTTIME) + (uint64_t)boottime;
	p->realtime_ns = clock_now(CLOCK_REALTIME);
	(void)err;
	return 0;
}

/* Its flags; 0 on a kernel before Linux 6.3. */
static int remote_mdwe(struct capture *c, struct jsnap_error *err)
{
	long result;
	int r = remote_call(&c->leader, &result, err, SYS_prctl, REMOTE_ARGS(PR_GET_MDWE));

	return r < 0 ? r : result > 0 ? (int)result : 0;
}

/* What a program took over from whoever started it, which jsnap has too, is taken over again from
 * whoever restores it; what it has set itself is its own. */
static int capture_inherited(struct capture *c, struct jsnap_error *err)
{
	struct m_process *p = c->m->process;
	CLEANUP_FREE char *oom = NULL, *own_oom = NULL;
	struct proc_status own;
	int r = proc_status_read(getpid(), 0, &own, err);

	if (r == 0)
		r = read_proc(c, "oom_score_adj", 64, &oom, NULL, err);
	if (r == 0)
		r = read_file("/proc/self/oom_score_adj", 64, &own_oom, NULL);
	if (r < 0)
		return r;
	p->umask = own.umask == c->status.umask ? MANIFEST_NONE : c->status.umask;
	p->oom_score_adj =
		strcmp(oom, own_oom) == 0 ? M_OOM_AS_RESTORER : (int32_t)strtol(oom, NULL, 10);
	return 0;
}

static int capture_settings(struct capture *c, struct jsnap_error *err)
{
	struct m_process *p = c->m->process;
	CLEANUP_FREE char *personality = NULL;
	uint32_t subreaper = 0;
	long dumpable, thp = 0;
	int mdwe;
	int r = read_proc(c, "personality", 64, &personality, NULL, err);

	if (r == 0)
		r = capture_call(c, &dumpable, err, "ask PR_GET_DUMPABLE", SYS_prctl,
				 REMOTE_ARGS(PR_GET_DUMPABLE));
	if (r == 0)
		r = capture_call(c, &thp, err, "ask PR_GET_THP_DISABLE", SYS_prctl,
				 REMOTE_ARGS(PR_GET_THP_DISABLE));
	if (r == 0)
		r = capture_call_out(c, &subreaper, sizeof(subreaper), err,
				     "ask PR_GET_CHILD_SUBREAPER", SYS_prctl,
				     REMOTE_ARGS(PR_GET_CHILD_SUBREAPER, CAPTURE_OUT));
	if (r < 0)
		return r;
	mdwe = remote_mdwe(c, err);
	if (mdwe < 0)
		return mdwe;
	if (mdwe != prctl(PR_GET_MDWE, 0, 0, 0, 0) && mdwe > 0)
		return error_set(
			err, ENOTSUP,
			"it may not make memory writable and executable (PR_SET_MDWE), which "
			"is not carried");
	p->personality = (uint32_t)strtoul(personality, NULL, 16);
	p->dumpable = (uint8_t)dumpable;
	p->thp_disable = (uint8_t)thp;
	p->child_subreaper = subreaper != 0;
	return 0;
}

int capture_process(struct capture *c, struct jsnap_error *err)
{
	struct m_process *p = c->m->process;
	int r;

	p->pid = (uint32_t)c->ns_pid;
	p->euid = c->status.uid[1];
	p->no_new_privs = c->status.no_new_privs > 0;
	p->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	for (unsigned i = 0; i < RLIM_NLIMITS && i < 16; i++) {
		struct rlimit limit;

		if (prlimit(c->options->pid, i, NULL, &limit) < 0)
			return error_errno(err, "read limit %u of process %d", i, c->options->pid);
		p->rlimits[i][0] = limit.rlim_cur;
		p->rlimits[i][1] = limit.rlim_max;
	}
	r = capture_layout(c, err);
	if (r == 0)
		r = capture_links(c, err);
	if (r == 0)
		r = capture_settings(c, err);
	if (r == 0)
		r = capture_inherited(c, err);
	return r;
}
