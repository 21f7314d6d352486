/*
 * Holds the application's threads still while the program is captured and, restored, learns of its
 * new world: no thread of it draws a random number or reads a variable that two restores share.
 *
 * The threads stop where the VM can stop them (JVMTI SuspendThreadList: at a safepoint, or on their
 * way out of native code, in which they may go on waiting). One may hold any lock: what runs
 * meanwhile takes none of Java's and allocates little, since no thread can leave a JNI critical
 * section for a collection.
 */
#ifndef JSNAP_AGENT_SUSPEND_H
#define JSNAP_AGENT_SUSPEND_H

#include "agent/agent.h"

/* -ENOTSUP where the VM does not offer it; then nothing is suspended. */
int suspend_application(struct agent *agent, JNIEnv *jni, struct jsnap_error *err);

/* Does nothing when nothing is suspended. */
void suspend_end(struct agent *agent, JNIEnv *jni);

bool suspend_holds(void);

#endif
