/*
 * What every victim shares: the protocol with the runner (see runner.c) and the ways to find fault.
 *
 * int main(int argc, char **argv)
 * {
 *	victim_init(argc, argv);
 *	... SETUP(what must work for the test to mean anything) ...
 *	victim_ready();		// returns when the runner has said go
 *	... EXPECT(what must still hold) ...
 *	return victim_result();
 * }
 */
#ifndef JSNAP_TESTS_VICTIMS_VICTIM_H
#define JSNAP_TESTS_VICTIMS_VICTIM_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void victim_init(int argc, char **argv);
void victim_ready(void);
int victim_result(void); /* 0 or 1, for main to return */

/* A path in the victim's own folder; four results stay valid at a time. */
const char *victim_path(const char *name);
/* A file of that folder filled with `size` bytes of victim_byte; its descriptor, read-write. */
int victim_file(const char *name, size_t size);
unsigned char victim_byte(size_t offset); /* a pattern without period that fits a page */
void victim_fill(void *memory, size_t size);
/* Counts a fault, naming the first wrong byte, unless the memory holds victim_fill's pattern. */
void victim_expect_filled(const char *what, const volatile void *memory, size_t size);
/* The permissions ("rw-p") of the mapping at the address as /proc/self/maps has them; "" if none.
 */
const char *victim_perms(const void *address);
/* The VmFlags line of the mapping at an address in smaps, without softdirty, after its range. */
void victim_vmflags(const void *address, char *text, size_t size);
/* Mappings of a page each, until the process may have `left` more (vm.max_map_count); the first of
 * them. Where the machine allows hundreds of thousands the test is skipped. */
unsigned char *victim_crowd(size_t left);
/* A function of the vDSO; without it the test is skipped. */
void *victim_vdso(const char *name);

void victim_fault(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void victim_broken(const char *file, int line, const char *what) __attribute__((noreturn));
void victim_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The same for what this processor or kernel lacks, which is no fault of the machine's setup. */
void victim_lacks(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

int64_t victim_now(clockid_t clock); /* ns */
void victim_sleep_ms(int ms);

/* Runs `body`, which is not to return, with this process's PID in a process that is no child of it.
 */
void victim_stranger(void (*body)(pid_t victim));

#define SETUP(cond)                                               \
	do {                                                      \
		if (!(cond))                                      \
			victim_broken(__FILE__, __LINE__, #cond); \
	} while (0)

#define EXPECT(cond)                                                     \
	do {                                                             \
		if (!(cond))                                             \
			victim_fault(__FILE__, __LINE__, "not: " #cond); \
	} while (0)

#define EXPECT_EQ(a, b)                                                                            \
	do {                                                                                       \
		intmax_t a_ = (intmax_t)(a), b_ = (intmax_t)(b);                                   \
		if (a_ != b_)                                                                      \
			victim_fault(__FILE__, __LINE__,                                           \
				     "%s is %" PRIdMAX ", not %" PRIdMAX " (%s)", #a, a_, b_, #b); \
	} while (0)

#define EXPECT_STR(a, b)                                                                          \
	do {                                                                                      \
		const char *a_ = (a), *b_ = (b);                                                  \
		if (strcmp(a_, b_) != 0)                                                          \
			victim_fault(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, a_, b_); \
	} while (0)

#endif
