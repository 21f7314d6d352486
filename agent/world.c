/* See world.h. */
#include "agent/world.h"

#include "agent/instances.h"
#include "agent/loaded.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <string.h>
#include <time.h>

enum part {
	INET_ADDRESS,
	TIME_ZONE,
	PROCESS_HANDLE,
	SCHEDULED_TASK,
	SCHEDULED_FORK_JOIN_TASK, /* JDK 25 */
	TIMER_QUEUE, /* java.util.Timer's; the Timer itself may be gone while its thread goes on */
	PARTS,
};

static const char *const names[PARTS] = {
	[INET_ADDRESS] = "java/net/InetAddress",
	[TIME_ZONE] = "java/util/TimeZone",
	[PROCESS_HANDLE] = "java/lang/ProcessHandleImpl",
	[SCHEDULED_TASK] = "java/util/concurrent/ScheduledThreadPoolExecutor$ScheduledFutureTask",
	[SCHEDULED_FORK_JOIN_TASK] = "java/util/concurrent/DelayScheduler$ScheduledForkJoinTask",
	[TIMER_QUEUE] = "java/util/TaskQueue",
};

static struct {
	jclass classes[PARTS];
	bool known;
	struct instances tasks, fork_join_tasks, timer_queues;
	uint64_t monotonic_ns;
	int64_t wall_ms;
} found;

static bool zone_given; /* -Duser.timezone */

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static jstring zone_property(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/System");
	jmethodID get = type ? (*jni)->GetStaticMethodID(jni, type, "getProperty",
							 "(Ljava/lang/String;)Ljava/lang/String;")
			     : NULL;

	return get ? (*jni)->CallStaticObjectMethod(jni, type, get,
						    (*jni)->NewStringUTF(jni, "user.timezone"))
		   : NULL;
}

void world_start(JNIEnv *jni)
{
	jstring zone = zone_property(jni);

	zone_given = !agent_exception(jni) && zone && (*jni)->GetStringUTFLength(jni, zone) > 0;
	(*jni)->DeleteLocalRef(jni, zone);
}

void world_find(struct agent *agent, JNIEnv *jni)
{
	world_forget(jni);
	found.known = loaded_find(agent, jni, names, PARTS, found.classes);
}

void world_find_objects(struct agent *agent, JNIEnv *jni)
{
	if (!found.known)
		return;
	instances_find(agent, jni, found.classes[SCHEDULED_TASK], &found.tasks);
	instances_find(agent, jni, found.classes[SCHEDULED_FORK_JOIN_TASK], &found.fork_join_tasks);
	instances_find(agent, jni, found.classes[TIMER_QUEUE], &found.timer_queues);
	found.monotonic_ns = monotonic_ns();
	found.wall_ms = wall_ms();
}

static unsigned int put_off(JNIEnv *jni, const struct instances *tasks, jclass type,
			    const char *name, int64_t by_ns)
{
	jfieldID due = type ? (*jni)->GetFieldID(jni, type, name, "J") : NULL;

	if (agent_exception(jni) || !due)
		return 0;
	for (jint i = 0; i < tasks->count; i++)
		(*jni)->SetLongField(jni, tasks->objects[i], due,
				     (*jni)->GetLongField(jni, tasks->objects[i], due) + by_ns);
	return (unsigned int)tasks->count;
}

struct timer_fields {
	jfieldID tasks, size, due, period;
	jmethodID heapify;
};

static bool find_timer_fields(JNIEnv *jni, struct timer_fields *f)
{
	jclass queue = found.classes[TIMER_QUEUE];
	jclass task = (*jni)->FindClass(jni, "java/util/TimerTask");

	if (!task)
		return false;
	f->tasks = (*jni)->GetFieldID(jni, queue, "queue", "[Ljava/util/TimerTask;");
	if (f->tasks)
		f->size = (*jni)->GetFieldID(jni, queue, "size", "I");
	if (f->size)
		f->heapify = (*jni)->GetMethodID(jni, queue, "heapify", "()V");
	if (f->heapify)
		f->due = (*jni)->GetFieldID(jni, task, "nextExecutionTime", "J");
	if (f->due)
		f->period = (*jni)->GetFieldID(jni, task, "period", "J");
	return f->period;
}

/* Only a period above zero is a fixed rate (java.util.TimerTask): the others have nothing to make
 * up for, or are due at a time of the wall clock. */
static unsigned int put_off_timer(JNIEnv *jni, const struct timer_fields *f, jobject queue,
				  int64_t by_ms)
{
	jobjectArray tasks = (*jni)->GetObjectField(jni, queue, f->tasks);
	jint size = tasks ? (*jni)->GetIntField(jni, queue, f->size) : 0;
	unsigned int n = 0;

	for (jint i = 1; i <= size && i < (*jni)->GetArrayLength(jni, tasks); i++) {
		jobject task = (*jni)->GetObjectArrayElement(jni, tasks, i);

		if (task && (*jni)->GetLongField(jni, task, f->period) > 0) {
			(*jni)->SetLongField(jni, task, f->due,
					     (*jni)->GetLongField(jni, task, f->due) + by_ms);
			n++;
		}
		(*jni)->DeleteLocalRef(jni, task);
	}
	if (n)
		(*jni)->CallVoidMethod(jni, queue, f->heapify);
	agent_exception(jni);
	(*jni)->DeleteLocalRef(jni, tasks);
	return n;
}

