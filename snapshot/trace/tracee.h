/*
 * A whole process under ptrace(2): seized, stopped, looked at, released.
 *
 * A tracee that dies at any moment is an ordinary result (-ESRCH). Nothing here changes what the
 * process computes: threads are stopped with PTRACE_INTERRUPT, which sends no signal, and system
 * calls that the stop interrupted are restarted by the kernel, or by tracee_release where the
 * kernel would return EINTR to the program (epoll_wait(2), signal(7) "never restarted").
 */
#ifndef JSNAP_TRACE_TRACEE_H
#define JSNAP_TRACE_TRACEE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* An address in the tracee: never dereferenced here. */
typedef struct {
	uint64_t value;
} remote_addr;

static inline remote_addr remote_at(uint64_t value)
{
	return (remote_addr){.value = value};
}

#define TRACEE_XSAVE_MAX 16384u /* bytes; x86-64 with AMX needs 11,008 */

struct tracee_thread {
	pid_t tid;				   /* as the tracer's PID namespace numbers it */
	bool attached, stopped, redirected, known; /* known: regs and sigmask were read */
	bool group_stopped;			   /* it was in a job-control stop before */
	bool gone;				   /* it ended while it was put back */
	bool on_signal_path; /* redirected, but stopped where new registers restart a call */
	struct user_regs_struct regs; /* as it was when it stopped */
	uint64_t sigmask;
	/* What lay where injected calls keep their arguments and the way home (owned). */
	unsigned char *saved;
	uint64_t saved_at;
	size_t saved_size;
};

struct tracee {
	pid_t pid;
	int mem_fd;		       /* /proc/PID/mem, read-write */
	struct tracee_thread *threads; /* ascending by TID */
	size_t n_threads;
	bool gave_up; /* a thread did not stop: the kernel detaches it when the tracing thread ends
		       */
};

/* Seizes and stops every thread; nothing is attached on failure. Threads that appear meanwhile are
 * caught too. -EPERM names the tracer when another one has it, -ENOTSUP what makes it impossible.
 * -ETIMEDOUT: a thread did not stop
 * within ten seconds, and stays attached until the calling thread ends, which must be soon. */
int tracee_freeze(pid_t pid, struct tracee *ret_tracee, struct jsnap_error *err);

/* Puts every thread back where it was and detaches. Safe after any partial failure. */
void tracee_release(struct tracee *tracee);
#define CLEANUP_TRACEE __attribute__((cleanup(tracee_release)))

/* Puts one thread back where it was, still stopped, and its memory below the stack pointer with it.
 * Nothing is to be done for one that made no calls. */
void tracee_put_back(struct tracee *tracee, struct tracee_thread *thread);

/* The same for all but one (NULL: for all), none of which waits for another. */
void tracee_put_back_all(struct tracee *tracee, const struct tracee_thread *but);

/* SIGKILL; waits until the process is gone from the tracer's side (not reaped when it is a child).
 */
void tracee_kill(struct tracee *tracee);

int tracee_read(const struct tracee *tracee, remote_addr from, void *to, size_t size,
		struct jsnap_error *err);
int tracee_write(const struct tracee *tracee, remote_addr to, const void *from, size_t size,
		 struct jsnap_error *err);

/* The thread's extended state in the standard XSAVE format, NT_X86_XSTATE. */
int tracee_xsave(const struct tracee_thread *thread, void *buf, size_t capacity, size_t *ret_size,
		 struct jsnap_error *err);

/* Waits for the thread's next ptrace stop; *ret_status as waitpid(2). -ESRCH when it died: of a
 * child of this process its exit status is left for waitpid(2). */
int tracee_wait(pid_t tid, int *ret_status, struct jsnap_error *err);

int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs, struct jsnap_error *err);
int tracee_get_regs(pid_t tid, struct user_regs_struct *ret_regs, struct jsnap_error *err);

#endif
