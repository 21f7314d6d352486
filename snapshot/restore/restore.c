/* The orchestrator of a restore: plan, clone, hand over, wait. See restore.h. */
#include "restore/restore.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "restore/open_files.h"
#include "restore/host.h"
#include "restore/plan.h"
#include "base/privilege.h"
#include "restore/tids.h"

#include <fcntl.h>
#include <linux/rseq.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define FDS_MAX		   (1 << 20) /* fs.nr_open's default */
#define REPORT_CHILD_ERROR 2u	     /* rst_report.failed: a struct jsnap_error follows */

struct job {
	struct plan *plan;
	int status_fd, self_pidfd;
};

static int32_t *no_fds(uint32_t count)
{
	int32_t *fds = malloc((count + 1ull) * sizeof(*fds));

	for (uint32_t i = 0; fds && i < count; i++)
		fds[i] = -1;
	return fds;
}

/* What is mapped for writing too is not what a mapping for reading alone can be made from. */
static void number_read_only(struct plan *plan, int32_t *next)
{
	const struct manifest *m = plan->m;

	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const struct m_vma *vma = &m->vmas[i];
		int32_t *fd = NULL;

		if (vma->kind == M_VMA_OBJECT)
			fd = &plan->object_ro_fds[vma->backing];
		else if (vma->kind == M_VMA_FILE_SHARED &&
			 (m->backings[vma->backing].uses & M_BACKING_MAPPED_WRITABLE))
			fd = &plan->backing_ro_fds[vma->backing];
		if (fd && *fd < 0 && plan_maps_read_only(vma))
			*fd = (*next)++;
	}
}

int plan_number_fds(struct plan *plan, struct jsnap_error *err)
{
	const struct manifest *m = plan->m;
	int32_t next = 3;

	for (uint32_t i = 0; i < m->n_fds; i++)
		if (m->fds[i].fd >= (uint32_t)next)
			next = (int32_t)m->fds[i].fd + 1;
	/* Numbers that are only watched by now are taken for a moment while the set is filled. */
	for (uint32_t i = 0; i < m->n_epoll_targets; i++)
		if (m->epoll_targets[i].fd >= (uint32_t)next)
			next = (int32_t)m->epoll_targets[i].fd + 1;
	if (next > FDS_MAX)
		return error_set(err, EMFILE, "the snapshot has descriptors up to %d", next);
	plan->first_engine_fd = (uint32_t)next;
	plan->backing_fds = no_fds(m->n_backings);
	plan->object_fds = no_fds(m->n_objects);
	plan->backing_ro_fds = no_fds(m->n_backings);
	plan->object_ro_fds = no_fds(m->n_objects);
	if (!plan->backing_fds || !plan->object_fds || !plan->backing_ro_fds ||
	    !plan->object_ro_fds)
		return error_set(err, ENOMEM, "out of memory");
	plan->stream_fd = next++;
	for (uint32_t i = 0; i < m->n_backings; i++)
		plan->backing_fds[i] = m->backings[i].uses & M_BACKING_MAPPED ? next++ : -1;
	for (uint32_t i = 0; i < m->n_objects; i++)
		plan->object_fds[i] = next++;
	number_read_only(plan, &next);
	plan->exe_fd = m->process->exe_backing == MANIFEST_NONE ? -1 : next++;
	plan->last_pid_fd = next++;
	plan->status_fd = next;
	return 0;
}

/* glibc registered this thread's rseq area, which is about to be unmapped; the kernel must not
 * write there any more. It wants the size it was told, which __rseq_size no longer is in newer
 * glibc. */
