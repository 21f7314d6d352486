/*
 * The loads that java.lang.management's OperatingSystemMXBean tells are of the time since it was
 * asked last: of ticks that a restored process, or another machine, has not had yet, they would be
 * 1 and more. Asked once for nobody, it counts from then on.
 *
 * Source: com.sun.management.internal.OperatingSystemImpl of JDK 17 to 25 (UnixOperatingSystem.c).
 */
#ifndef JSNAP_AGENT_CPU_LOAD_H
#define JSNAP_AGENT_CPU_LOAD_H

#include "agent/agent.h"

/* Before the snapshot, of com.sun.management.internal.PlatformMBeanProviderImpl, which holds the
 * bean; NULL: not in use. */
void cpu_load_find(JNIEnv *jni, jclass provider);

/* After a restore. No lock of Java's is taken: it is native code alone. */
void cpu_load_refresh(JNIEnv *jni);

void cpu_load_forget(JNIEnv *jni);

#endif
