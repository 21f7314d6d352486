/* How far the application has come, from what the VM knows anyway. */
#include "agent/agent.h"

#include "agent/loaded.h"
#include "agent/perfdata.h"
#include "base/cleanup.h"
#include "base/io.h"

#define PARKED_STATES (JVMTI_THREAD_STATE_WAITING | JVMTI_THREAD_STATE_BLOCKED_ON_MONITOR_ENTER)

/*
 * The thread of the VMInit event is the one that will run main(); when main() has returned, the
 * java launcher detaches it and goes on as "DestroyJavaVM", so that it counts as terminated.
 */
static const char *main_state(jint state)
{
	if (!(state & JVMTI_THREAD_STATE_ALIVE))
		return "ended";
	return state & PARKED_STATES ? "parked" : "running";
}

static void add_classes(struct agent *agent, struct agent_payload *answer)
{
	int64_t loaded = loaded_count();
	jclass *classes;
	jint count;

	if (loaded >= 0) {
		agent_payload_addf(answer, "classes", "%lld", (long long)loaded);
		return;
	}
	/* Its local references go with the frame that the caller holds. */
	if ((*agent->jvmti)->GetLoadedClasses(agent->jvmti, &count, &classes) != JVMTI_ERROR_NONE)
		return;
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)classes);
	agent_payload_addf(answer, "classes", "%d", (int)count);
}

int agent_status(struct agent *agent, JNIEnv *jni, struct agent_payload *answer,
		 struct jsnap_error *err)
{
	jvmtiError failure;
	int64_t compiles;
	jint state;

	(void)jni;
	failure = (*agent->jvmti)->GetThreadState(agent->jvmti, agent->main_thread, &state);
	if (failure != JVMTI_ERROR_NONE)
		return error_set(err, EIO, "GetThreadState of the main thread: JVMTI error %d",
				 (int)failure);
	agent_payload_add(answer, "main", main_state(state));
	agent_payload_addf(answer, "native", "%d", !!(state & JVMTI_THREAD_STATE_IN_NATIVE));
	agent_payload_addf(answer, "uptime_ms", "%llu",
			   (unsigned long long)((monotonic_ns() - agent->loaded_ns) / 1000000));
	add_classes(agent, answer);
	if (perfdata_counter("sun.ci.totalCompiles", &compiles))
		agent_payload_addf(answer, "compiles", "%lld", (long long)compiles);
	return 0;
}
