/* The doorman: see plan_doors.c. */
#include "restore/restorer/restorer.h"

#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time.h>

#define LOOK_NS 500000 /* between two looks */

HIDDEN void restorer_doorman(struct rst_plan *plan) __attribute__((noreturn, used));

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

static long call_open(uint64_t folder, const char *path, uint64_t flags)
{
	const uint64_t args[6] = {folder, (uint64_t)path, flags | O_CLOEXEC, 0, 0, 0};

	return call6(__NR_openat, args);
}

static int listens(uint64_t fd)
{
	uint32_t size = sizeof(int);
	int answer = 0;
	const uint64_t args[6] = {fd, SOL_SOCKET, SO_ACCEPTCONN, (uint64_t)&answer, (uint64_t)&size,
				  0};

	return call6(__NR_getsockopt, args) == 0 && answer;
}

struct linux_dirent64 { /* getdents64(2) */
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

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
	fd = call_open((uint64_t)AT_FDCWD, path, O_RDONLY);
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

/* Whether a thread, by its name in /proc/self/task, runs, waits for a processor, or for a page: R
 * or D behind "TID (comm) " (proc_pid_stat(5)). */
static int has_work(uint64_t tasks, const char *name)
{
	char path[16], bytes[64]; /* a comm is 15 characters, at most */
	uint64_t n = 0;
	long fd, at;

	for (; name[n] && n < 10; n++)
		path[n] = name[n];
	for (const char *file = "/stat"; *file; file++)
		path[n++] = *file;
	path[n] = 0;
	fd = call_open(tasks, path, O_RDONLY);
	if (fd < 0)
		return 0;
	at = call3(__NR_read, (uint64_t)fd, (uint64_t)bytes, sizeof(bytes)) - 3;
	call3(__NR_close, (uint64_t)fd, 0, 0);
	while (at >= 0 && bytes[at] != ')')
		at--;
	return at >= 0 && (bytes[at + 2] == 'R' || bytes[at + 2] == 'D');
}

/* Whether a thread of the program has work. The doorman, who asks, is one of all threads. */
static int wants_processor(void)
{
	union {
		struct linux_dirent64 first;
		char bytes[1024];
	} names;
	long fd = call_open((uint64_t)AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY);
	const struct linux_dirent64 *entry;
	long size, found = 0;

	if (fd < 0)
		return 0;
	while (found < 2 &&
	       (size = call3(__NR_getdents64, (uint64_t)fd, (uint64_t)&names, sizeof(names))) > 0)
		for (long at = 0; found < 2 && at < size; at += entry->d_reclen) {
			entry = (const void *)(names.bytes + at);
			found += has_work((uint64_t)fd, entry->d_name);
		}
	call3(__NR_close, (uint64_t)fd, 0, 0);
	return found == 2;
}

/* Whether the program leaves open what it has not closed: it has nothing to do, or had its time. */
static int settled(const struct rst_doors *doors, uint64_t processor)
{
	return !wants_processor() ||
	       time_of(CLOCK_PROCESS_CPUTIME_ID) - processor >= doors->processor_ns;
}

static void await_program(struct rst_plan *plan)
{
	const volatile uint32_t *gate = (const volatile uint32_t *)plan->doors.gate;

	while (gate && !*gate && ended_left(&plan->doors))
		pause(plan, LOOK_NS);
}

static void await_ends(struct rst_plan *plan)
{
	struct rst_doors *doors = &plan->doors;
	uint64_t start = time_of(CLOCK_MONOTONIC), processor = time_of(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t before = ~0ull, left, same = 0;

	while ((left = ended_left(doors)) != 0 &&
	       time_of(CLOCK_MONOTONIC) - start < doors->most_ns) {
		same = left < before ? 0 : same + 1;
		before = left;
		if (same >= doors->looks) {
			if (settled(doors, processor))
				break;
			same = 0;
		}
		pause(plan, LOOK_NS);
	}
}

void restorer_doorman(struct rst_plan *plan)
{
	await_release(plan);
	await_program(plan);
	await_ends(plan);
	open_doors(plan);
	for (;;)
		call3(__NR_exit, 0, 0, 0);
}

/* By clone, which gets through where clone3 does not. Of the leader it has what no code here uses:
 * TLS and name. */
void start_doorman(struct rst_plan *plan)
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