static unsigned int put_off_timers(JNIEnv *jni, int64_t by_ms)
{
	struct timer_fields fields = {0};
	unsigned int n = 0;

	if (found.timer_queues.count && find_timer_fields(jni, &fields))
		for (jint i = 0; i < found.timer_queues.count; i++)
			n += put_off_timer(jni, &fields, found.timer_queues.objects[i], by_ms);
	agent_exception(jni);
	return n;
}

/*
 * What is due by the clock of nanoTime is put off by what that clock has gone on; to be caught up
 * with, it is due earlier by what the clock has not (a time namespace).
 */
static unsigned int put_off_tasks(JNIEnv *jni, bool catch_up)
{
	uint64_t now = monotonic_ns();
	int64_t clock_ns = now > found.monotonic_ns ? (int64_t)(now - found.monotonic_ns) : 0;
	int64_t asleep_ms = wall_ms() - found.wall_ms;
	int64_t missed_ns = asleep_ms > 0 ? asleep_ms * 1000000 - clock_ns : 0;
	int64_t by_ns = !catch_up ? clock_ns : missed_ns > 0 ? -missed_ns : 0;
	unsigned int n;

	n = put_off(jni, &found.tasks, found.classes[SCHEDULED_TASK], "time", by_ns);
	n += put_off(jni, &found.fork_join_tasks, found.classes[SCHEDULED_FORK_JOIN_TASK], "when",
		     by_ns);
	return catch_up || asleep_ms <= 0 ? n : n + put_off_timers(jni, asleep_ms);
}

/* Its own handle knows when the process started, by which it tells itself from a later process of
 * the same number; and the class knows when the machine did. */
static void refresh_process_handle(JNIEnv *jni, jclass type)
{
	static const char handle[] = "Ljava/lang/ProcessHandleImpl;";
	jmethodID start = (*jni)->GetStaticMethodID(jni, type, "isAlive0", "(J)J");
	jmethodID init = start ? (*jni)->GetStaticMethodID(jni, type, "initNative", "()V") : NULL;
	jfieldID current = init ? (*jni)->GetStaticFieldID(jni, type, "current", handle) : NULL;
	jfieldID time = current ? (*jni)->GetFieldID(jni, type, "startTime", "J") : NULL;
	jobject self = time ? (*jni)->GetStaticObjectField(jni, type, current) : NULL;
	jlong started;

	if (!self)
		return;
	(*jni)->CallStaticVoidMethod(jni, type, init);
	if ((*jni)->ExceptionCheck(jni))
		return;
	started = (*jni)->CallStaticLongMethod(jni, type, start, (jlong)getpid());
	if (!(*jni)->ExceptionCheck(jni) && started > 0)
		(*jni)->SetLongField(jni, self, time, started);
	(*jni)->DeleteLocalRef(jni, self);
}

static void forget_local_host(JNIEnv *jni, jclass type)
{
	jfieldID cached = (*jni)->GetStaticFieldID(jni, type, "cachedLocalHost",
						   "Ljava/net/InetAddress$CachedLocalHost;");

	if (cached)
		(*jni)->SetStaticObjectField(jni, type, cached, NULL);
}

unsigned int world_refresh(JNIEnv *jni, bool catch_up)
{
	if (found.classes[INET_ADDRESS])
		forget_local_host(jni, found.classes[INET_ADDRESS]);
	agent_exception(jni);
	if (found.classes[PROCESS_HANDLE])
		refresh_process_handle(jni, found.classes[PROCESS_HANDLE]);
	agent_exception(jni);
	return found.monotonic_ns ? put_off_tasks(jni, catch_up) : 0;
}

/* The value of a static field is a collection of java.util's. */
static void clear_collection(JNIEnv *jni, jclass type, const char *name, const char *signature)
{
	jfieldID field = (*jni)->GetStaticFieldID(jni, type, name, signature);
	jobject collection = field ? (*jni)->GetStaticObjectField(jni, type, field) : NULL;
	jmethodID clear =
		collection ? (*jni)->GetMethodID(jni, (*jni)->GetObjectClass(jni, collection),
						 "clear", "()V")
			   : NULL;

	if (clear)
		(*jni)->CallVoidMethod(jni, collection, clear);
	agent_exception(jni);
}

/*
 * TimeZone works the default out when it is first asked for and leaves it in the property
 * user.timezone: where both agree, nobody has chosen it.
 */
static void forget_zone(JNIEnv *jni)
{
	jclass settle = (*jni)->FindClass(jni, "jsnap/Program");
	jmethodID forget =
		settle ? (*jni)->GetStaticMethodID(jni, settle, "forgetZone", "()V") : NULL;

	if (forget)
		(*jni)->CallStaticVoidMethod(jni, settle, forget);
	agent_exception(jni);
}

void world_settle(JNIEnv *jni)
{
	jclass type = found.classes[INET_ADDRESS];

	tzset();
	if (found.classes[TIME_ZONE] && !zone_given)
		forget_zone(jni);
	if (type) {
		clear_collection(jni, type, "cache", "Ljava/util/concurrent/ConcurrentMap;");
		clear_collection(jni, type, "expirySet", "Ljava/util/NavigableSet;");
	}
	world_forget(jni);
}

void world_forget(JNIEnv *jni)
{
	for (size_t i = 0; i < PARTS; i++)
		if (found.classes[i])
			(*jni)->DeleteGlobalRef(jni, found.classes[i]);
	instances_free(jni, &found.tasks);
	instances_free(jni, &found.fork_join_tasks);
	instances_free(jni, &found.timer_queues);
	memset(&found, 0, sizeof(found));
}
