/* The orchestrator: freeze, a table of phases, release. See checkpoint.h and capture.h. */
#include "checkpoint/checkpoint.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "checkpoint/capture.h"
#include "checkpoint/page_writer.h"
#include "checkpoint/twin.h"
#include "proc/pagemap.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define RESTORED_WAIT_NS  2000000000ull
#define RESTORED_PAUSE_NS 1000000

/* No call is made after this, and what follows reads memory as the target had it. */
static int capture_leader_home(struct capture *c, struct jsnap_error *err)
{
	(void)err;
	tracee_put_back(&c->tracee, c->leader.thread);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct capture *c, struct jsnap_error *err);
	bool by_twin; /* with a twin, after the release */
} PHASES[] = {
	{"refusals", capture_refuse, false},
	{"host", capture_host, false},
	{"process", capture_process, false},
	{"signals", capture_signals, false},
	{"pending signals and timers", capture_pending, false},
	{"threads", capture_threads, false},
	{"files", capture_files, false},
	{"clocks", capture_clocks, false},
	{"twin", twin_make, false},
	{"the leader's way home", capture_leader_home, false},
	{"mappings", capture_vmas, false},
	{"objects", capture_objects, false},
	{"room for descriptors", capture_refuse_numbers, false},
	{"pages", capture_pages, true},
	{"the stream", capture_written, true},
};

int capture_call(struct capture *c, long *ret_result, struct jsnap_error *err, const char *what,
		 long nr, const uint64_t args[6])
{
	long result;
	int r = remote_call(&c->leader, &result, err, nr, args);

	if (r < 0)
		return r;
	if (result < 0 && result > -4096)
		return error_set(err, (int)-result, "%s of process %d: %s", what, c->options->pid,
				 strerror((int)-result));
	*ret_result = result;
	return 0;
}

int capture_call_out(struct capture *c, void *out, size_t size, struct jsnap_error *err,
		     const char *what, long nr, const uint64_t args[6])
{
	uint64_t real[6];
	long result;
	int r;

	for (int i = 0; i < 6; i++)
		real[i] = args[i] == CAPTURE_OUT ? c->leader.data.value : args[i];
	r = capture_call(c, &result, err, what, nr, real);
	if (r < 0)
		return r;
	return tracee_read(&c->tracee, c->leader.data, out, size, err);
}

int capture_dup_fd(struct capture *c, int fd)
{
	if (c->pidfd < 0)
		c->pidfd = (int)syscall(SYS_pidfd_open, c->options->pid, 0);
	return c->pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, c->pidfd, fd, 0);
}

enum checkpoint_action capture_decide(struct capture *c, const struct checkpoint_fd *fd)
{
	const struct checkpoint_policy *policy = &c->options->policy;

	return policy->decide ? policy->decide(policy->ctx, fd) : CHECKPOINT_CARRY;
}

int capture_refuse_by_policy(const struct checkpoint_fd *fd, struct jsnap_error *err)
{
	static const char *const KINDS[] = {
		[CHECKPOINT_FD_FILE] = "a file",
		[CHECKPOINT_FD_PIPE] = "a pipe to another process",
		[CHECKPOINT_FD_TCP] = "a TCP connection",
		[CHECKPOINT_FD_LISTENER] = "a listening socket",
		[CHECKPOINT_FD_UDP] = "a UDP socket",
		[CHECKPOINT_FD_UNIX] = "a Unix socket connected to another process",
		[CHECKPOINT_FD_OTHER] = "a kernel object",
	};

	return error_set(err, ENOTSUP, "fd %d (%s) is %s, and the policy says: error", fd->fd,
			 fd->name, KINDS[fd->kind]);
}

pid_t capture_own_tid(const struct capture *c, size_t i)
{
	return c->status.ns_depth > 1 ? c->statuses[i].ns_pid : c->tracee.threads[i].tid;
}

int capture_ns_tid(struct capture *c, pid_t tid, pid_t *ret_tid, struct jsnap_error *err)
{
	struct proc_status status;
	int r;

	if (c->status.ns_depth <= 1) {
		*ret_tid = tid;
		return 0;
	}
	r = proc_status_read(c->options->pid, tid, &status, err);
	if (r == 0)
		*ret_tid = status.ns_pid;
	return r;
}

