/*
 * Gives the process another environment while its threads run: the C library's and Java's.
 */
#ifndef JSNAP_AGENT_ENVIRONMENT_H
#define JSNAP_AGENT_ENVIRONMENT_H

#include "agent/agent.h"

/* Before the snapshot: whether Java has read the environment, and what it takes to change that. */
void environment_find(struct agent *agent, JNIEnv *jni);

/* Whether the "env" fields are just what `environ` has, in the same order. */
bool environment_is(const struct agent_payload *fields);

/*
 * Replaces `environ` by the values of the "env" fields ("NAME=VALUE") in one store. Threads inside
 * getenv() go on reading the old array and strings, which are therefore never freed. Entries that
 * are not NAME=VALUE are left out. -ENOMEM, with nothing changed.
 */
int environment_replace(const struct agent_payload *fields, size_t *ret_count,
			struct jsnap_error *err);

/*
 * Makes System.getenv() and ProcessBuilder see the C library's environment, in the map objects
 * applications already hold: java.lang.ProcessEnvironment (JDK 17 to 25, the Unix one) keeps one
 * HashMap below all of them, whose table is exchanged in one store. -ENOTSUP, with nothing changed,
 * where that class or HashMap is not as expected. Does nothing where Java had not read it at the
 * snapshot: it will then read the new one.
 */
int environment_refresh_java(struct agent *agent, JNIEnv *jni, struct jsnap_error *err);

#endif
