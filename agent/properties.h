/*
 * The system properties, changed while the application's threads stand still.
 *
 * Whatever changes a java.util.Properties has its monitor (all its methods that do are
 * synchronized, JDK 17 to 25): when nobody has it and the threads stand still, nobody is about to.
 * That is looked at as soon as they do, and holds in every restore. Where somebody has it, and
 * where the application has put a class of its own in place, they are changed when the threads go
 * on.
 */
#ifndef JSNAP_AGENT_PROPERTIES_H
#define JSNAP_AGENT_PROPERTIES_H

#include "agent/agent.h"

/* Before the snapshot: look-ups; then, with the threads suspended, the object. */
void properties_find(JNIEnv *jni);
void properties_find_object(struct agent *agent, JNIEnv *jni);

/* They can be read and changed with the threads suspended. */
bool properties_are_free(void);

/* Those of System.getProperties(), or, after properties_find_object, of that moment. A value as a
 * local reference, or NULL; no exception stays pending. */
jobject properties_get(JNIEnv *jni, const char *name);
void properties_remove(JNIEnv *jni, const char *name);

/* NAME=VALUE. False when it is no such assignment, or Java refuses it. */
bool properties_assign(JNIEnv *jni, const char *assignment);

/* Each "prop" field, NAME=VALUE. How many were set: not those that are no assignments. */
unsigned int properties_set(JNIEnv *jni, const struct agent_payload *fields);

void properties_forget(JNIEnv *jni);

#endif
