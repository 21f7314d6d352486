/*
 * Holds the application's threads still while the program is captured and, restored, learns of its
 * new world: no thread of it draws a random number or reads a variable that two restores share.
 *
 * The threads stop where the VM can stop them (JVMTI SuspendThread and, from JDK 21 on,
 * SuspendAllVirtualThreads: at a safepoint, or on their way out of native code, in which they may
 * go on waiting): those that are asleep first, so that no new work begins, those that run when they
 * have come to their next wait, or when a bounded time is up, which is longer for a program that
 * gets no processor. What arrives for one that waits in read(2) stays in the kernel (reader.h). So
 * hardly any is stopped with an answer in its hands and the connection not yet given back to its
 * pool: restored it would give back one that has ended, as used just now, and pools trust that
 * without a look. Nor is one stopped within a random generator: it would put the state of before
 * back.
 *
 * One may hold any lock: what runs meanwhile takes none of Java's that was not seen to be free, and
 * allocates little, since no thread can leave a JNI critical section for a collection.
 *
 * Meanwhile a thread of the agent's own watches: when for so long nothing was heard of whoever is
 * to let them go, jsnap or the thread that serves it, they go on.
 */
#ifndef JSNAP_AGENT_SUSPEND_H
#define JSNAP_AGENT_SUSPEND_H

#include "agent/agent.h"

#define SUSPEND_SECONDS 60 /* at most, from the last sign of life */

/* All by the thread that serves jsnap, unless it says otherwise. */

/* Well before: whoever watches takes its place. -EAGAIN when the VM starts no thread. */
int suspend_prepare(struct agent *agent, JNIEnv *jni, struct jsnap_error *err);

/* -ENOTSUP where the VM does not offer it; then nothing is suspended. */
int suspend_application(struct agent *agent, JNIEnv *jni, unsigned int seconds,
			struct jsnap_error *err);

/* Also when nothing is suspended: nobody has to watch any more. */
void suspend_end(struct agent *agent, JNIEnv *jni);

/* A sign of life. */
void suspend_go_on(void);

/* From any thread. The VM ends: the watching thread leaves, lest the VM wait for it. */
void suspend_leave(void);

#endif
