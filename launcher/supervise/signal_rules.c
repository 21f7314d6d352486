/* See signal_rules.h. */
#include "launcher/supervise/signal_rules.h"

#include <signal.h>

bool signal_asks_to_end(int signo)
{
	return signo == SIGTERM || signo == SIGINT || signo == SIGHUP || signo == SIGABRT ||
	       signo == SIGKILL;
}

bool signal_stops(int signo)
{
	return signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU || signo == SIGSTOP;
}

static bool terminal_generates(int signo)
{
	switch (signo) {
	case SIGINT:
	case SIGQUIT:
	case SIGHUP:
	case SIGWINCH:
	case SIGCONT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return true;
	default:
		return false;
	}
}

static bool jvm_leaves_ignored(int signo)
{
	return signo == SIGHUP || signo == SIGINT || signo == SIGTERM;
}

enum signal_verdict signal_rule(const struct signal_arrival *arrival)
{
	if (arrival->signo == SIGCHLD)
		return SIGNAL_DROP; /* about jsnap's children, the application among them */
	if (arrival->ignored_by_caller && (jvm_leaves_ignored(arrival->signo) || !arrival->caught))
		return SIGNAL_DROP;
	if (arrival->code != SI_KERNEL) {
		/* Its own: SIGPIPE of a write comes as SI_USER from the writer itself. */
		return arrival->sender == arrival->self ? SIGNAL_DROP : SIGNAL_FORWARD;
	}
	if (!terminal_generates(arrival->signo))
		return SIGNAL_DROP; /* about this process: its timers, its limits */
	if (!arrival->same_group)
		return SIGNAL_FORWARD;
	/* __tty_hangup() signals the session leader; the foreground group only hears of it when
	 * the leader dies. */
	if (arrival->signo == SIGHUP && arrival->session_leader)
		return SIGNAL_FORWARD;
	return SIGNAL_DROP;
}
