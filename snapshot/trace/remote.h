/*
 * System calls made by a stopped thread on the tracer's behalf, for what only the process itself
 * can ask (signal dispositions, alternate stacks, clear_child_tid).
 *
 * No code is written into the process: the call is made at a `syscall; ret` of the C library, on
 * the thread's own stack below the red zone, with a return address that is the library's own
 * rt_sigreturn trampoline and a signal frame with the thread's registers above it. So if the tracer
 * dies at any moment, the thread finishes the call, returns into rt_sigreturn and goes on where it
 * was. tracee_release does the same in the ordinary way.
 */
#ifndef JSNAP_TRACE_REMOTE_H
#define JSNAP_TRACE_REMOTE_H

#include "proc/maps.h"
#include "trace/tracee.h"

struct remote_gadgets {
	remote_addr syscall_ret;	       /* 0f 05 c3 */
	remote_addr sigreturn;		       /* mov $15,%eax or %rax; syscall. 0: none found */
	remote_addr pop_rax, pop_rdi, pop_rsi; /* each with its ret; of use together */
};

static inline bool remote_can_chain(const struct remote_gadgets *gadgets)
{
	return gadgets->sigreturn.value && gadgets->pop_rax.value && gadgets->pop_rdi.value &&
	       gadgets->pop_rsi.value;
}

/* Looks for the gadgets in the executable file mappings, the C library first. May be called before
 * the process is stopped. -ENOTSUP when there is no `syscall; ret`. */
int remote_find_gadgets(pid_t pid, const struct maps *maps, struct remote_gadgets *ret_gadgets,
			struct jsnap_error *err);

struct remote {
	struct tracee *tracee;
	struct tracee_thread *thread;
	struct remote_gadgets gadgets;
	struct user_regs_struct regs; /* of the next call, but for number and arguments */
	remote_addr data;	      /* REMOTE_DATA_SIZE bytes of the stack for arguments */
};

#define REMOTE_DATA_SIZE 1024u

/* Redirects the thread. `maps` tells whether its stack has room. */
int remote_begin(struct remote *remote, struct tracee *tracee, struct tracee_thread *thread,
		 const struct remote_gadgets *gadgets, const struct maps *maps,
		 struct jsnap_error *err);

/* One call. *ret_result is what the kernel returned (-errno included); the return value is negative
 * only when the thread could not be made to do it. */
int remote_call(struct remote *remote, long *ret_result, struct jsnap_error *err, long nr,
		const uint64_t args[6]);

/* The same call by `n` threads, none of which waits for another: each step costs as much as the
 * slowest takes. An argument REMOTE_DATA(offset) stands for that place of a thread's own data. */
int remote_call_all(struct remote *remotes, size_t n, long *ret_results, struct jsnap_error *err,
		    long nr, const uint64_t args[6]);
#define REMOTE_DATA(offset) (0xfeedfacecafe0000ull + (offset))

/* A call of two arguments, which minds no third, whose result lies in memory. */
struct remote_chained {
	long nr;
	uint64_t args[2]; /* REMOTE_DATA(offset) as above, below REMOTE_CHAIN_DATA */
};

#define REMOTE_CHAIN_MAX  8u   /* calls */
#define REMOTE_CHAIN_DATA 256u /* bytes of a thread's data that are its calls' */

/*
 * `n_calls` calls one after the other by `n` threads, with one stop for all of them: where a call
 * returns to is what loads the registers of the next one (`pop; ret` of the C library), and behind
 * the last one lies the way home. They end in a signal that the thread sends itself (tgkill(2),
 * which must not be filtered), so that it is stopped before it gets there; of a dead tracer's
 * threads nobody hears of it. So the signal must be one that is ignored by default, and that the
 * program neither catches nor has blocked in any thread: then it can't tell. What no call has
 * written is 0xff. tracee_put_back of such a thread takes no further stop.
 */
struct remote_chain {
	const struct remote_chained *calls;
	size_t n_calls;
	pid_t own_pid;	       /* both as the process itself numbers them, */
	const pid_t *own_tids; /* and of each of its threads */
	int signo;
};
int remote_chain_all(struct remote *remotes, size_t n, const struct remote_chain *chain,
		     struct jsnap_error *err);

/* clone(2) into a new process that this thread traces and that never runs: it is in a ptrace stop.
 * Left alone it would end (exit_group). Must be the caller's child: with CLONE_PARENT. */
int remote_clone(struct remote *remote, uint64_t flags, pid_t *ret_pid, struct jsnap_error *err);
#define REMOTE_ARGS(...) ((const uint64_t[6]){__VA_ARGS__})

#endif
