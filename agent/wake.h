/*
 * Wakes the threads of schedulers whose tasks have become due earlier than they wait for.
 */
#ifndef JSNAP_AGENT_WAKE_H
#define JSNAP_AGENT_WAKE_H

#include "agent/instances.h"

/* Each takes objects whose threads are to look again, and locks of Java's: not while the
 * application's threads stand still. What a JDK has no field for is left alone. */

/* ScheduledThreadPoolExecutor.ScheduledFutureTask: the executors that they are of. */
void wake_executors(JNIEnv *jni, const struct instances *tasks, jclass type);
/* DelayScheduler.ScheduledForkJoinTask, JDK 25: the pools that they are of. */
void wake_pools(JNIEnv *jni, const struct instances *tasks, jclass type);
/* java.util.TaskQueue, of Timers. */
void wake_timers(JNIEnv *jni, const struct instances *queues);

#endif
