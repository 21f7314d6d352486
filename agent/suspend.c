/* See suspend.h. */
#include "agent/suspend.h"

#include "base/cleanup.h"

#include <string.h>

/* Threads started by threads that still ran are found by looking again. */
#define SUSPEND_ROUNDS 10

static const jvmtiCapabilities capabilities = {.can_suspend = 1};

static struct {
	jthread *threads; /* global references */
	jint count;
	bool held;
} suspended;

static bool is_known(JNIEnv *jni, jthread thread)
{
	for (jint i = 0; i < suspended.count; i++)
		if ((*jni)->IsSameObject(jni, suspended.threads[i], thread))
			return true;
	return false;
}

/* Suspends what is new in `threads`; how many that were, or -ENOMEM. */
static int suspend_new(struct agent *agent, JNIEnv *jni, const jthread *threads, jint count,
		       jthread self)
{
	jthread *grown =
		realloc(suspended.threads, (size_t)(suspended.count + count + 1) * sizeof(*grown));
	int n = 0;

	if (!grown)
		return -ENOMEM;
	suspended.threads = grown;
	for (jint i = 0; i < count; i++) {
		if ((*jni)->IsSameObject(jni, threads[i], self) || is_known(jni, threads[i]))
			continue;
		/* A debugger's own suspension, or a thread that has ended meanwhile. */
		if ((*agent->jvmti)->SuspendThread(agent->jvmti, threads[i]) != JVMTI_ERROR_NONE)
			continue;
		suspended.threads[suspended.count++] = (*jni)->NewGlobalRef(jni, threads[i]);
		n++;
	}
	return n;
}

static int suspend_round(struct agent *agent, JNIEnv *jni, jthread self)
{
	jthread *threads;
	jint count;
	int n;

	if ((*jni)->PushLocalFrame(jni, 16) < 0)
		return -ENOMEM;
	if ((*agent->jvmti)->GetAllThreads(agent->jvmti, &count, &threads) != JVMTI_ERROR_NONE) {
		(*jni)->PopLocalFrame(jni, NULL);
		return -EIO;
	}
	n = suspend_new(agent, jni, threads, count, self);
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)threads);
	(*jni)->PopLocalFrame(jni, NULL);
	return n;
}

int suspend_application(struct agent *agent, JNIEnv *jni, struct jsnap_error *err)
{
	jthread self = NULL;
	int n = 1;

	if (suspended.held)
		return 0;
	if ((*agent->jvmti)->AddCapabilities(agent->jvmti, &capabilities) != JVMTI_ERROR_NONE ||
	    (*agent->jvmti)->GetCurrentThread(agent->jvmti, &self) != JVMTI_ERROR_NONE)
		return error_set(err, ENOTSUP, "the JVM does not offer to suspend threads");
	suspended.held = true;
	for (int round = 0; n > 0 && round < SUSPEND_ROUNDS; round++)
		n = suspend_round(agent, jni, self);
	(*jni)->DeleteLocalRef(jni, self);
	if (n >= 0)
		return 0;
	suspend_end(agent, jni);
	return error_set(err, -n, "suspend the application's threads: %s", strerror(-n));
}

void suspend_end(struct agent *agent, JNIEnv *jni)
{
	if (!suspended.held)
		return;
	for (jint i = 0; i < suspended.count; i++) {
		(*agent->jvmti)->ResumeThread(agent->jvmti, suspended.threads[i]);
		(*jni)->DeleteGlobalRef(jni, suspended.threads[i]);
	}
	free(suspended.threads);
	memset(&suspended, 0, sizeof(suspended));
	(*agent->jvmti)->RelinquishCapabilities(agent->jvmti, &capabilities);
}

bool suspend_holds(void)
{
	return suspended.held;
}
