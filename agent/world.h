/*
 * What a restored JVM remembers of the world it was taken from: host name and name service caches,
 * time zone, its own start time, and when periodic tasks are due.
 *
 * world_find_objects and world_refresh run while the application's threads stand still (suspend.h)
 * and take no lock; world_settle runs once they go on. Classes that are not loaded have nothing to
 * forget.
 */
#ifndef JSNAP_AGENT_WORLD_H
#define JSNAP_AGENT_WORLD_H

#include "agent/agent.h"

/* When the VM is initialized: what the user has set himself is not touched later. */
void world_start(JNIEnv *jni);

/* Before the snapshot: classes; then, with the threads suspended, what they have made, and when. */
void world_find(struct agent *agent, JNIEnv *jni);
void world_find_objects(struct agent *agent, JNIEnv *jni);

/*
 * After a restore. Unless `catch_up`, what is due by the clock of System.nanoTime
 * (ScheduledThreadPoolExecutor, ForkJoinPool) and fixed-rate tasks of java.util.Timer are put off
 * by the time the program did not run. With it the former are due as if nanoTime had gone on, also
 * where it has not (a time namespace), and world_settle wakes who waits for them. How many tasks were
 * touched.
 */
unsigned int world_refresh(JNIEnv *jni, bool catch_up);
void world_settle(JNIEnv *jni, bool catch_up);

void world_forget(JNIEnv *jni);

#endif
