/*
 * What the agent's parts share: the VM's interfaces and the facts gathered when it was initialized.
 * One exists per JVM, set up before the agent's thread starts; only the channel closes later.
 */
#ifndef JSNAP_AGENT_AGENT_H
#define JSNAP_AGENT_AGENT_H

#include "agent/message.h"

#include <jni.h>
#include <jvmti.h>

struct agent {
	jvmtiEnv *jvmti;
	int fd;			  /* the control channel; -1 once it is closed */
	uint64_t loaded_ns;	  /* CLOCK_MONOTONIC when the agent was loaded */
	jthread main_thread;	  /* global reference */
	uint64_t hook_timeout_ms; /* for all resources together; 0: no limit */
};

/* Sends a message; from any thread. */
int agent_say(struct agent *agent, enum agent_message type, uint32_t sequence,
	      const struct agent_payload *payload);

/* JNI's own string constructor wants modified UTF-8; what comes here can be any bytes. Takes no
 * lock of Java's. NULL with an exception pending. */
jstring agent_string(JNIEnv *jni, const char *bytes, size_t size);

/* A copy in modified UTF-8, the caller's; NULL of NULL. */
char *agent_utf(JNIEnv *jni, jstring string);

/* For RunAgentThread: a global reference, or NULL. The thread belongs to the system's thread group:
 * applications list and join their own. */
jthread agent_new_thread(struct agent *agent, JNIEnv *jni, const char *name);

/* Clears a pending Java exception; true when there was one. */
static inline bool agent_exception(JNIEnv *jni)
{
	if (!(*jni)->ExceptionCheck(jni))
		return false;
	(*jni)->ExceptionClear(jni);
	return true;
}

/* What each question does: fills the answer and returns 0, or -errno with `err` set. */
int agent_status(struct agent *agent, JNIEnv *jni, struct agent_payload *answer,
		 struct jsnap_error *err);
int agent_prepare(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
		  struct agent_payload *answer, struct jsnap_error *err);
int agent_hold(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
	       struct agent_payload *answer, struct jsnap_error *err);
int agent_refresh(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
		  struct agent_payload *answer, struct jsnap_error *err);

#endif