static void capture_close(struct capture *c)
{
	tracee_release(&c->tracee);
	twin_end(c);
	landlock_end(c);
	page_writer_free(c->writer);
	for (size_t i = 0; i < c->n_objects; i++)
		if (c->objects[i].source_fd >= 0)
			close(c->objects[i].source_fd);
	free(c->objects);
	free(c->statuses);
	free(c->fds);
	free(c->stacks);
	free(c->dead_ends);
	maps_free(&c->maps);
	if (c->pagemap_fd >= 0)
		close(c->pagemap_fd);
	if (c->pidfd >= 0)
		close(c->pidfd);
}

/* Mappings that change while they are read (a torn /proc/PID/maps) only put it off until the target
 * is stopped. */
void checkpoint_expect(pid_t pid, struct checkpoint_expected *ret_expected)
{
	*ret_expected = (struct checkpoint_expected){0};
	if (maps_read(pid, true, &ret_expected->maps, NULL) < 0)
		return;
	remote_find_gadgets(pid, &ret_expected->maps, &ret_expected->gadgets, NULL);
	ret_expected->twin = twin_possible(pid, &ret_expected->maps);
}

void checkpoint_expected_free(struct checkpoint_expected *expected)
{
	maps_free(&expected->maps);
}

/* Looked for beforehand, so that the search costs the target no pause. */
static void find_gadgets_early(struct capture *c)
{
	CLEANUP_MAPS struct maps before = {0};

	if (maps_read(c->options->pid, false, &before, NULL) == 0)
		remote_find_gadgets(c->options->pid, &before, &c->gadgets, NULL);
}

static void look_beforehand(struct capture *c)
{
	const struct checkpoint_expected *expected = c->options->expected;

	if (expected && expected->gadgets.syscall_ret.value)
		c->gadgets = expected->gadgets;
	else
		find_gadgets_early(c);
	if (expected && expected->twin && c->options->leave_running)
		c->expected = expected;
}

static bool is_code(const struct capture *c, remote_addr address)
{
	const struct maps_entry *entry = maps_find(&c->maps, address.value);

	return entry && (entry->prot & PROT_EXEC) && entry->inode;
}

/* The library may have been unmapped since: what was found must still be code. */
static bool gadgets_stand(const struct capture *c)
{
	const struct remote_gadgets *g = &c->gadgets;

	return is_code(c, g->syscall_ret) && is_code(c, g->sigreturn) &&
	       (!remote_can_chain(g) ||
		(is_code(c, g->pop_rax) && is_code(c, g->pop_rdi) && is_code(c, g->pop_rsi)));
}

static bool in_region(const struct capture *c)
{
	const struct maps_entry *region = c->region ? maps_find(&c->maps, c->region) : NULL;

	for (size_t i = 0; region && i < c->tracee.n_threads; i++) {
		uint64_t rip = c->tracee.threads[i].regs.rip;

		if (rip >= region->start && rip < region->end)
			return true;
	}
	return false;
}

static int freeze_once(struct capture *c, struct jsnap_error *err)
{
	int r = tracee_freeze(c->options->pid, &c->tracee, err);

	if (r == 0)
		r = twin_read_maps(c, err);
	if (r == 0)
		capture_find_region(c);
	return r;
}

/*
 * Threads that an earlier restore has made, but that have not left the restorer yet (some are held
 * there a moment on purpose), can't be stored: its code is no part of the program. They are let go
 * and stopped again.
 */
static int freeze(struct capture *c, struct jsnap_error *err)
{
	uint64_t deadline = monotonic_ns() + RESTORED_WAIT_NS;
	int r = freeze_once(c, err);

	while (r == 0 && in_region(c)) {
		tracee_release(&c->tracee);
		maps_free(&c->maps);
		if (monotonic_ns() > deadline)
			return error_set(err, EAGAIN,
					 "its restore is not finished: a thread has not begun to "
					 "run; try again");
		nanosleep(&(struct timespec){.tv_nsec = RESTORED_PAUSE_NS}, NULL);
		r = freeze_once(c, err);
	}
	return r;
}

static int read_status(const struct capture *c, size_t i, void *statuses, struct jsnap_error *err)
{
	return proc_status_read(c->options->pid, c->tracee.threads[i].tid,
				(struct proc_status *)statuses + i, err);
}

