/* The restorer: see plan.h. Freestanding; every function ends up in one flat blob. */
#include "restore/restorer/restorer.h"

#include <linux/futex.h>
#include <linux/time.h>
#include <linux/time.h>

void restorer_entry(struct rst_plan *plan) __attribute__((section(".text.entry"), noreturn));
HIDDEN void restorer_thread(struct rst_thread *thread) __attribute__((noreturn, used));

static void __attribute__((noreturn))
fail(struct rst_plan *plan, const struct rst_op *op, long error, int32_t tid)
{
	struct rst_report report;

	report.failed = 1;
	report.error = (int32_t)-error;
	report.thread = tid;
	report.what = op ? op->what : 0;
	report.index = op ? op->index : 0;
	report.nr = op ? op->nr : __NR_clone3;
	call3(__NR_write, (uint64_t)plan->status_fd, (uint64_t)&report, sizeof(report));
	for (;;)
		call3(__NR_exit_group, 1, 0, 0);
}

/* There is no vDSO to ask: a system call, some 100 ns. */
uint64_t time_of(int clock)
{
	int64_t ts[2] = {0, 0};

	call3(__NR_clock_gettime, (uint64_t)clock, (uint64_t)ts, 0);
	return (uint64_t)ts[0] * 1000000000u + (uint64_t)ts[1];
}

static void end_phase(struct rst_plan *plan, enum rst_phase phase)
{
	uint64_t now = time_of(CLOCK_MONOTONIC);

	plan->phase_ns[phase] = now - plan->phase_start_ns;
	plan->phase_start_ns = now;
}

static void add_time(uint64_t address, uint64_t ns)
{
	volatile int64_t *ts = (volatile int64_t *)address;
	int64_t sec = (int64_t)((uint64_t)ts[0] + ns / 1000000000u);
	int64_t nsec = (int64_t)((uint64_t)ts[1] + ns % 1000000000u);

	if (nsec >= 1000000000) {
		nsec -= 1000000000;
		sec++;
	}
	if (ts[0] > INT64_MAX / 2) /* for ever stays for ever */
		return;
	ts[0] = sec;
	ts[1] = nsec;
}

static void copy(uint64_t to, uint64_t from, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		((volatile char *)to)[i] = ((const volatile char *)from)[i];
}

static int passed(const struct rst_op *op, long result)
{
	switch (op->check) {
	case RST_IGNORE:
		return 1;
	case RST_ARG0:
		return (uint64_t)result == op->args[0];
	case RST_ARG2:
		return (uint64_t)result == op->args[2];
	case RST_TIMER_ID:
		return result == 0 && *(volatile int32_t *)op->args[2] == (int32_t)op->index;
	default:
		return result >= 0 || result < -4095;
	}
}

void run_op(struct rst_plan *plan, const struct rst_op *op)
{
	long result;

	if (op->nr == RST_NR_ADD_TIME) {
		add_time(op->args[0], op->args[1]);
		return;
	}
	if (op->nr == RST_NR_COPY) {
		copy(op->args[0], op->args[1], op->args[2]);
		return;
	}
	result = call6(op->nr, op->args);
	if (!passed(op, result))
		fail(plan, op, result < 0 && result >= -4095 ? result : -5, 0);
}

static void run(struct rst_plan *plan, const struct rst_ops *ops)
{
	for (uint64_t i = 0; i < ops->count; i++)
		run_op(plan, &ops->first[i]);
}

static void take_share(struct rst_plan *plan, struct rst_shared *shared)
{
	uint64_t i;

	while ((i = __atomic_fetch_add(&shared->next, shared->step, __ATOMIC_RELAXED)) <
	       shared->ops.count)
		for (uint64_t end = i + shared->step; i < end && i < shared->ops.count; i++)
			run_op(plan, &shared->ops.first[i]);
}

static void take_shares(struct rst_plan *plan)
{
	take_share(plan, &plan->reads);
	take_share(plan, &plan->populates);
}

void await_release(struct rst_plan *plan)
{
	while (!__atomic_load_n(&plan->release, __ATOMIC_SEQ_CST))
		futex(&plan->release, FUTEX_WAIT, 0);
}

