/* The restorer: see plan.h. Freestanding; every function ends up in one flat blob. */
#include "restore/restorer/plan.h"

#include <asm/unistd.h>
#include <asm/fcntl.h>
#include <asm/socket.h>
#include <linux/futex.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time.h>

#define LOOK_NS 500000 /* between two looks of the doorman */

#define HIDDEN __attribute__((visibility("hidden")))

void restorer_entry(struct rst_plan *plan) __attribute__((section(".text.entry"), noreturn));
HIDDEN void restorer_thread(struct rst_thread *thread) __attribute__((noreturn, used));
HIDDEN void restorer_doorman(struct rst_plan *plan) __attribute__((noreturn, used));

static long call6(long nr, const uint64_t *a)
{
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static long call3(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t args[6] = {a, b, c, 0, 0, 0};

	return call6(nr, args);
}

static long futex(uint32_t *word, int op, uint32_t value)
{
	return call3(__NR_futex, (uint64_t)word, (uint64_t)op, value);
}

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
static uint64_t monotonic(void)
{
	int64_t ts[2] = {0, 0};

	call3(__NR_clock_gettime, CLOCK_MONOTONIC, (uint64_t)ts, 0);
	return (uint64_t)ts[0] * 1000000000u + (uint64_t)ts[1];
}

static void end_phase(struct rst_plan *plan, enum rst_phase phase)
{
	uint64_t now = monotonic();

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

static void run_op(struct rst_plan *plan, const struct rst_op *op)
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

static void await_release(struct rst_plan *plan)
{
	while (!__atomic_load_n(&plan->release, __ATOMIC_SEQ_CST))
		futex(&plan->release, FUTEX_WAIT, 0);
}

/* After the release, which stays as it is: nobody wakes this wait. A signal would, which does no
 * harm. */
static void pause(struct rst_plan *plan, uint64_t ns)
{
	int64_t timeout[2] = {(int64_t)(ns / 1000000000u), (int64_t)(ns % 1000000000u)};
	const uint64_t args[6] = {(uint64_t)&plan->release, FUTEX_WAIT, 1, (uint64_t)timeout, 0, 0};

	call6(__NR_futex, args);
}

/* How many of the connections that have ended the program still has. */
static uint64_t ended_left(struct rst_doors *doors)
{
	struct pollfd *fds = (struct pollfd *)doors->ended;
	uint64_t left = 0;

	if (call3(__NR_poll, doors->ended, doors->n_ended, 0) < 0)
		return 0;
	for (uint64_t i = 0; i < doors->n_ended; i++) {
		if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
			left++;
		else
			fds[i].fd = -1; /* its number may be another's next time */
	}
	return left;
}

static int listens(uint64_t fd)
{
	uint32_t size = sizeof(int);
	int answer = 0;
	const uint64_t args[6] = {fd, SOL_SOCKET, SO_ACCEPTCONN, (uint64_t)&answer, (uint64_t)&size,
				  0};

	return call6(__NR_getsockopt, args) == 0 && answer;
}

/* The decimal digits of a number, right-aligned; how many there are. */
static uint64_t digits(uint32_t number, char text[10])
{
	uint64_t n = 0;

	do {
		text[9 - n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return n;
}

struct text {
	uint64_t fd;
	long size, at;
	char bytes[256];
};

/* Below 0 at the end. */
static int next(struct text *text)
{
	if (text->at == text->size) {
		text->at = 0;
		text->size = call3(__NR_read, text->fd, (uint64_t)text->bytes, sizeof(text->bytes));
	}
	return text->size > 0 ? text->bytes[text->at++] : -1;
}

static int skip_past(struct text *text, char wanted)
{
	int c;

	do
		c = next(text);
	while (c >= 0 && c != wanted);
	return c;
}

/* In front of which there are blanks, and behind it one. */
static uint64_t number(struct text *text, unsigned int base)
{
	uint64_t value = 0;
	int c;

	do
		c = next(text);
	while (c == ' ');
	for (; c > ' '; c = next(text))
		value = value * base + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	return value;
}

/* "tfd: FD events: BITS data: ...", a line for each target of the set (proc(5)). */
static uint64_t watched_for(struct text *text, uint64_t target)
{
	int c;

	while ((c = next(text)) >= 0) {
		if (c == 't' && skip_past(text, ':') >= 0 && number(text, 10) == target &&
		    skip_past(text, ':') >= 0)
			return number(text, 16);
		if (skip_past(text, '\n') < 0)
			break;
	}
	return 0;
}

/* Whether the set watches for what it was given here, and the program has not set anything else
 * since. Without /proc nobody can tell. */
static int shut(uint64_t set, uint64_t target)
{
	char path[32] = "/proc/self/fdinfo/", decimal[10];
	uint64_t n = digits((uint32_t)set, decimal), at = 18;
	struct text text;
	long fd;

	for (uint64_t i = 10 - n; i < 10; i++)
		path[at++] = decimal[i];
	path[at] = 0;
	fd = call3(__NR_open, (uint64_t)path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 1;
	text.fd = (uint64_t)fd;
	text.size = text.at = 0;
	n = watched_for(&text, target);
	call3(__NR_close, (uint64_t)fd, 0, 0);
	return (n & RST_SHUT) != 0;
}

static void open_doors(struct rst_plan *plan)
{
	struct rst_doors *doors = &plan->doors;

	for (uint64_t i = 0; i < doors->open.count; i++) {
		const struct rst_op *op = &doors->open.first[i];

		if (listens(op->args[2]) && shut(op->args[0], op->args[2]))
			run_op(plan, op);
	}
	__atomic_store_n(&doors->opened, 1, __ATOMIC_SEQ_CST);
	futex(&doors->opened, FUTEX_WAKE, 0x7fffffff);
}

void restorer_doorman(struct rst_plan *plan)
{
	struct rst_doors *doors = &plan->doors;
	const volatile uint32_t *gate = (const volatile uint32_t *)doors->gate;
	uint64_t before = ~0ull, left, since = 0, same = 0;

	await_release(plan);
	while ((left = ended_left(doors)) != 0 && same < doors->looks &&
	       (!since || monotonic() - since < doors->most_ns)) {
		if (!since && (!gate || *gate))
			since = monotonic();
		if (since)
			same = left < before ? 0 : same + 1;
		before = left;
		pause(plan, LOOK_NS);
	}
	open_doors(plan);
	for (;;)
		call3(__NR_exit, 0, 0, 0);
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

/* By clone, which gets through where clone3 does not. Of the leader it has what no code here uses:
 * TLS and name. */
static void start_doorman(struct rst_plan *plan)
{
	register uint64_t r10 __asm__("r10") = 0;
	register uint64_t r8 __asm__("r8") = 0;
	long result;

	if (!plan->doors.doorman)
		return;
	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "pop %%rdi\n"
			 "call restorer_doorman\n"
			 "1:\n"
			 : "=a"(result)
			 : "a"(__NR_clone),
			   "D"(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			       CLONE_SYSVSEM),
			   "S"(plan->doors.doorman), "d"(0L), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	if (result < 0) /* no thread more is allowed */
		open_doors(plan);
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