static int read_statuses(struct capture *c, struct jsnap_error *err)
{
	int r = proc_status_read(c->options->pid, 0, &c->status, err);

	c->statuses = calloc(c->tracee.n_threads, sizeof(*c->statuses));
	if (!c->statuses)
		return error_set(err, ENOMEM, "out of memory");
	return r < 0 ? r : capture_each_thread(c, read_status, c->statuses, err);
}

static int prepare(struct capture *c, struct jsnap_error *err)
{
	int r = read_statuses(c, err);

	if (r < 0)
		return r;
	if (!gadgets_stand(c)) {
		r = remote_find_gadgets(c->options->pid, &c->maps, &c->gadgets, err);
		if (r < 0)
			return r;
	}
	c->ns_pid = c->status.ns_pid;
	c->pagemap_fd = pagemap_open(c->options->pid, err);
	if (c->pagemap_fd < 0)
		return c->pagemap_fd;
	for (size_t i = 0; i < c->tracee.n_threads; i++)
		if (c->tracee.threads[i].tid == c->options->pid)
			return remote_begin(&c->leader, &c->tracee, &c->tracee.threads[i],
					    &c->gadgets, &c->maps, err);
	return error_set(err, ENOTSUP, "the main thread of process %d has ended and left others",
			 c->options->pid);
}

/* A fault names a phase by its number. */
static int run_phase(struct capture *c, size_t i, struct jsnap_error *err)
{
	const char *wanted = fault_value(FAULT_CAPTURE);
	int r = PHASES[i].run(c, err);

	if (r < 0 && err && !err->code)
		error_set(err, -r, "%s", strerror(-r));
	if (r == 0 && wanted && strtoul(wanted, NULL, 10) == i)
		r = fault_fail(FAULT_CAPTURE, EIO, err);
	return r < 0 ? error_context(err, "%s", PHASES[i].name) : 0;
}

/* Readers of the stream want all of it to be there, holes included. */
static int fill_stream(struct capture *c, struct jsnap_error *err)
{
	off_t end = (off_t)(c->options->stream_offset + c->m->process->stream_size);
	off_t size = lseek(c->options->stream_fd, 0, SEEK_END);
	int r = fault_fail(FAULT_STREAM, ENOSPC, err);

	if (r < 0)
		return r;
	if (size < end && ftruncate(c->options->stream_fd, end) < 0)
		return error_errno(err, "set the size of the page stream");
	return 0;
}

static void return_room(const struct capture *c)
{
	const struct checkpoint_options *o = c->options;
	size_t count;
	const struct stream_gap *gaps = page_writer_gaps(c->writer, &count);

	if (o->stream_room)
		stream_room_return(o->stream_fd, o->stream_offset, o->stream_room, gaps, count,
				   o->stream_offset + c->m->process->stream_size);
}

/* Ends a part of the pause that began where the last one ended. */
static void note_part(struct checkpoint_stats *stats, const char *name, uint64_t stopped)
{
	uint64_t now = monotonic_ns();

	if (stats->n_parts == CHECKPOINT_PARTS)
		return;
	stats->parts[stats->n_parts].name = name;
	stats->parts[stats->n_parts++].ns = now - stopped - stats->pause_ns;
	stats->pause_ns = now - stopped;
}

/* Lets the target go on, or ends it. */
static void let_go(struct capture *c, struct checkpoint_stats *stats, uint64_t stopped, bool ok)
{
	const struct checkpoint_options *options = c->options;

	if (ok && !options->leave_running)
		tracee_kill(&c->tracee);
	else
		tracee_release(&c->tracee);
	note_part(stats, "release", stopped);
	if (ok && options->leave_running && options->released)
		options->released(options->released_ctx);
}

static int capture_stopped(struct capture *c, struct checkpoint_stats *stats, uint64_t stopped,
			   struct jsnap_error *err)
{
	int r = fault_fail(FAULT_FREEZE, EAGAIN, err);

	if (r == 0)
		r = freeze(c, err);
	if (r == 0 && c->options->stop_by_ns && monotonic_ns() >= c->options->stop_by_ns)
		r = error_set(err, ETIMEDOUT, "it was stopped too late");
	note_part(stats, "freeze", stopped);
	stats->threads = (uint32_t)c->tracee.n_threads;
	if (r == 0)
		r = prepare(c, err);
	note_part(stats, "prepare", stopped);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(PHASES); i++) {
		if (PHASES[i].by_twin && c->twin.pid)
			continue;
		r = run_phase(c, i, err);
		note_part(stats, PHASES[i].name, stopped);
	}
	return r;
}

