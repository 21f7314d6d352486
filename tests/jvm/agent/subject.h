/*
 * Starts Subject.java under the agent and talks to both: to the agent over the control channel, to
 * the program over its standard streams. Every failure ends the test; a watchdog ends one that
 * hangs.
 */
#ifndef JSNAP_TESTS_JVM_AGENT_SUBJECT_H
#define JSNAP_TESTS_JVM_AGENT_SUBJECT_H

#include "agent/message.h"

#include <stdio.h>
#include <sys/types.h>

struct subject {
	pid_t pid;
	int control;
	FILE *in, *out; /* the program's standard input and output */
	struct agent_payload hello;
};

/* The JDK of argv[1], else of JAVA_HOME, which is checked for java and javac; skips without one. */
const char *subject_jdk(int argc, char **argv);

/* Compiles Subject.java with that JDK into a folder that is removed at exit. */
void subject_compile(const char *jdk);

/* `flags` are further JVM flags, NULL-terminated, or NULL. Waits for HELLO. */
void subject_start(struct subject *ret_subject, const char *jdk, const char *const *flags,
		   const char *mode);

/* Asks and expects an answer of that type; the caller frees *ret_answer. */
void subject_ask(struct subject *subject, enum agent_message type,
		 const struct agent_payload *question, enum agent_message answer_type,
		 struct agent_payload *ret_answer);

/* The program's next line, without its end, in a static buffer. */
const char *subject_line(struct subject *subject);

/* Runs the program to its end under an agent with these options, its input empty; its status. */
int subject_run(const char *jdk, const char *options, const char *mode);

/* Lets the program go on. */
void subject_go_on(struct subject *subject);

/* Waits for the program to end by itself with status 0, and closes everything. */
void subject_finish(struct subject *subject);

#endif
