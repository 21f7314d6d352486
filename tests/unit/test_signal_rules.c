/* Which signals go on to the application. */
#include "check.h"
#include "launcher/supervise/signal_rules.h"

#include <signal.h>

/* What was ignored when jsnap was started, sent to it by somebody. */
static enum signal_verdict rule_ignored(int signo, bool caught)
{
	const struct signal_arrival arrival = {.signo = signo,
					       .code = SI_USER,
					       .sender = 7,
					       .self = 100,
					       .same_group = true,
					       .ignored_by_caller = true,
					       .caught = caught};

	return signal_rule(&arrival);
}

static enum signal_verdict rule(int signo, int code, pid_t sender, bool same_group, bool leader)
{
	const struct signal_arrival arrival = {.signo = signo,
					       .code = code,
					       .sender = sender,
					       .self = 100,
					       .same_group = same_group,
					       .session_leader = leader,
					       .caught = true};

	return signal_rule(&arrival);
}

int main(void)
{
	static const int tty[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH, SIGHUP};
	static const int sent[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2,
				   SIGCONT, SIGTSTP, SIGPIPE, SIGALRM, SIGWINCH};

	for (size_t i = 0; i < sizeof(tty) / sizeof(tty[0]); i++) {
		/* The whole foreground group got it already. */
		CHECK_EQ(rule(tty[i], SI_KERNEL, 0, true, false), SIGNAL_DROP);
		/* In a group of its own it got nothing. */
		CHECK_EQ(rule(tty[i], SI_KERNEL, 0, false, false), SIGNAL_FORWARD);
	}
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		CHECK_EQ(rule(sent[i], SI_USER, 7, true, false), SIGNAL_FORWARD);
		CHECK_EQ(rule(sent[i], SI_USER, 0, true, false), SIGNAL_FORWARD);
		CHECK_EQ(rule(sent[i], SI_QUEUE, 7, true, false), SIGNAL_FORWARD);
		CHECK_EQ(rule_ignored(sent[i], false), SIGNAL_DROP);
	}
	/* java handles these although it was started with them ignored. */
	CHECK_EQ(rule_ignored(SIGQUIT, true), SIGNAL_FORWARD);
	CHECK_EQ(rule_ignored(SIGUSR1, true), SIGNAL_FORWARD);
	/* And these it doesn't, whatever a snapshot's disposition is. */
	CHECK_EQ(rule_ignored(SIGHUP, true), SIGNAL_DROP);
	CHECK_EQ(rule_ignored(SIGINT, true), SIGNAL_DROP);
	CHECK_EQ(rule_ignored(SIGTERM, true), SIGNAL_DROP);
	/* A hang-up reaches the session's leader alone. */
	CHECK_EQ(rule(SIGHUP, SI_KERNEL, 0, true, true), SIGNAL_FORWARD);
	/* jsnap's own write into a closed pipe. */
	CHECK_EQ(rule(SIGPIPE, SI_USER, 100, true, false), SIGNAL_DROP);
	CHECK_EQ(rule(SIGXCPU, SI_KERNEL, 0, true, false), SIGNAL_DROP);
	CHECK_EQ(rule(SIGCHLD, CLD_EXITED, 7, true, false), SIGNAL_DROP);
	CHECK(signal_asks_to_end(SIGTERM) && signal_asks_to_end(SIGINT));
	CHECK(!signal_asks_to_end(SIGQUIT) && !signal_asks_to_end(SIGUSR1));
	CHECK(signal_stops(SIGTSTP) && signal_stops(SIGSTOP) && !signal_stops(SIGCONT));
	return 0;
}
