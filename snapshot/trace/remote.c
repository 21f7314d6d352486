/* See remote.h. */
#include "trace/remote.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "trace/restart.h"
#include "trace/sigframe.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Flags the kernel rejects, and rt_sigreturn ignores that: the alternate stack stays as it is. */
#define ALTSTACK_UNCHANGED 0x7fffffffu

#define CALL_AGAIN_MAX 100u

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

_Static_assert(REMOTE_CHAIN_MAX * 7 * 8 + REMOTE_CHAIN_DATA <= REMOTE_DATA_SIZE,
	       "a chain and its data lie side by side");

#define RED_ZONE 128u /* bytes below the stack pointer that a leaf function may use (psABI) */

static const unsigned char CODE_SYSCALL_RET[] = {0x0f, 0x05, 0xc3};
static const unsigned char CODE_POP_RAX[] = {0x58, 0xc3};
static const unsigned char CODE_POP_RDI[] = {0x5f, 0xc3};
static const unsigned char CODE_POP_RSI[] = {0x5e, 0xc3};
static const unsigned char CODE_SIGRETURN_RAX[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
static const unsigned char CODE_SIGRETURN_EAX[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};

struct code {
	const unsigned char *bytes;
	size_t size;
	uint64_t base;
};

static void find_code(const struct code *in, const void *want, size_t want_size, remote_addr *found)
{
	const unsigned char *hit =
		found->value ? NULL : memmem(in->bytes, in->size, want, want_size);

	if (hit)
		found->value = in->base + (uint64_t)(hit - in->bytes);
}

static int scan_entry(int mem_fd, const struct maps_entry *entry, struct remote_gadgets *found)
{
	size_t size = entry->end - entry->start;
	CLEANUP_FREE unsigned char *bytes = malloc(size);
	const struct code code = {bytes, size, entry->start};

	if (!bytes)
		return -ENOMEM;
	if (pread_full(mem_fd, bytes, size, (off_t)entry->start) < 0)
		return 0; /* an unreadable mapping simply holds no gadget for us */
	find_code(&code, CODE_SYSCALL_RET, sizeof(CODE_SYSCALL_RET), &found->syscall_ret);
	find_code(&code, CODE_SIGRETURN_RAX, sizeof(CODE_SIGRETURN_RAX), &found->sigreturn);
	find_code(&code, CODE_SIGRETURN_EAX, sizeof(CODE_SIGRETURN_EAX), &found->sigreturn);
	find_code(&code, CODE_POP_RAX, sizeof(CODE_POP_RAX), &found->pop_rax);
	find_code(&code, CODE_POP_RDI, sizeof(CODE_POP_RDI), &found->pop_rdi);
	find_code(&code, CODE_POP_RSI, sizeof(CODE_POP_RSI), &found->pop_rsi);
	return 0;
}

static bool is_libc(const struct maps_entry *entry)
{
	return strstr(entry->name, "/libc.so") || strstr(entry->name, "/libc-") ||
	       strstr(entry->name, "/ld-musl");
}

int remote_find_gadgets(pid_t pid, const struct maps *maps, struct remote_gadgets *ret_gadgets,
			struct jsnap_error *err)
{
	const uint64_t max_size = 64u << 20; /* of one mapping; a libc has 2 MiB of code */
	struct remote_gadgets found = {0};
	CLEANUP_CLOSE int mem_fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (mem_fd < 0)
		return error_errno(err, "open %s", path);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < maps->count; i++) {
			const struct maps_entry *entry = &maps->entries[i];

			if (found.syscall_ret.value && found.sigreturn.value)
				break;
			if (!(entry->prot & PROT_EXEC) || entry->inode == 0 || entry->shared ||
			    entry->end - entry->start > max_size || is_libc(entry) != (pass == 0))
				continue;
			if (scan_entry(mem_fd, entry, &found) < 0)
				return error_set(err, ENOMEM, "out of memory");
		}
	}
	if (!found.syscall_ret.value)
		return error_set(err, ENOTSUP,
				 "process %d has no `syscall; ret` instructions to borrow", pid);
	*ret_gadgets = found;
	return 0;
}