/* After the release, which stays as it is: nobody wakes this wait. A signal would, which does no
 * harm. */
void pause(struct rst_plan *plan, uint64_t ns)
{
	int64_t timeout[2] = {(int64_t)(ns / 1000000000u), (int64_t)(ns % 1000000000u)};
	const uint64_t args[6] = {(uint64_t)&plan->release, FUTEX_WAIT, 1, (uint64_t)timeout, 0, 0};

	call6(__NR_futex, args);
}

static void __attribute__((noreturn)) resume(struct rst_thread *thread)
{
	struct rst_plan *plan = thread->plan;

	if (thread->held == RST_HELD_TIME)
		pause(plan, plan->hold_ns);
	while (thread->held == RST_HELD_DOORS &&
	       !__atomic_load_n(&plan->doors.opened, __ATOMIC_SEQ_CST))
		futex(&plan->doors.opened, FUTEX_WAIT, 0);
	__asm__ volatile("mov %0, %%rsp\n"
			 "1: mov %1, %%eax\n"
			 "syscall\n"
			 "jmp 1b\n"
			 :
			 : "r"(thread->frame), "i"(__NR_rt_sigreturn)
			 : "memory");
	__builtin_unreachable();
}

void restorer_thread(struct rst_thread *thread)
{
	struct rst_plan *plan = thread->plan;

	run(plan, &thread->ops);
	if ((uint64_t)(thread - plan->threads) < plan->helpers)
		take_shares(plan);
	/* The leader waits for the last one, and is not woken by each. */
	if (__atomic_add_fetch(&plan->ready, 1, __ATOMIC_SEQ_CST) == plan->n_threads)
		futex(&plan->ready, FUTEX_WAKE, 1);
	await_release(plan);
	resume(thread);
}

/* The new thread starts with the address of its record on top of its stack. */
static long start_thread(struct rst_thread *thread)
{
	long result;

	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "pop %%rdi\n"
			 "call restorer_thread\n"
			 "1:\n"
			 : "=a"(result)
			 : "a"(__NR_clone3), "D"(&thread->clone), "S"(sizeof(thread->clone))
			 : "rcx", "r11", "memory");
	return result;
}

/* The same by clone, which takes the number that is next. A thread that got another one than its
 * record's ends before it has written to its stack, so that the next can start on it at once. */
static long seek_thread(struct rst_thread *thread)
{
	register uint64_t r10 __asm__("r10") = 0;
	register uint64_t r8 __asm__("r8") = thread->clone.tls;
	long result;

	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "mov (%%rsp), %%rdi\n"
			 "mov %[gettid], %%eax\n"
			 "syscall\n"
			 "cmp %%eax, %c[tid](%%rdi)\n"
			 "je 2f\n"
			 "mov %[exit], %%eax\n"
			 "xor %%edi, %%edi\n"
			 "syscall\n"
			 "2:\n"
			 "sub $8, %%rsp\n"
			 "call restorer_thread\n"
			 "1:\n"
			 : "=a"(result)
			 : "a"(__NR_clone), "D"(thread->clone.flags),
			   "S"(thread->clone.stack + thread->clone.stack_size), "d"(0L), "r"(r10),
			   "r"(r8), [gettid] "i"(__NR_gettid), [exit] "i"(__NR_exit),
			   [tid] "i"(__builtin_offsetof(struct rst_thread, tid))
			 : "rcx", "r11", "memory");
	return result;
}

static long set_last_pid(struct rst_plan *plan, int32_t tid)
{
	char text[10];
	uint64_t n = digits((uint32_t)tid - 1, text);
	const uint64_t args[6] = {(uint64_t)plan->last_pid_fd, (uint64_t)text + 10 - n, n, 0, 0, 0};

	return call6(__NR_pwrite64, args);
}

/* As walk_to does in walk.c, for the same reason. */
static void await_filler(struct rst_plan *plan, int32_t tid)
{
	while (tid && call3(__NR_tgkill, (uint64_t)plan->leader.tid, (uint64_t)tid, 0) == 0)
		call3(__NR_sched_yield, 0, 0, 0);
}

