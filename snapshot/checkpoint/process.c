/* The process record: memory layout fields, limits, clocks and the odd per-process settings. */
#include "checkpoint/capture.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <asm/prctl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define AUXV_MAX 4096u

#define MEMPOLICY_NODES 1024u /* MAX_NUMNODES of x86 */

#define GET_REGISTRATIONS 512u /* MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3 */

#ifndef ARCH_GET_CPUID
#define ARCH_GET_CPUID 0x1011
#endif
#ifndef PR_GET_MEMORY_MERGE
#define PR_GET_MEMORY_MERGE 68 /* Linux 6.4 */
#endif
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
	p->monotonic_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)monotonic;
	p->boottime_ns = clock_ns(CLOCK_BOOTTIME) + (uint64_t)boottime;
	p->realtime_ns = clock_ns(CLOCK_REALTIME);
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

/* Settings that nothing brings back: what a program that never made them is told. */
static int refuse_settings(struct capture *c, struct jsnap_error *err)
{
	long ldt, cpuid, tsc;
	int mode = PR_TSC_ENABLE;
	int r = remote_call(&c->leader, &ldt, err, SYS_modify_ldt,
			    REMOTE_ARGS(0, c->leader.data.value, 8));

	if (r == 0)
		r = remote_call(&c->leader, &cpuid, err, SYS_arch_prctl,
				REMOTE_ARGS(ARCH_GET_CPUID));
	if (r == 0)
		r = remote_call(&c->leader, &tsc, err, SYS_prctl,
				REMOTE_ARGS(PR_GET_TSC, c->leader.data.value));
	if (r == 0 && tsc == 0)
		r = tracee_read(&c->tracee, c->leader.data, &mode, sizeof(mode), err);
	if (r < 0)
		return r;
	if (ldt > 0)
		return error_set(err, ENOTSUP,
				 "it has a local descriptor table (modify_ldt(2)), which is not "
				 "carried");
	if (cpuid == 0 || mode != PR_TSC_ENABLE)
		return error_set(err, ENOTSUP,
				 "it may not use the instruction %s (%s), which is not carried",
				 cpuid == 0 ? "CPUID" : "RDTSC",
				 cpuid == 0 ? "ARCH_SET_CPUID" : "PR_SET_TSC");
	return 0;
}

struct policy { /* what get_mempolicy(2) fills in */
	uint64_t mode, nodes[MEMPOLICY_NODES / 64];
};

static int capture_mempolicy(struct capture *c, struct jsnap_error *err)
{
	const uint64_t data = c->leader.data.value, max = MEMPOLICY_NODES;
	struct policy theirs = {0}, own = {0};
	long result;
	int r = tracee_write(&c->tracee, c->leader.data, &theirs, sizeof(theirs), err);

	if (r == 0)
		r = remote_call(&c->leader, &result, err, SYS_get_mempolicy,
				REMOTE_ARGS(data, data + offsetof(struct policy, nodes), max));
	if (r == 0 && result == 0)
		r = tracee_read(&c->tracee, c->leader.data, &theirs, sizeof(theirs), err);
	if (r < 0)
		return r;
	if (result < 0 || syscall(SYS_get_mempolicy, &own.mode, own.nodes, max, NULL, 0) < 0 ||
	    memcmp(&theirs, &own, sizeof(own)) == 0)
		return 0; /* a kernel without it, a filter, or as the caller has it */
	for (size_t i = 1; i < ARRAY_SIZE(theirs.nodes); i++)
		if (theirs.nodes[i])
			return error_set(
				err, ENOTSUP,
				"its memory policy (set_mempolicy(2)) names a node above 63, "
				"which is not carried");
	c->m->process->mempolicy = (uint32_t)theirs.mode;
	c->m->process->mempolicy_nodes = theirs.nodes[0];
	return 0;
}

/* What the kernel does not know, or a filter forbids, the program could not set either. */
static int capture_rarer(struct capture *c, struct jsnap_error *err)
{
	struct m_process *p = c->m->process;
	long membarrier = 0, merge = 0, mce = 0;
	int r = remote_call(&c->leader, &membarrier, err, SYS_membarrier,
			    REMOTE_ARGS(GET_REGISTRATIONS));

	if (r == 0)
		r = remote_call(&c->leader, &merge, err, SYS_prctl,
				REMOTE_ARGS(PR_GET_MEMORY_MERGE));
	if (r == 0)
		r = remote_call(&c->leader, &mce, err, SYS_prctl, REMOTE_ARGS(PR_MCE_KILL_GET));
	if (r < 0)
		return r;
	p->membarrier = membarrier >= 0		? (uint32_t)membarrier
			: membarrier == -EINVAL ? M_MEMBARRIER_UNKNOWN
						: 0;
	p->memory_merge = merge > 0;
	p->mce_kill = mce >= 0 ? (uint8_t)mce : PR_MCE_KILL_DEFAULT;
	r = capture_mempolicy(c, err);
	return r < 0 ? r : capture_future_locks(c, &p->future_locks, err);
}

/* What a program took over from whoever started it, which jsnap has too, is taken over again from
 * whoever restores it; what it has set itself is its own. */
static int capture_inherited(struct capture *c, struct jsnap_error *err)
{
	struct m_process *p = c->m->process;
	CLEANUP_FREE char *oom = NULL, *own_oom = NULL, *core = NULL, *own_core = NULL;
	struct proc_status own;
	int r = proc_status_read(getpid(), 0, &own, err);

	if (r == 0)
		r = read_proc(c, "oom_score_adj", 64, &oom, NULL, err);
	if (r == 0)
		r = read_file("/proc/self/oom_score_adj", 64, &own_oom, NULL);
	if (r < 0)
		return r;
	p->coredump_filter = MANIFEST_NONE; /* kernels without core dumps have no such file */
	if (read_proc(c, "coredump_filter", 64, &core, NULL, NULL) == 0 &&
	    read_file("/proc/self/coredump_filter", 64, &own_core, NULL) == 0 &&
	    strcmp(core, own_core) != 0)
		p->coredump_filter = (uint32_t)strtoul(core, NULL, 16);
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
	p->seccomp_filters = proc_seccomp_filters(&c->status);
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
		r = refuse_settings(c, err);
	if (r == 0)
		r = capture_rarer(c, err);
	if (r == 0)
		r = capture_inherited(c, err);
	return r;
}