static bool has_room(const struct maps *maps, uint64_t low, uint64_t high)
{
	const struct maps_entry *entry = maps_find(maps, low);

	return entry && high <= entry->end && (entry->prot & PROT_WRITE) &&
	       (entry->prot & PROT_READ);
}

static int step(pid_t tid, struct jsnap_error *err);

/*
 * The main stack grows when its own process touches it, not when somebody writes to it from
 * outside: let the kernel write a signal mask there. The one call without a way home; it lasts
 * microseconds, and is only needed by a thread that stands within a page of its stack's end.
 */
static int grow_stack(struct tracee_thread *thread, const struct remote_gadgets *gadgets,
		      const struct maps *maps, uint64_t low)
{
	struct user_regs_struct regs = thread->regs;
	const struct maps_entry *entry = maps_find(maps, thread->regs.rsp);
	int r;

	if (!entry || !(entry->vmflags & MAPS_VM_GROWSDOWN))
		return -ENOTSUP;
	regs.rip = gadgets->syscall_ret.value;
	regs.orig_rax = (uint64_t)-1;
	regs.rax = SYS_rt_sigprocmask;
	regs.rdi = SIG_BLOCK;
	regs.rsi = 0;
	regs.rdx = low;
	regs.r10 = sizeof(uint64_t);
	thread->redirected = true;
	r = tracee_set_regs(thread->tid, &regs, NULL);
	if (r == 0)
		r = step(thread->tid, NULL);
	if (r == 0)
		r = step(thread->tid, NULL);
	if (r == 0)
		r = tracee_get_regs(thread->tid, &regs, NULL);
	return r < 0 ? r : (int)regs.rax;
}

/* Memory below the stack pointer is nobody's by the psABI, but stacks can be small and what lies
 * below them somebody's. */
static int save_below(struct tracee *tracee, struct tracee_thread *thread, uint64_t low,
		      uint64_t high, struct jsnap_error *err)
{
	thread->saved = malloc(high - low);
	if (!thread->saved)
		return error_set(err, ENOMEM, "out of memory");
	thread->saved_at = low;
	thread->saved_size = high - low;
	return tracee_read(tracee, remote_at(low), thread->saved, thread->saved_size, err);
}

int remote_begin(struct remote *remote, struct tracee *tracee, struct tracee_thread *thread,
		 const struct remote_gadgets *gadgets, const struct maps *maps,
		 struct jsnap_error *err)
{
	char frame[SIGFRAME_MAX], xsave[TRACEE_XSAVE_MAX];
	struct user_regs_struct home = thread->regs;
	const uint64_t all = ~0ull;
	uint64_t top, at, low, back[1] = {gadgets->sigreturn.value};
	size_t xsave_size, frame_size;
	enum restart_deadline restart;
	uint64_t deadline;
	int r = tracee_xsave(thread, xsave, sizeof(xsave), &xsave_size, err);

	if (r < 0)
		return r;
	restart_rewind(tracee, &home, RESTART_NO_SIGNAL, &restart, &deadline);
	top = thread->regs.rsp - RED_ZONE;
	at = (top - SIGFRAME_OVERHEAD - xsave_size) & ~63ull;
	low = at - sizeof(back) - REMOTE_DATA_SIZE;
	if (!has_room(maps, low, top) && grow_stack(thread, gadgets, maps, low) < 0)
		return error_set(err, ENOTSUP,
				 "thread %d has no room for a signal frame on its stack (%#lx)",
				 thread->tid, (unsigned long)thread->regs.rsp);
	r = save_below(tracee, thread, low, thread->regs.rsp, err);
	if (r < 0)
		return r;
	r = sigframe_build(&(struct sigframe_input){.regs = &home,
						    .xsave = xsave,
						    .xsave_size = xsave_size,
						    .sigmask = thread->sigmask,
						    .altstack_flags = ALTSTACK_UNCHANGED},
			   at, frame, sizeof(frame), &frame_size, err);
	if (r == 0)
		r = tracee_write(tracee, remote_at(at), frame, frame_size, err);
	if (r == 0)
		r = tracee_write(tracee, remote_at(at - sizeof(back)), back, sizeof(back), err);
	if (r < 0)
		return r;
	*remote = (struct remote){.tracee = tracee,
				  .thread = thread,
				  .gadgets = *gadgets,
				  .regs = thread->regs,
				  .data = remote_at(low)};
	remote->regs.rip = gadgets->syscall_ret.value;
	remote->regs.rsp = at - sizeof(back);
	remote->regs.eflags &= ~0x400ull; /* the direction flag, as the psABI wants it */
	/* From here on the thread comes home by itself; only then may its signals be held back. */
	remote->regs.orig_rax = (uint64_t)-1;
	remote->regs.rax = 39; /* getpid, should the tracer die before the first call */
	thread->redirected = true;
	r = tracee_set_regs(thread->tid, &remote->regs, err);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_SETSIGMASK, thread->tid, (void *)sizeof(all), &all) < 0)
		return error_errno(err, "block the signals of thread %d", thread->tid);
	return 0;
}

