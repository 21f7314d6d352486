/* See restart.h. */
#include "trace/restart.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

/* include/linux/errno.h of the kernel; never seen by programs except through ptrace. */
enum {
	K_ERESTARTSYS = 512,
	K_ERESTARTNOINTR = 513,
	K_ERESTARTNOHAND = 514,
	K_ERESTART_RESTARTBLOCK = 516,
};

#define SYSCALL_INSN_SIZE 2

static void call_again(struct user_regs_struct *regs, uint64_t nr)
{
	regs->rax = nr;
	regs->orig_rax = (uint64_t)-1;
	regs->rip -= SYSCALL_INSN_SIZE;
}

/* Calls that return EINTR after any stop and have changed nothing by then (signal(7)). */
static bool eintr_is_ours(uint64_t nr)
{
	switch (nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_rt_sigtimedwait:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_io_getevents:
	case SYS_io_pgetevents:
	/* with SO_RCVTIMEO or SO_SNDTIMEO; nothing was transferred when they say EINTR */
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
		return true;
	default:
		return false;
	}
}

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13 /* Linux 5.14 */
#endif

static bool monotonic_futex(const struct user_regs_struct *regs)
{
	int op = (int)regs->rsi, command = op & FUTEX_CMD_MASK;

	return (command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI2) &&
	       !(op & FUTEX_CLOCK_REALTIME);
}

/*
 * A call that was already restarted once is known to the kernel only as restart_syscall: its
 * arguments are still in the registers, its number in the instruction that loaded it
 * (mov $nr,%eax directly before syscall in every libc; musl and glibc inline it).
 */
static uint64_t call_number(const struct tracee *tracee, const struct user_regs_struct *regs)
{
	unsigned char code[48];
	uint64_t from = regs->rip - SYSCALL_INSN_SIZE - sizeof(code);

	if (regs->orig_rax != SYS_restart_syscall)
		return regs->orig_rax;
	if (!tracee || tracee_read(tracee, remote_at(from), code, sizeof(code), NULL) < 0)
		return SYS_restart_syscall;
	for (size_t i = sizeof(code) - 5;; i--) {
		uint32_t nr = code[i + 1] | (uint32_t)code[i + 2] << 8;

		if (code[i] == 0xb8 && !code[i + 3] && !code[i + 4] &&
		    (nr == SYS_futex || nr == SYS_nanosleep || nr == SYS_clock_nanosleep ||
		     nr == SYS_poll))
			return nr;
		if (i == 0)
			return SYS_restart_syscall;
	}
}

static void note_deadline(const struct user_regs_struct *regs, uint64_t nr,
			  enum restart_deadline *ret_restart, uint64_t *ret_deadline)
{
	if (nr == SYS_futex && monotonic_futex(regs) && regs->r10) {
		*ret_restart = RESTART_ABSOLUTE_MONOTONIC;
		*ret_deadline = regs->r10;
	} else if (nr == SYS_futex_waitv && regs->r8 == CLOCK_MONOTONIC && regs->r10) {
		*ret_restart = RESTART_ABSOLUTE_MONOTONIC;
		*ret_deadline = regs->r10;
	} else if (nr == SYS_clock_nanosleep && regs->rsi == TIMER_ABSTIME &&
		   (regs->rdi == CLOCK_MONOTONIC || regs->rdi == CLOCK_BOOTTIME)) {
		*ret_restart = regs->rdi == CLOCK_MONOTONIC ? RESTART_ABSOLUTE_MONOTONIC
							    : RESTART_ABSOLUTE_BOOTTIME;
		*ret_deadline = regs->rdx;
	}
}

/* An interrupted relative sleep has written what remained where the caller asked for it
 * (kernel/time/hrtimer.c, nanosleep_copyout): sleep that long. */
static void sleep_remaining(struct user_regs_struct *regs, uint64_t nr)
{
	if (nr == SYS_nanosleep && regs->rsi)
		regs->rdi = regs->rsi;
	else if (nr == SYS_clock_nanosleep && regs->rsi != TIMER_ABSTIME && regs->r10)
		regs->rdx = regs->r10;
}

void restart_rewind(const struct tracee *tracee, struct user_regs_struct *regs,
		    enum restart_signal signal, enum restart_deadline *ret_restart,
		    uint64_t *ret_deadline)
{
	long result = (long)regs->rax;
	uint64_t nr;

	*ret_restart = RESTART_NONE;
	*ret_deadline = 0;
	if ((long)regs->orig_rax < 0)
		return;
	nr = call_number(tracee, regs);
	switch (-result) {
	case EINTR:
		if (!eintr_is_ours(nr) || signal != RESTART_NO_SIGNAL)
			break;
		call_again(regs, nr);
		break;
	case K_ERESTARTNOHAND:
	case K_ERESTART_RESTARTBLOCK:
		if (signal != RESTART_NO_SIGNAL || nr == SYS_restart_syscall) {
			regs->rax = (uint64_t)-EINTR;
			break;
		}
		note_deadline(regs, nr, ret_restart, ret_deadline);
		if (-result == K_ERESTART_RESTARTBLOCK)
			sleep_remaining(regs, nr);
		call_again(regs, nr);
		break;
	case K_ERESTARTSYS:
		if (signal == RESTART_SIGNAL_INTERRUPTS) {
			regs->rax = (uint64_t)-EINTR;
			break;
		}
		/* fall through */
	case K_ERESTARTNOINTR:
		note_deadline(regs, nr, ret_restart, ret_deadline);
		call_again(regs, nr);
		break;
	default:
		break;
	}
	regs->orig_rax = (uint64_t)-1;
}

/* An absolute wait can be made again as it was, and stays readable to the next checkpoint. */
static bool absolute_wait(const struct user_regs_struct *regs)
{
	return (long)regs->rax == -K_ERESTART_RESTARTBLOCK && regs->orig_rax == SYS_futex &&
	       monotonic_futex(regs);
}

bool restart_needed(const struct user_regs_struct *regs)
{
	if ((long)regs->orig_rax < 0)
		return false;
	return ((long)regs->rax == -EINTR && eintr_is_ours(regs->orig_rax)) || absolute_wait(regs);
}

void restart_in_place(struct user_regs_struct *regs)
{
	if (restart_needed(regs))
		call_again(regs, regs->orig_rax);
}
