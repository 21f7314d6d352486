/* The part of prepare.c that the VM calls. */
#ifndef JSNAP_AGENT_PREPARE_H
#define JSNAP_AGENT_PREPARE_H

#include <jvmti.h>

/* The GarbageCollectionFinish event: at the end of a collection, the world still stopped. */
void JNICALL prepare_collection_finished(jvmtiEnv *jvmti);

#endif
