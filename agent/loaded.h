/*
 * Classes that the VM has loaded already: nothing is loaded to look for its state.
 */
#ifndef JSNAP_AGENT_LOADED_H
#define JSNAP_AGENT_LOADED_H

#include "agent/agent.h"

/* For each of `n` names ("java/util/Timer") a global reference to the class of the boot loader, or
 * NULL where it is not loaded; the caller deletes them. False, and NULL everywhere, when the VM
 * refuses. */
bool loaded_find(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
		 jclass *ret_classes);

/* How many classes the VM has loaded so far, or -1 where it does not count (-XX:-UsePerfData): when
 * that is what it was, loaded_find would find the same. */
int64_t loaded_count(void);

#endif
