/*
 * A thread that waits for what comes over a connection, inside read(2): held there it would still
 * leave the call with an answer that comes meanwhile, and be stopped with it in its hands. In
 * poll(2) the answer stays in the kernel.
 *
 * The JDK's blocking sockets and channels wait in read(2) first and, when that was interrupted, in
 * poll(2) (sun.nio.ch: NioSocketImpl.implRead, SocketChannelImpl.read; the same in JDK 17 to 25).
 * The signal with which the JDK itself interrupts them, to close a channel, is
 * NativeThread.signal's.
 */
#ifndef JSNAP_AGENT_READER_H
#define JSNAP_AGENT_READER_H

#include "agent/activity.h"
#include "agent/agent.h"

/* Sends the thread from read(2) to poll(2), where it will be in a moment. False, and nothing done,
 * where it is not the JDK's code that reads, or no stream socket that is read. */
bool reader_to_poll(struct agent *agent, JNIEnv *jni, jthread thread,
		    const struct activity *activity);

#endif
