/*
 * Every object of a class and its subclasses (JVMTI heap iteration: a pause of its own).
 */
#ifndef JSNAP_AGENT_INSTANCES_H
#define JSNAP_AGENT_INSTANCES_H

#include "agent/agent.h"

#define INSTANCES_MAX 1000000

struct instances {	  /* all zeros: none */
	jobject *objects; /* global references */
	jint count;
};

/* Those of `type` (NULL: none); of more than INSTANCES_MAX some, and the launcher is told (NOTE).
 * Leaves *ret_instances empty on failure. */
void instances_find(struct agent *agent, JNIEnv *jni, jclass type, struct instances *ret_instances);
/* One that was found otherwise; NULL, or one for which there is no memory, is left out. */
void instances_add(JNIEnv *jni, struct instances *instances, jobject object);
void instances_free(JNIEnv *jni, struct instances *instances);

#endif
