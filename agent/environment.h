/*
 * Gives the process another environment while its threads run: the C library's and Java's.
 */
#ifndef JSNAP_AGENT_ENVIRONMENT_H
#define JSNAP_AGENT_ENVIRONMENT_H

#include "agent/message.h"

#include <jni.h>

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
 * where that class or HashMap is not as expected.
 */
int environment_refresh_java(JNIEnv *jni, struct jsnap_error *err);

#endif