static int resume(pid_t tid, long deliver, struct jsnap_error *err)
{
	if (ptrace(PTRACE_SYSCALL, tid, NULL, (void *)deliver) < 0)
		return error_errno(err, "resume thread %d for a call", tid);
	return 0;
}

/* A stop that is not the one waited for. A SIGSTOP, which no mask holds back, takes its ordinary
 * course: the kernel stops the thread for it once it is released, or a SIGCONT undoes it before. */
static int pass(pid_t tid, enum __ptrace_request how, int status, struct jsnap_error *err)
{
	long deliver = status >> 16 ? 0 : WSTOPSIG(status);

	if (deliver && deliver != SIGSTOP)
		return error_set(err, EIO, "thread %d got signal %ld in an injected call", tid,
				 deliver);
	if (ptrace(how, tid, NULL, (void *)deliver) < 0)
		return error_errno(err, "resume thread %d for a call", tid);
	return 0;
}

/* Waits for a system call stop. */
static int arrive(pid_t tid, struct jsnap_error *err)
{
	for (;;) {
		int status, r = tracee_wait(tid, &status, err);

		if (r < 0 || WSTOPSIG(status) == (SIGTRAP | 0x80))
			return r;
		r = pass(tid, PTRACE_SYSCALL, status, err);
		if (r < 0)
			return r;
	}
}

/* Runs to the next system call stop. */
static int step(pid_t tid, struct jsnap_error *err)
{
	int r = resume(tid, 0, err);

	return r < 0 ? r : arrive(tid, err);
}

static uint64_t argument(const struct remote *remote, uint64_t value)
{
	return value - REMOTE_DATA(0) < REMOTE_DATA_SIZE
		       ? remote->data.value + (value - REMOTE_DATA(0))
		       : value;
}

static int set_call(struct remote *remote, struct jsnap_error *err, long nr, const uint64_t args[6])
{
	struct user_regs_struct regs = remote->regs;

	regs.rax = (uint64_t)nr;
	regs.rdi = argument(remote, args[0]);
	regs.rsi = argument(remote, args[1]);
	regs.rdx = argument(remote, args[2]);
	regs.r10 = argument(remote, args[3]);
	regs.r8 = argument(remote, args[4]);
	regs.r9 = argument(remote, args[5]);
	return tracee_set_regs(remote->thread->tid, &regs, err);
}

static int call_once(struct remote *remote, long *ret_result, struct jsnap_error *err, long nr,
		     const uint64_t args[6])
{
	struct user_regs_struct regs;
	int r = set_call(remote, err, nr, args);

	if (r == 0)
		r = step(remote->thread->tid, err);
	if (r == 0)
		r = step(remote->thread->tid, err);
	if (r == 0)
		r = tracee_get_regs(remote->thread->tid, &regs, err);
	if (r < 0)
		return r;
	*ret_result = (long)regs.rax;
	return 0;
}

/* A SIGSTOP on its way ends a call that could have waited (ERESTARTSYS to ERESTART_RESTARTBLOCK of
 * the kernel's errno.h); the next step lets it take its course. */
static bool cut_short(long result)
{
	return result <= -512 && result >= -516;
}

int remote_call(struct remote *remote, long *ret_result, struct jsnap_error *err, long nr,
		const uint64_t args[6])
{
	int r;

	for (unsigned round = 0; round < CALL_AGAIN_MAX; round++) {
		r = call_once(remote, ret_result, err, nr, args);
		if (r < 0 || !cut_short(*ret_result))
			return r;
	}
	return error_set(err, EBUSY, "thread %d gets signals faster than it can be asked anything",
			 remote->thread->tid);
}

