/* What the pieces of the restorer share; they are linked into one blob. */
#ifndef JSNAP_RESTORE_RESTORER_RESTORER_H
#define JSNAP_RESTORE_RESTORER_RESTORER_H

#include "restore/restorer/plan.h"

#include <asm/unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* What that clock says, in nanoseconds. */
HIDDEN uint64_t time_of(int clock);
HIDDEN void run_op(struct rst_plan *plan, const struct rst_op *op);
/* Until the barrier opens. */
HIDDEN void await_release(struct rst_plan *plan);
HIDDEN void pause(struct rst_plan *plan, uint64_t ns);

/* doorman.c: a thread that opens the doors and ends; without one they are opened at once. */
HIDDEN void start_doorman(struct rst_plan *plan);

static inline long call6(long nr, const uint64_t *a)
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

static inline long call3(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t args[6] = {a, b, c, 0, 0, 0};

	return call6(nr, args);
}

static inline long futex(uint32_t *word, int op, uint32_t value)
{
	return call3(__NR_futex, (uint64_t)word, (uint64_t)op, value);
}

/* The decimal digits of a number, right-aligned; how many there are. */
static inline uint64_t digits(uint32_t number, char text[10])
{
	uint64_t n = 0;

	do {
		text[9 - n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return n;
}

#endif
