/*
 * Does an object lead to one of certain classes? Looked for over the fields and arrays that hold
 * it, the nearest first, as JNI reads them: nothing of the application's runs, no lock is taken,
 * and its threads may go on meanwhile.
 */
#ifndef JSNAP_AGENT_REACH_H
#define JSNAP_AGENT_REACH_H

#include "agent/agent.h"

/* So many steps and objects at most: what lies further is another thing's. */
#define REACH_STEPS   8
#define REACH_OBJECTS 2000

/* Whether `from` is, or has within reach, an instance of one of the `n` types. Threads, class
 * loaders and classes are not looked into: they lead to everything. False on failure, too. */
bool reach_any(struct agent *agent, JNIEnv *jni, jobject from, const jclass *types, size_t n);

#endif
