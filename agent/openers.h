/*
 * Which Java stack opened a descriptor: for whoever forbids some by policy and wants to know where
 * they come from.
 *
 * The JDK's native methods that return a new descriptor are replaced as the VM binds them (JVMTI
 * NativeMethodBind) by functions that call them and note the stack. That costs each of them a stack
 * trace, so it is on only when the launcher asks for it with the option `openers`, which it does
 * when a rule says error. Descriptors that native code opens by itself are not known.
 *
 * The methods are private to the JDK and the same in 17, 21 and 25; one that is not there is not
 * replaced.
 */
#ifndef JSNAP_AGENT_OPENERS_H
#define JSNAP_AGENT_OPENERS_H

#include "agent/agent.h"

/* When the agent is loaded: asks for the event. */
void openers_load(jvmtiEnv *jvmti, jvmtiEventCallbacks *callbacks);

/* When the VM is initialized, after the agent's classes have been defined: what is opened from now
 * on is noted. */
void openers_start(JNIEnv *jni);

/*
 * A descriptor's stack, " at FRAME, at FRAME", appended to the answer as "stack"; nothing
 * when it is not known. Takes a lock that no thread holds while the VM could suspend it.
 */
void openers_answer(int fd, struct agent_payload *answer);

/* A descriptor's number says nothing once another file has it: files are told apart by inode, which
 * a restore may change. Before a snapshot what is outdated is forgotten, after a restore the rest
 * is looked at anew. */
void openers_keep_current(void);
void openers_restored(void);

#endif
