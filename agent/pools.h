/*
 * Connections of JDBC pools that have ended at a restore, known to their pools as such before the
 * application's threads go on.
 *
 * A pool looks at a connection that has lain idle, but lends one that was given back a moment ago
 * as it is (HikariCP: 500 ms), some lend all of them so. Whoever had one at the snapshot and did
 * not need it for a while, waiting for something else, gives it back after the restore for good. So
 * the mark by which the pool itself, asked to evict it, would know it is set in each of its
 * entries: it is closed when it is given back or would be lent, by the pool's own threads.
 *
 * Marked is only what leads to a socket: a database in the process lives on in its connections,
 * which are as good as before, and would be gone with the last one.
 *
 *   HikariCP       com.zaxxer.hikari.pool.PoolEntry (softEvictConnections)
 *   Tomcat JDBC    org.apache.tomcat.jdbc.pool.PooledConnection (setDiscarded)
 *
 * Not here: DBCP 2 looks at each connection that it lends, Agroal (Quarkus) has no such mark.
 * Sources: HikariCP 6.3, Tomcat JDBC 10.1; a class of another shape is left alone.
 */
#ifndef JSNAP_AGENT_POOLS_H
#define JSNAP_AGENT_POOLS_H

#include "agent/agent.h"

/* Before the snapshot, while the threads run: the entries there are. */
void pools_find(struct agent *agent, JNIEnv *jni);

/* After a restore, with the threads suspended. Returns how many entries were marked. */
unsigned int pools_refresh(JNIEnv *jni);

void pools_forget(JNIEnv *jni);

#endif