static void unregister_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (!__rseq_size ||
	    syscall(SYS_rseq, area, __rseq_size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
		return;
	for (unsigned size = 32; size <= 512; size += 32)
		if (syscall(SYS_rseq, area, size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
			return;
}

static void note_namespaces(struct region_mark *mark)
{
	static const char *const names[REGION_NAMESPACES] = REGION_NAMESPACE_NAMES;

	for (size_t i = 0; i < REGION_NAMESPACES; i++) {
		char path[64];
		struct stat st;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		mark->namespaces[i] = stat(path, &st) == 0 ? st.st_ino : 0;
	}
}

static void child_main(void *arg, const struct tids_threads *threads)
{
	struct job *job = arg;
	struct rst_plan *head = job->plan->head;
	struct rst_report report = {.failed = REPORT_CHILD_ERROR};
	struct jsnap_error error = {0};

	job->plan->sets_last_pid = threads->last_pid;
	job->plan->head->seek = threads->seek;
	job->plan->head->last_pid_fd = threads->last_pid ? job->plan->last_pid_fd : -1;
	tids_die_with_parent(job->self_pidfd);
	note_namespaces(&head->mark);
	head->phase_start_ns = monotonic_ns();
	if (open_everything(job->plan, &job->status_fd, &error) == 0 &&
	    fault_fail(FAULT_OPEN_FILES, EMFILE, &error) == 0) {
		uint64_t now = monotonic_ns();

		head->phase_ns[RST_FILES] = now - head->phase_start_ns;
		head->phase_start_ns = now;
		unregister_rseq();
		plan_enter(job->plan);
	}
	if (write_full(job->status_fd, &report, sizeof(report)) == 0)
		write_full(job->status_fd, &error, sizeof(error));
	_exit(125);
}

/* 0 when there is word of the child, or its end. */
static int await_report(const struct plan *plan, int fd, struct jsnap_error *err)
{
	int stop_fd = plan->options->stop_fd;
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
			       {.fd = stop_fd ? stop_fd : -1, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return error_errno(err, "wait for the restored process");
	return fds[0].revents ? 0 : error_set(err, ECANCELED, "the restore was asked to end");
}

static int read_report(const struct plan *plan, int fd, uint64_t phase_ns[RESTORE_PHASES],
		       struct jsnap_error *err)
{
	struct rst_report report;
	struct jsnap_error error;
	int r = read_full(fd, &report, sizeof(report));

	if (r < 0)
		return error_set(err, ECHILD, "the restored process died before it ran");
	if (report.failed == 0) {
		memcpy(phase_ns + RESTORE_FILES, report.phase_ns, sizeof(report.phase_ns));
		return 0;
	}
	if (report.failed != REPORT_CHILD_ERROR)
		return plan_explain(plan, &report, err);
	if (read_full(fd, &error, sizeof(error)) < 0 || error.code <= 0)
		return error_set(err, EIO, "the restored process failed without saying why");
	if (err)
		*err = error;
	return -error.code;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

static void end_all(const struct tids_result *child)
{
	kill(child->pid, SIGKILL);
	reap(child->pid);
	if (child->init_pid) {
		kill(child->init_pid, SIGKILL);
		reap(child->init_pid);
	}
}

#define PAGE 4096ull

/* The word's page once more (mremap(2), old_size 0), for the region goes with the plan. */
static uint32_t *share_gate(uint64_t gate)
{
	uint64_t offset = gate % PAGE;
	char *page = gate ? mremap((void *)(gate - offset), 0, PAGE, MREMAP_MAYMOVE) : MAP_FAILED;

	if (page != MAP_FAILED)
		return (uint32_t *)(page + offset);
	if (gate)
		*(volatile uint32_t *)gate = 1;
	return NULL;
}

void restore_let_in(struct restored *restored)
{
	if (!restored->gate)
		return;
	__atomic_store_n(restored->gate, 1, __ATOMIC_SEQ_CST);
	munmap((void *)((uint64_t)restored->gate & ~(PAGE - 1)), PAGE);
	restored->gate = NULL;
}

static int run_plan(struct plan *plan, enum tids_way way, struct restored *ret_restored,
		    struct jsnap_error *err)
{
	uint64_t start = monotonic_ns(), *phase_ns = ret_restored->phase_ns;
	CLEANUP_CLOSE int in = -1, out = -1;
	CLEANUP_CLOSE int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct tids_result child;
	struct job job = {.plan = plan};
	struct tids_request request = {.manifest = plan->m,
				       .way = way,
				       .child = child_main,
				       .arg = &job,
				       .walk_budget_ns = plan->options->walk_budget_ns,
				       .begun = plan->options->begun,
				       .say = plan->options->say};
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	in = ends[0];
	out = ends[1];
	job.status_fd = out;
	job.self_pidfd = request.self_pidfd = self;
	r = tids_clone_leader(&request, &child, err);
	if (r < 0)
		return r;
	close(steal_fd(&out));
	r = await_report(plan, in, err);
	if (r == 0)
		r = read_report(plan, in, phase_ns, err);
	if (r < 0) {
		end_all(&child);
		return r;
	}
	/* Its clock may be another: what is left of the time here was not spent there. */
	phase_ns[RESTORE_CLONE] = monotonic_ns() - start;
	for (int i = RESTORE_FILES; i < RESTORE_PHASES; i++)
		phase_ns[RESTORE_CLONE] -= phase_ns[i];
	ret_restored->pid = child.pid;
	ret_restored->init_pid = child.init_pid;
	if (child.walk.numbers)
		ret_restored->walk = child.walk;
	ret_restored->gate = share_gate(plan->head->doors.gate);
	return 0;
}

/* Nobody but root keeps any, and root no more than the snapshot's process had, without the one that
 * is there for jsnap's sake. */
static void drop_capabilities(struct plan *plan)
{
	const struct manifest *m = plan->m;
	uint64_t own = privilege_permitted();

	plan->keep_capabilities = geteuid() != 0 ? 0 : own & m->host->cap_permitted;
	plan->keep_capabilities &= ~PRIVILEGE_CHECKPOINT_RESTORE;
	plan->drop_capabilities = geteuid() != 0 || plan->keep_capabilities != own;
}

struct attempt {
	const struct restore_options *options;
	struct restored restored;
};

static int attempt(void *arg, enum tids_way way, struct jsnap_error *err)
{
	struct attempt *a = arg;
	CLEANUP_PLAN struct plan plan = {0};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t then = a->options->manifest->process->monotonic_ns;
	int r = plan_create(&plan, a->options, err);

	if (r < 0)
		return r;
	plan.userns = way == TIDS_USERNS;
	plan.time_shifted = plan.userns;
	plan.asleep_ns = plan.time_shifted ? RESTORE_CLOCK_STEP_NS : now - then;
	drop_capabilities(&plan);
	plan.other_vdso = restore_other_vdso(a->options->manifest);
	cpu_here(&plan.to);
	host_layout(a->options->manifest, &plan.from);
	r = plan_number_fds(&plan, err);
	if (r == 0)
		r = plan_fill(&plan, err);
	a->restored.phase_ns[RESTORE_PLAN] = monotonic_ns() - now;
	if (r == 0)
		r = run_plan(&plan, way, &a->restored, err);
	return r;
}

int restore_process(const struct restore_options *options, struct restored *ret_restored,
		    struct jsnap_error *err)
{
	uint64_t start = monotonic_ns();
	struct attempt a = {.options = options};
	const struct tids_ladder ladder = {
		.options = options, .attempt = attempt, .arg = &a, .walk = &a.restored.walk};
	enum tids_way way;
	int r = tids_climb(&ladder, &way, err);

	if (r < 0)
		return error_context(err, "restore of process %u", options->manifest->process->pid);
	a.restored.tids = way;
	a.restored.running_ns = monotonic_ns() - start;
	*ret_restored = a.restored;
	return 0;
}

/* A namespace's init is gone when all in it are reaped (kernel/pid_namespace.c). */
void restore_cleanup(const struct restored *restored)
{
	if (!restored->init_pid)
		return;
	kill(restored->init_pid, SIGKILL);
	reap(restored->pid);
	reap(restored->init_pid);
}