/* What is left to read when the target goes on already. */
static int capture_from_twin(struct capture *c, struct jsnap_error *err)
{
	int r = twin_check(c, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(PHASES); i++)
		if (PHASES[i].by_twin)
			r = run_phase(c, i, err);
	return r;
}

static int complete(struct capture *c, struct jsnap_error *err)
{
	const struct checkpoint_options *options = c->options;
	int r = manifest_check(c->m, err);

	if (r == 0)
		r = fill_stream(c, err);
	if (r == 0 && options->commit)
		r = options->commit(options->commit_ctx, c->m, err);
	return r;
}

static int capture_all(const struct checkpoint_options *options, struct manifest *m,
		       struct checkpoint_stats *ret_stats, struct jsnap_error *err)
{
	struct capture c = {.options = options,
			    .m = m,
			    .pagemap_fd = -1,
			    .twin_pagemap_fd = -1,
			    .pidfd = -1,
			    .twin = {.mem_fd = -1},
			    .tracee = {.mem_fd = -1}};
	struct checkpoint_stats stats = {0};
	uint64_t stopped;
	bool early;
	int r;

	look_beforehand(&c);
	landlock_begin(&c);
	/* Again when it is stopped; but a thread in vfork(2) can't be stopped before its child is
	 * gone. */
	r = capture_refuse_children(options->pid, err);
	stopped = monotonic_ns();
	if (r == 0)
		r = capture_stopped(&c, &stats, stopped, err);
	early = r == 0 && c.twin.pid;
	stats.twin = early;
	if (early) {
		let_go(&c, &stats, stopped, true);
		r = capture_from_twin(&c, err);
	}
	if (r == 0)
		r = complete(&c, err);
	if (!early)
		let_go(&c, &stats, stopped, r == 0);
	stats.stored_bytes = c.stored_bytes;
	return_room(&c);
	stats.vmas = m->n_vmas;
	stats.fds = m->n_fds;
	capture_close(&c);
	if (r < 0)
		return error_context(err, "checkpoint of process %d", options->pid);
	if (ret_stats)
		*ret_stats = stats;
	return 0;
}

struct capture_job {
	const struct checkpoint_options *options;
	struct checkpoint_options own;
	struct manifest *m;
	struct checkpoint_stats *ret_stats;
	struct jsnap_error *err;
	int result;
	int news[2]; /* a pipe: a byte when the target goes on, the end when all is over */
};

static void tell_released(void *ctx)
{
	struct capture_job *job = ctx;

	if (job->options->released)
		job->options->released(job->options->released_ctx);
	(void)!write(job->news[1], "", 1);
}

static void *capture_thread(void *arg)
{
	struct capture_job *job = arg;

	job->result = capture_all(&job->own, job->m, job->ret_stats, job->err);
	close(job->news[1]);
	return NULL;
}

/* The caller has other things to do once its program goes on. */
static void wait_for_thread(const struct capture_job *job)
{
	char byte;

	if (read(job->news[0], &byte, 1) == 1 && job->options->wait)
		job->options->wait(job->options->wait_ctx, job->news[0]);
}

/*
 * In a thread of its own: only a stopped thread can be detached, but when a tracing thread ends the
 * kernel detaches whatever it still has (ptrace(2); kernel/ptrace.c, exit_ptrace).
 */
int checkpoint_capture(const struct checkpoint_options *options, struct manifest *m,
		       struct checkpoint_stats *ret_stats, struct jsnap_error *err)
{
	struct capture_job job = {
		.options = options, .own = *options, .m = m, .ret_stats = ret_stats, .err = err};
	sigset_t all, before;
	pthread_t thread;
	int r;

	if (pipe2(job.news, O_CLOEXEC) < 0)
		return error_errno(err, "create a pipe");
	job.own.released = tell_released;
	job.own.released_ctx = &job;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the other threads */
	r = pthread_create(&thread, NULL, capture_thread, &job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		close(job.news[0]);
		close(job.news[1]);
		return error_set(err, r, "start a thread for the checkpoint: %s", strerror(r));
	}
	wait_for_thread(&job);
	pthread_join(thread, NULL);
	close(job.news[0]);
	return job.result;
}
