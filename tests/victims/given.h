/*
 * What only root can set up for a victim, while the runner still is root.
 */
#ifndef JSNAP_TESTS_VICTIMS_GIVEN_H
#define JSNAP_TESTS_VICTIMS_GIVEN_H

#include <stdbool.h>
#include <sys/types.h>

#define GIVEN_FD 9

/* "bpf", "packet", "packet_ring", "device", "terminal": a descriptor; "fifo", "rr", "deadline": a
 * scheduling policy; "ids": a program file of another group's (setgid). Skips the test where that
 * can't be had. */
void given_prepare(const char *kind);

/* The program file, while it is still root's. */
void given_file(const char *victim);

/* In the victim's process, before exec: the descriptor at its number, all others closed. */
void given_place(void);

/* The policy, when the victim runs. */
void given_apply(pid_t victim);

#endif
