/*
 * Original PIDs without clone3's set_tid: the PID counter is brought to where the next number is
 * the wanted one, by writing ns_last_pid (pid_namespaces(7)) or by walking (walk.h), and plain
 * clone takes it. Another process may be quicker, so the new process looks at its own number before
 * anything else.
 */
#include "restore/tids.h"

#include "base/cleanup.h"
#include "base/privilege.h"
#include "restore/restorer/plan.h"
#include "restore/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define LAST_PID "/proc/sys/kernel/ns_last_pid"
/* What one number costs is measured where so many come before the first that matters. */
#define SAMPLE_ROOM 256
#define USUAL_NS    20000u /* what one costs elsewhere */

int seek_open_last_pid(int *ret_fd, struct jsnap_error *err)
{
	int fd = open(LAST_PID, O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ENOSYS, LAST_PID " is not there");
	if (fd < 0)
		return error_errno(err, "open " LAST_PID);
	*ret_fd = fd;
	return 0;
}

/* The kernel asks for the right when the number is written (kernel/pid_namespace.c). */
static int write_last_pid(pid_t last, int fd)
{
	int capability = privilege_tid_capability();
	bool raised = geteuid() != 0 && capability >= 0;
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", last), r = 0;

	if (raised)
		privilege_raise(capability, true);
	if (pwrite(fd, text, (size_t)n, 0) != n)
		r = -errno;
	if (raised)
		privilege_raise(capability, false);
	return r;
}

int seek_to(pid_t wanted, int last_pid_fd, struct jsnap_error *err)
{
	int r;

	if (last_pid_fd < 0)
		return walk_to(wanted, err);
	r = write_last_pid(wanted - 1, last_pid_fd);
	return r < 0 ? error_set(err, -r, "write %d to " LAST_PID ": %s", wanted - 1, strerror(-r))
		     : 0;
}

int seek_clone_leader(const struct tids_request *request, struct tids_result *ret_result,
		      struct jsnap_error *err)
{
	pid_t wanted = (pid_t)request->manifest->process->pid, pid = -1;
	CLEANUP_CLOSE int last_pid = -1;
	const struct tids_threads threads = {.seek = true,
					     .last_pid = request->way == TIDS_NS_LAST_PID};
	int r = 0;

	if (threads.last_pid)
		r = seek_open_last_pid(&last_pid, err);
	for (unsigned i = 0; r == 0 && i < RST_LAST_PID_TRIES; i++) {
		r = seek_to(wanted, last_pid, err);
		if (r < 0)
			return r;
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid < 0)
			return error_errno(err, "clone");
		if (pid == 0) {
			if (syscall(SYS_getpid) == wanted)
				request->child(request->arg, &threads);
			_exit(125);
		}
		if (pid == wanted)
			break;
		waitpid(pid, NULL, 0);
		if (last_pid < 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = RST_LAST_PID_WAIT_NS}, NULL);
	}
	if (r == 0 && pid != wanted)
		r = tids_taken(wanted, err);
	if (r == 0)
		*ret_result = (struct tids_result){.pid = pid};
	return r;
}

/* The number that comes last on the way: threads below the leader come after the counter's wrap. */
static pid_t last_wanted(const struct manifest *m)
{
	pid_t last = 0, below = 0;

	for (uint32_t i = 0; i < m->n_threads; i++) {
		if (m->threads[i].tid < m->process->pid)
			below = (pid_t)m->threads[i].tid;
		last = (pid_t)m->threads[i].tid;
	}
	return below ? below : last;
}

int seek_afford_walk(const struct seek_walk *walk, struct restore_walk *ret_walk,
		     struct jsnap_error *err)
{
	const struct manifest *m = walk->manifest;
	pid_t first = (pid_t)m->process->pid;
	pid_t last = last_wanted(m);
	uint64_t step_ns = USUAL_NS;
	struct walk_place place;
	int64_t to_first, on = 0;
	int r = walk_place_read(&place, err);

	if (r < 0)
		return r;
	to_first = walk_distance(&place, first);
	if (last != first)
		on = walk_distance(&(struct walk_place){first, place.pid_max}, last);
	if (to_first < 0 || on < 0) {
		error_set(err, place.cursor < WALK_YOUNG ? ERANGE : EBUSY,
			  "the PID counter, at %d, is past the snapshot's PID %d, and never comes "
			  "back to numbers below %d",
			  place.cursor, to_first < 0 ? first : last, WALK_RESERVED_PIDS);
		return error_hint(err, "start jsnap before other programs, or take the snapshot "
				       "with a higher --first-tid");
	}
	if (to_first >= SAMPLE_ROOM)
		r = walk_measure(&step_ns, err);
	if (r == 0)
		r = walk_afford(to_first + on, step_ns, walk->budget_ns, err);
	if (r < 0)
		return r;
	*ret_walk = (struct restore_walk){(uint64_t)(to_first + on),
					  (uint64_t)(to_first + on) * step_ns};
	if (walk->say)
		walk->say("tids: the walk takes %llu numbers, about %.1f ms",
			  (unsigned long long)ret_walk->numbers,
			  (double)ret_walk->expected_ns / 1e6);
	return 0;
}