/* Every thread that was resumed has stopped again when this returns, whatever failed. */
static int step_all(struct remote *remotes, size_t n, struct jsnap_error *err)
{
	size_t started = 0;
	int r = 0;

	while (r == 0 && started < n) {
		r = resume(remotes[started].thread->tid, 0, err);
		started += r == 0;
	}
	for (size_t i = 0; i < started; i++) {
		int arrived = arrive(remotes[i].thread->tid, r == 0 ? err : NULL);

		r = r < 0 ? r : arrived;
	}
	return r;
}

int remote_call_all(struct remote *remotes, size_t n, long *ret_results, struct jsnap_error *err,
		    long nr, const uint64_t args[6])
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = set_call(&remotes[i], err, nr, args);
	if (r == 0)
		r = step_all(remotes, n, err);
	if (r == 0)
		r = step_all(remotes, n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct user_regs_struct regs;

		r = tracee_get_regs(remotes[i].thread->tid, &regs, err);
		if (r < 0)
			return r;
		ret_results[i] = (long)regs.rax;
		if (cut_short(ret_results[i]))
			r = remote_call(&remotes[i], &ret_results[i], err, nr, args);
	}
	return r;
}

/* What the stack holds for one call behind another: gadget and value, three times, and the call. */
#define CHAIN_WORDS 7u

static uint64_t *chain_call(const struct remote *remote, uint64_t *at, long nr,
			    const uint64_t args[2])
{
	const struct remote_gadgets *g = &remote->gadgets;

	*at++ = g->pop_rax.value;
	*at++ = (uint64_t)nr;
	*at++ = g->pop_rdi.value;
	*at++ = argument(remote, args[0]);
	*at++ = g->pop_rsi.value;
	*at++ = argument(remote, args[1]);
	*at++ = g->syscall_ret.value;
	return at;
}

/* The last of it borders on the way home. Nothing is set before all of it lies there. */
static int chain_begin(struct remote *remote, const struct remote_chain *chain, pid_t own_tid,
		       struct jsnap_error *err)
{
	uint64_t data[REMOTE_DATA_SIZE / sizeof(uint64_t)], *const end = data + ARRAY_SIZE(data),
								   *start = end -
									    chain->n_calls *
										    CHAIN_WORDS,
								   *at = start;
	const uint64_t mask = ~(1ull << (chain->signo - 1)),
		       self[2] = {(uint64_t)chain->own_pid, (uint64_t)own_tid};
	struct user_regs_struct regs = remote->regs;
	pid_t tid = remote->thread->tid;
	int r;

	memset(data, 0xff, sizeof(data));
	for (size_t i = 1; i < chain->n_calls; i++)
		at = chain_call(remote, at, chain->calls[i].nr, chain->calls[i].args);
	chain_call(remote, at, SYS_tgkill, self);
	r = tracee_write(remote->tracee, remote->data, data, sizeof(data), err);
	if (r < 0)
		return r;
	regs.rax = (uint64_t)chain->calls[0].nr;
	regs.rdi = argument(remote, chain->calls[0].args[0]);
	regs.rsi = argument(remote, chain->calls[0].args[1]);
	regs.rdx = (uint64_t)chain->signo; /* the third argument of all, for tgkill(2) */
	regs.rsp -= (uint64_t)(end - start) * sizeof(*start);
	r = tracee_set_regs(tid, &regs, err);
	if (r == 0 && ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof(mask), &mask) < 0)
		r = error_errno(err, "set the signal mask of thread %d", tid);
	if (r == 0 && ptrace(PTRACE_CONT, tid, NULL, NULL) < 0)
		r = error_errno(err, "resume thread %d for its calls", tid);
	return r;
}

/* Another's signal of this number may come before: at the end there is only the way home left on
 * the stack. */
