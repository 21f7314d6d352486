/*
 * Connections of pools that have ended at a restore, known to their pools as such before the
 * application's threads go on.
 *
 * A pool looks at a connection that has lain idle, but lends one that was given back a moment ago
 * as it is (HikariCP: 500 ms, Apache's HTTP clients: 2 s), some lend all of them so. Whoever had
 * one at the snapshot and did not need it for a while, waiting for something else, gives it back
 * after the restore for good; and a restore may come before that moment is over. So the mark by
 * which the pool itself would know an entry as one to be dropped is set in each of them: its
 * connection is closed when it is given back or would be lent, by the pool's own threads.
 *
 * Marked is only what leads to a socket (remote.h).
 *
 *   HikariCP      com.zaxxer.hikari.pool.PoolEntry (softEvictConnections)
 *   Tomcat JDBC   org.apache.tomcat.jdbc.pool.PooledConnection (setDiscarded)
 *   HttpClient 5  org.apache.hc.core5.pool.PoolEntry: its time is over (StrictConnPool)
 *   HttpClient 4  org.apache.http.pool.PoolEntry: its time is over (AbstractConnPool)
 *
 * One more is a row of the table in pools.c and a service of tests/jvm/moments.sh, where an entry
 * has a mark that its pool heeds both when it lends it and when it gets it back.
 *
 * Not here: DBCP 2 looks at each connection that it lends; OkHttp and HttpURLConnection ask again;
 * Jetty, Reactor Netty and java.net.http read the end as it comes. Agroal and Druid have no such
 * mark (lenders.h), nor have Commons Pool 2 (Jedis) and c3p0: an entry that they would not lend is
 * counted as one all the same, or is looked at by no rule that is on.
 * Sources: HikariCP 6.3, Tomcat JDBC 10.1, HttpCore 5.0 to 5.3 and 4.4 (where one field is final,
 * which JNI may set); a class of another shape is left alone.
 */
#ifndef JSNAP_AGENT_POOLS_H
#define JSNAP_AGENT_POOLS_H

#include "agent/remote.h"

/* Before the snapshot, while the threads run: the entries there are. */
void pools_find(const struct remote *remote, JNIEnv *jni);

/* After a restore, with the threads suspended. Returns how many entries were marked. */
unsigned int pools_refresh(JNIEnv *jni);

void pools_forget(JNIEnv *jni);

#endif
