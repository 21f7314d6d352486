/*
 * What a restored JVM remembers of the world it was taken from: host name and name service caches,
 * time zone (zone.h), working folder (folder.h), system properties (properties.h), its own start
 * time and load (cpu_load.h), and when tasks are due.
 *
 * world_find_objects and world_refresh run while the application's threads stand still (suspend.h)
 * and take no lock that one of them may have; world_settle runs once they go on. Classes that are
 * not initialized have nothing to forget.
 */
#ifndef JSNAP_AGENT_WORLD_H
#define JSNAP_AGENT_WORLD_H

#include "agent/agent.h"

/* Before the snapshot: classes; then, with the threads suspended, what they have made, and when. */
void world_find(struct agent *agent, JNIEnv *jni);
void world_find_objects(struct agent *agent, JNIEnv *jni, bool still);

/*
 * After a restore. Unless `catch_up`, what is due by the clock of System.nanoTime
 * (ScheduledThreadPoolExecutor and ForkJoinPool: once, at a fixed rate or with a fixed delay) is
 * put off by what that clock has gone on, so that it has the time left that it had, as every wait
 * in the kernel has; a time namespace does the same. Of java.util.Timer, which goes by the wall
 * clock, fixed-rate tasks are put off by the time asleep. With `catch_up` the former are due as if
 * nanoTime had gone on, also where it has not (a time namespace), the latter as they were, and
 * world_settle wakes who waits for them. How many tasks were touched.
 */
unsigned int world_refresh(JNIEnv *jni, bool catch_up);
void world_settle(JNIEnv *jni, bool catch_up);

void world_forget(JNIEnv *jni);

#endif
