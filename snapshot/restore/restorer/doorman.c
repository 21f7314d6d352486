/* The doorman: see plan_doors.c. */
#include "restore/restorer/restorer.h"

#include <asm/fcntl.h>
#include <asm/socket.h>
#include <linux/futex.h>
#include <linux/poll.h>
#include <linux/sched.h>

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

static int listens(uint64_t fd)
{
	uint32_t size = sizeof(int);
	int answer = 0;
	const uint64_t args[6] = {fd, SOL_SOCKET, SO_ACCEPTCONN, (uint64_t)&answer, (uint64_t)&size,
				  0};

	return call6(__NR_getsockopt, args) == 0 && answer;
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