/*
 * Clones until the wanted number comes. `last` is the number given out before. Somebody else may be
 * quicker: by ns_last_pid it is tried again a moment later; on a walk a number that is passed does
 * not come back until the counter has wrapped, which shows as a lower number and goes on.
 */
static long seek(struct rst_plan *plan, struct rst_thread *thread, int32_t last)
{
	const int64_t wait[2] = {0, RST_LAST_PID_WAIT_NS};
	int32_t *recent;
	int misses = 0;

	while (plan->seek_tries) {
		long result = plan->last_pid_fd >= 0 && last + 1 != thread->tid
				      ? set_last_pid(plan, thread->tid)
				      : 0;

		if (result < 0)
			return result;
		result = seek_thread(thread);
		if (result == thread->tid)
			return result;
		if (result > thread->tid && plan->last_pid_fd < 0 && last < thread->tid)
			return -17;
		plan->seek_tries--;
		if (result < 0 && result != -11)
			return result;
		if (result < 0) { /* too many threads that have not quite ended */
			call3(__NR_sched_yield, 0, 0, 0);
			continue;
		}
		last = (int32_t)result;
		if (plan->last_pid_fd >= 0) { /* what it got may be the next thread's number */
			if (++misses == RST_LAST_PID_TRIES)
				return -17;
			call3(__NR_nanosleep, (uint64_t)wait, 0, 0);
			await_filler(plan, last);
			continue;
		}
		recent = &plan->recent[plan->fillers++ % RST_RECENT];
		await_filler(plan, *recent);
		*recent = last;
	}
	return -17;
}

/* The program must not see threads that are none of its own. */
static void await_fillers(struct rst_plan *plan)
{
	for (uint32_t i = 0; i < RST_RECENT; i++)
		await_filler(plan, plan->recent[i]);
}

static void start_threads(struct rst_plan *plan)
{
	int32_t last = plan->leader.tid;

	for (uint64_t i = 0; i < plan->n_threads; i++) {
		struct rst_thread *thread = &plan->threads[i];
		long result = plan->seek ? seek(plan, thread, last) : start_thread(thread);

		if (result != thread->tid)
			fail(plan, 0, result < 0 ? result : -17, thread->tid);
		last = thread->tid;
	}
	await_fillers(plan);
}

void restorer_entry(struct rst_plan *plan)
{
	struct rst_report report;
	uint32_t ready;

	run(plan, &plan->map);
	end_phase(plan, RST_MAP);
	start_threads(plan);
	take_shares(plan);
	while ((ready = __atomic_load_n(&plan->ready, __ATOMIC_SEQ_CST)) != plan->n_threads)
		futex(&plan->ready, FUTEX_WAIT, ready);
	run(plan, &plan->leader.ops);
	end_phase(plan, RST_THREADS);
	run(plan, &plan->finish);
	report.failed = 0;
	report.error = 0;
	report.thread = 0;
	report.what = 0;
	report.index = 0;
	report.nr = 0;
	if (plan->after_close.count) {
		/* Locks are lost with any descriptor of their file that is closed: the status pipe
		 * alone survives until they are taken. */
		call3(__NR_close_range, plan->first_engine_fd, (uint64_t)plan->status_fd - 1, 0);
		call3(__NR_close_range, (uint64_t)plan->status_fd + 1, ~0u, 0);
		run(plan, &plan->after_close);
	}
	end_phase(plan, RST_FINISH);
	for (int i = 0; i < RST_PHASES; i++)
		report.phase_ns[i] = plan->phase_ns[i];
	call3(__NR_write, (uint64_t)plan->status_fd, (uint64_t)&report, sizeof(report));
	call3(__NR_close_range, plan->first_engine_fd, ~0u, 0);
	start_doorman(plan);
	__atomic_store_n(&plan->release, 1, __ATOMIC_SEQ_CST);
	futex(&plan->release, FUTEX_WAKE, 0x7fffffff);
	resume(&plan->leader);
}
