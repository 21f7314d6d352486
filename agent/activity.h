/*
 * What a Java thread is doing, as the kernel sees it.
 *
 * A thread is found by its java.lang.Thread.eetop, HotSpot's JavaThread, and the OSThread that the
 * serviceability tables find there (vmstructs.h); what it does is in /proc/self/task/TID/syscall
 * (proc(5)). Where one of them is missing every thread counts as asleep.
 */
#ifndef JSNAP_AGENT_ACTIVITY_H
#define JSNAP_AGENT_ACTIVITY_H

#include <jni.h>
#include <jvmti.h>
#include <stdbool.h>

struct activity {
	int tid;      /* 0: not known */
	bool running; /* or would be, had it a processor */
	int reads;    /* the descriptor it sleeps on in read(2) or recv(2); else -1 */
};

/* Looks up what activity_tid needs, which then needs no class any more. */
void activity_find(JNIEnv *jni);

/* Its TID, as long as it lives; 0: not known. */
int activity_tid(JNIEnv *jni, jthread thread);

/* The thread may end meanwhile: what is asked of is then nobody or somebody else, and nothing
 * worse. */
struct activity activity_of(int tid);

#endif