static int chain_end(struct remote *remote, int signo, struct jsnap_error *err)
{
	pid_t tid = remote->thread->tid;

	for (;;) {
		int status, r = tracee_wait(tid, &status, err);

		if (r < 0)
			return r;
		if (status >> 16 == 0 && WSTOPSIG(status) == signo) {
			errno = 0;
			remote->thread->on_signal_path =
				(uint64_t)ptrace(PTRACE_PEEKUSER, tid,
						 offsetof(struct user, regs.rsp),
						 NULL) == remote->regs.rsp;
			if (errno)
				return error_errno(err, "read the registers of thread %d", tid);
			if (remote->thread->on_signal_path)
				return 0;
			status = PTRACE_EVENT_STOP << 16; /* it is not delivered */
		}
		r = pass(tid, PTRACE_CONT, status, err);
		if (r < 0)
			return r;
	}
}

int remote_chain_all(struct remote *remotes, size_t n, const struct remote_chain *chain,
		     struct jsnap_error *err)
{
	size_t started = 0;
	int r = 0;

	assert(chain->n_calls && chain->n_calls <= REMOTE_CHAIN_MAX);
	while (r == 0 && started < n) {
		r = chain_begin(&remotes[started], chain, chain->own_tids[started], err);
		started += r == 0;
	}
	for (size_t i = 0; i < started; i++) {
		int ended = chain_end(&remotes[i], chain->signo, r == 0 ? err : NULL);

		r = r < 0 ? r : ended;
	}
	return r;
}

#define CHILD_BACK  64u /* in the data for calls: where the child returns to, and its frame */
#define CHILD_FRAME (CHILD_BACK + 8u)

/* The child comes out of its call on this stack, and into exit_group(2). */
static int write_child_end(const struct remote *remote, struct jsnap_error *err)
{
	const uint64_t back = remote->gadgets.sigreturn.value;
	struct user_regs_struct regs = remote->regs;
	char frame[REMOTE_DATA_SIZE - CHILD_FRAME];
	size_t size;
	int r;

	regs.rax = SYS_exit_group;
	regs.rdi = 0;
	r = sigframe_build_bare(&(struct sigframe_input){.regs = &regs,
							 .sigmask = ~0ull,
							 .altstack_flags = ALTSTACK_UNCHANGED},
				frame, sizeof(frame), &size, err);
	if (r == 0)
		r = tracee_write(remote->tracee, remote_at(remote->data.value + CHILD_FRAME), frame,
				 size, err);
	if (r == 0)
		r = tracee_write(remote->tracee, remote_at(remote->data.value + CHILD_BACK), &back,
				 sizeof(back), err);
	return r;
}

/* From the call's beginning to its end; *ret_pid as this process numbers the child, 0: none. */
static int step_through_clone(pid_t tid, pid_t *ret_pid, struct jsnap_error *err)
{
	for (*ret_pid = 0;;) {
		unsigned long pid;
		int status, r = resume(tid, 0, err);

		if (r == 0)
			r = tracee_wait(tid, &status, err);
		if (r < 0 || WSTOPSIG(status) == (SIGTRAP | 0x80))
			return r;
		if (status >> 16 == PTRACE_EVENT_CLONE &&
		    ptrace(PTRACE_GETEVENTMSG, tid, NULL, &pid) == 0)
			*ret_pid = (pid_t)pid;
		else if (!(status >> 16))
			return error_set(err, EINTR, "thread %d got signal %d in clone(2)", tid,
					 WSTOPSIG(status));
	}
}

int remote_clone(struct remote *remote, uint64_t flags, pid_t *ret_pid, struct jsnap_error *err)
{
	const uint64_t args[6] = {flags, remote->data.value + CHILD_BACK};
	pid_t tid = remote->thread->tid, child = 0;
	struct user_regs_struct regs;
	int r;

	if (!remote->gadgets.sigreturn.value)
		return error_set(err, ENOTSUP, "no way for a child to end by itself");
	r = write_child_end(remote, err);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_SETOPTIONS, tid, NULL,
		   (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE)) < 0)
		return error_errno(err, "trace the child of thread %d", tid);
	r = set_call(remote, err, SYS_clone, args);
	if (r == 0)
		r = step(tid, err);
	if (r == 0)
		r = step_through_clone(tid, &child, err);
	ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD);
	if (r == 0)
		r = tracee_get_regs(tid, &regs, err);
	if (r == 0 && !child)
		return error_set(err, (int)-(long)regs.rax, "clone a child of thread %d: %s", tid,
				 strerror((int)-(long)regs.rax));
	*ret_pid = child;
	return r;
}
