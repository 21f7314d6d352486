/*
 * Which signal that jsnap got does the application have to get from it? A pure decision.
 *
 * The application shares jsnap's process group, session and terminal. What the terminal generates
 * (the kernel, SI_KERNEL: ^C, ^Z, ^\, window size) goes to the whole foreground group, so the
 * application has it already; what somebody sent to jsnap's PID (SI_USER, SI_QUEUE) it has not.
 *
 * What the caller ignores is ignored: by the kernel what nobody handles, and by HotSpot SIGHUP,
 * SIGINT and SIGTERM. Any other signal a JVM handles whatever it was started with, SIGQUIT above
 * all, which every `&` of a script ignores. Sources: kernel drivers/tty/tty_jobctrl.c,
 * credentials(7), sigaction(2) on si_code; HotSpot's os/posix/jvm_posix.cpp (JVM_RegisterSignal)
 * and runtime/os.cpp (initialize_jdk_signal_support).
 */
#ifndef JSNAP_LAUNCHER_SIGNAL_RULES_H
#define JSNAP_LAUNCHER_SIGNAL_RULES_H

#include <stdbool.h>
#include <sys/types.h>

struct signal_arrival {
	int signo;
	int code;		/* si_code */
	pid_t sender;		/* si_pid; 0 when the kernel or another PID namespace sent it */
	pid_t self;		/* this process */
	bool same_group;	/* the application is in this process's group */
	bool session_leader;	/* this process leads its session: a hang-up goes to it alone */
	bool ignored_by_caller; /* was SIG_IGN when jsnap was started (nohup, `&` in a script) */
	bool caught;		/* the application has a handler for it */
};

enum signal_verdict {
	SIGNAL_DROP,	/* not for the application, or it has it already */
	SIGNAL_FORWARD, /* send it on */
};

enum signal_verdict signal_rule(const struct signal_arrival *arrival);

/* Signals whose default action ends a process, and that mean "end" to a JVM. */
bool signal_asks_to_end(int signo);
/* SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP. */
bool signal_stops(int signo);

#endif
