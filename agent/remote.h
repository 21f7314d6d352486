/*
 * Which of a pool's entries lead to a socket. A database in the process lives on in its
 * connections, which are as good after a restore as before, and would be gone with the last one.
 */
#ifndef JSNAP_AGENT_REMOTE_H
#define JSNAP_AGENT_REMOTE_H

#include "agent/instances.h"

#define REMOTE_TYPES 2

struct remote {
	struct agent *agent;
	jclass types[REMOTE_TYPES]; /* global references */
	size_t count;		    /* those that are in use; 0: nothing is remote */
};

/* While the threads run. */
void remote_begin(struct agent *agent, JNIEnv *jni, struct remote *ret_remote);
void remote_end(JNIEnv *jni, struct remote *remote);

/* Leaves those whose field `held` leads to a socket. */
void remote_keep(const struct remote *remote, JNIEnv *jni, struct instances *entries,
		 jfieldID held);

#endif
