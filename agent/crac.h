/*
 * org.crac on a JVM that knows nothing of it: the classes of agent/java, defined by the boot loader
 * from their bytes in this library, and what stands behind their native methods.
 *
 * They are defined one by one and not put on the boot class path: that would cost the JVM part of
 * its class data sharing, and the application a descriptor of a jar. org.crac.Core of the
 * application finds them by the property org.crac.Core.Compat, unless the user has set it.
 */
#ifndef JSNAP_AGENT_CRAC_H
#define JSNAP_AGENT_CRAC_H

#include "agent/agent.h"

#define CRAC_PROPERTY "org.crac.Core.Compat"
#define CRAC_PACKAGE  "jsnap.crac"

/* When the VM is initialized, before the application runs. False (and nothing works, but for the
 * application itself) when the VM does not take the classes. */
bool crac_define(struct agent *agent, JNIEnv *jni);

/*
 * Before a snapshot: tells the resources, unless the program asked for it itself, which has told
 * them already. 1: they were told, 0: there are none. -ECANCELED with their words in `err` (in full
 * they go to the log) when there can be no snapshot. crac_after is due in any case.
 */
int crac_before(JNIEnv *jni, struct jsnap_error *err);

/* The program goes on: wakes the thread that asked, with the reason why there is no snapshot or
 * NULL, and else tells the resources. `jni` NULL: only the former, for the channel is gone. */
void crac_after(JNIEnv *jni, const char *reason);

/* Java's own view of a restore: its time and its arguments ("arg" fields, when "args" says so). */
int crac_restored(JNIEnv *jni, const struct agent_payload *question, struct jsnap_error *err);

/* The management bean, where there is a server for it. */
void crac_register_bean(struct agent *agent, JNIEnv *jni);

#endif
