/*
 * See wake.h. A waiting thread goes by the deadline that it began its wait with:
 * DelayedWorkQueue.take waits for its condition, Timer's thread for its queue's monitor,
 * DelayScheduler parks.
 */
#include "agent/wake.h"

/* Calls a method without arguments and result, found by name. */
static void call(JNIEnv *jni, jobject object, const char *method)
{
	jclass type = object ? (*jni)->GetObjectClass(jni, object) : NULL;
	jmethodID id = type ? (*jni)->GetMethodID(jni, type, method, "()V") : NULL;

	if (id)
		(*jni)->CallVoidMethod(jni, object, id);
	agent_exception(jni);
}

static jobject field(JNIEnv *jni, jobject object, const char *name, const char *signature)
{
	jclass type = object ? (*jni)->GetObjectClass(jni, object) : NULL;
	jfieldID id = type ? (*jni)->GetFieldID(jni, type, name, signature) : NULL;
	jobject value = id ? (*jni)->GetObjectField(jni, object, id) : NULL;

	agent_exception(jni);
	return value;
}

static void signal_queue(JNIEnv *jni, jobject queue)
{
	jobject lock = field(jni, queue, "lock", "Ljava/util/concurrent/locks/ReentrantLock;");
	jobject available =
		field(jni, queue, "available", "Ljava/util/concurrent/locks/Condition;");

	if (!lock || !available)
		return;
	call(jni, lock, "lock");
	call(jni, available, "signalAll");
	call(jni, lock, "unlock");
}

/* The owner of each task, once for those that follow each other. */
static void each_owner(JNIEnv *jni, const struct instances *tasks, jfieldID owner_of,
		       void (*wake)(JNIEnv *jni, jobject owner))
{
	jobject last = NULL;

	for (jint i = 0; owner_of && i < tasks->count; i++) {
		jobject owner;

		if ((*jni)->PushLocalFrame(jni, 16) < 0)
			break;
		owner = (*jni)->GetObjectField(jni, tasks->objects[i], owner_of);
		if (owner && !(*jni)->IsSameObject(jni, owner, last)) {
			wake(jni, owner);
			(*jni)->DeleteGlobalRef(jni, last);
			last = (*jni)->NewGlobalRef(jni, owner);
		}
		(*jni)->PopLocalFrame(jni, NULL);
	}
	(*jni)->DeleteGlobalRef(jni, last);
}

static void wake_executor(JNIEnv *jni, jobject executor)
{
	jclass type = (*jni)->GetObjectClass(jni, executor);
	jmethodID get = (*jni)->GetMethodID(jni, type, "getQueue",
					    "()Ljava/util/concurrent/BlockingQueue;");
	jobject queue = get ? (*jni)->CallObjectMethod(jni, executor, get) : NULL;

	if (!agent_exception(jni))
		signal_queue(jni, queue);
}

void wake_executors(JNIEnv *jni, const struct instances *tasks, jclass type)
{
	jfieldID owner = tasks->count ? (*jni)->GetFieldID(jni, type, "this$0",
							   "Ljava/util/concurrent/"
							   "ScheduledThreadPoolExecutor;")
				      : NULL;

	agent_exception(jni);
	each_owner(jni, tasks, owner, wake_executor);
}

static void wake_pool(JNIEnv *jni, jobject pool)
{
	jobject thread =
		field(jni, pool, "delayScheduler", "Ljava/util/concurrent/DelayScheduler;");
	jclass type = (*jni)->FindClass(jni, "java/util/concurrent/locks/LockSupport");
	jmethodID unpark =
		type ? (*jni)->GetStaticMethodID(jni, type, "unpark", "(Ljava/lang/Thread;)V")
		     : NULL;

	if (thread && unpark)
		(*jni)->CallStaticVoidMethod(jni, type, unpark, thread);
	agent_exception(jni);
}

void wake_pools(JNIEnv *jni, const struct instances *tasks, jclass type)
{
	jfieldID owner = tasks->count ? (*jni)->GetFieldID(jni, type, "pool",
							   "Ljava/util/concurrent/ForkJoinPool;")
				      : NULL;

	agent_exception(jni);
	each_owner(jni, tasks, owner, wake_pool);
}

void wake_timers(JNIEnv *jni, const struct instances *queues)
{
	for (jint i = 0; i < queues->count; i++) {
		if ((*jni)->PushLocalFrame(jni, 8) < 0)
			return;
		if ((*jni)->MonitorEnter(jni, queues->objects[i]) == JNI_OK) {
			call(jni, queues->objects[i], "notifyAll");
			(*jni)->MonitorExit(jni, queues->objects[i]);
		}
		(*jni)->PopLocalFrame(jni, NULL);
	}
}
