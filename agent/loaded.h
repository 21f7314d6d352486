/*
 * Classes that the VM has initialized already: nothing is loaded or initialized to look for its
 * state. JNI's look-ups initialize the class they are asked about, and wait where a thread of the
 * application's is doing so; that never happens to one of these.
 */
#ifndef JSNAP_AGENT_LOADED_H
#define JSNAP_AGENT_LOADED_H

#include "agent/agent.h"

/* For each of `n` names ("java/util/Timer") a global reference to the JDK's class of that name, or
 * NULL where it is not initialized; the caller deletes them. False, and NULL everywhere, when the
 * VM refuses. */
bool loaded_find(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
		 jclass *ret_classes);

/* `type` (a local reference) is called names[i]. */
typedef void (*loaded_visit)(void *ctx, JNIEnv *jni, size_t i, jclass type);

/* Each class of these names that is initialized, whoever has loaded it: an application's own, of
 * which there may be several of one name. False when the VM refuses. */
bool loaded_each(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
		 loaded_visit visit, void *ctx);

/*
 * Between them, on one thread, the classes are listed once for all calls (local references made
 * meanwhile are gone with the list), so only what was loaded by loaded_begin is found. Names must
 * last until loaded_more.
 */
void loaded_begin(struct agent *agent, JNIEnv *jni);
void loaded_end(struct agent *agent, JNIEnv *jni);

/* Would the calls of loaded_find since loaded_begin find more by now? Takes no lock of Java's and
 * waits for no thread of the application's, which may stand still. */
bool loaded_more(struct agent *agent, JNIEnv *jni);

/* How many classes the VM has loaded so far, or -1 where it does not count (-XX:-UsePerfData). */
int64_t loaded_count(void);

#endif
