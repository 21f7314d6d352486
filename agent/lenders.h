/*
 * Pools that have no mark for an entry whose connection has ended (pools.h), but can be told to
 * look at each connection before they lend it. They are told so at a restore, and told otherwise
 * when the last entry of before the snapshot is gone: looking costs a question to the other end.
 *
 *   Agroal (Quarkus)  io.agroal.pool.ConnectionPool.borrowValidationEnabled
 *		       (validateOnBorrow); entries that are gone are DESTROYED
 *   Druid	       com.alibaba.druid.pool.DruidDataSource.testOnBorrow, which looks where it
 *		       knows how, by the driver or a validationQuery; entries have `discard` set
 *
 * One more is a row of the table in lenders.c and a service of tests/jvm/moments.sh. Only pools
 * with connections to elsewhere are told (remote.h), and none that looks anyway. Sources: Agroal
 * 2.5, where the field is final, which JNI may set, and Druid 1.2; a class of another shape is left
 * alone.
 */
#ifndef JSNAP_AGENT_LENDERS_H
#define JSNAP_AGENT_LENDERS_H

#include "agent/remote.h"

/* Before the snapshot, while the threads run: the entries there are. */
void lenders_find(const struct remote *remote, JNIEnv *jni);

/* After a restore, with the threads suspended. Returns for how many entries pools were told. */
unsigned int lenders_refresh(JNIEnv *jni);

/* Where there is no restore, or it is over: what was found and told to nobody. */
void lenders_forget(JNIEnv *jni);

/* Tells pools otherwise whose entries are gone. Whether some are left, and it is to be called again
 * a while later. Not while a snapshot is taken. */
bool lenders_look(JNIEnv *jni);

#endif
