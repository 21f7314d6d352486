/*
 * The default time zone, worked out anew by a restored program, unless the application or its user
 * has chosen it.
 *
 * TimeZone.setDefaultZone works it out from the property user.timezone, else from what the C
 * library says, and leaves the very String in the property that the zone has as its ID. What a
 * program gives to TimeZone.setDefault has its own. So it was derived when both are the same object
 * and what the C library says; not to be told apart is a program that sets the property, or the
 * default from the property, to what the C library says anyway.
 *
 * Source: java.util.TimeZone of JDK 17 to 25.
 */
#ifndef JSNAP_AGENT_ZONE_H
#define JSNAP_AGENT_ZONE_H

#include "agent/agent.h"

/* When the VM is initialized: what the user has set himself is not touched later. */
void zone_start(JNIEnv *jni);

/* Before the snapshot; then, with the threads suspended, what it is. After properties.h's. */
void zone_find(JNIEnv *jni, jclass time_zone);
void zone_find_objects(JNIEnv *jni);

/* After a restore, with the threads suspended where properties_are_free(). */
void zone_refresh(JNIEnv *jni);

void zone_forget(JNIEnv *jni);

#endif
