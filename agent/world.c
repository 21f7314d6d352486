/* See world.h. */
#include "agent/world.h"

#include "agent/cpu_load.h"
#include "agent/folder.h"
#include "agent/instances.h"
#include "agent/loaded.h"
#include "agent/properties.h"
#include "agent/wake.h"
#include "agent/zone.h"
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
	TIMER_THREAD,
	FILE_NAMES,
	FILE_PATHS,
	PLATFORM_BEANS,
	PARTS,
};

static const char *const names[PARTS] = {
	[INET_ADDRESS] = "java/net/InetAddress",
	[TIME_ZONE] = "java/util/TimeZone",
	[PROCESS_HANDLE] = "java/lang/ProcessHandleImpl",
	[SCHEDULED_TASK] = "java/util/concurrent/ScheduledThreadPoolExecutor$ScheduledFutureTask",
	[SCHEDULED_FORK_JOIN_TASK] = "java/util/concurrent/DelayScheduler$ScheduledForkJoinTask",
	[TIMER_QUEUE] = "java/util/TaskQueue",
	[TIMER_THREAD] = "java/util/TimerThread",
	[FILE_NAMES] = "java/io/File",
	[FILE_PATHS] = "sun/nio/fs/DefaultFileSystemProvider",
	[PLATFORM_BEANS] = "com/sun/management/internal/PlatformMBeanProviderImpl",
};

struct timer_fields {
	jfieldID queue; /* of its thread */
	jfieldID tasks, size, due, period;
	jmethodID heapify;
};

static struct {
	jclass classes[PARTS];
	bool known;
	struct instances tasks, fork_join_tasks, timer_queues;
	uint64_t monotonic_ns;
	int64_t wall_ms;
	/* What is to be called and set: finding it after a restore would cost some 100 page faults.
	 */
	jfieldID local_host, name_cache;
	jclass map;
	bool names_empty;
	jfieldID map_table, map_control, map_count, map_cells;
	jmethodID handle_init, handle_start;
	jfieldID handle_current, handle_time;
	struct timer_fields timer;
	bool timer_known;
} found;

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void find_inet_address(JNIEnv *jni, jclass type)
{
	found.local_host = (*jni)->GetStaticFieldID(jni, type, "cachedLocalHost",
						    "Ljava/net/InetAddress$CachedLocalHost;");
	agent_exception(jni);
	found.name_cache = (*jni)->GetStaticFieldID(jni, type, "cache",
						    "Ljava/util/concurrent/ConcurrentMap;");
	agent_exception(jni);
}

/* java.util.concurrent.ConcurrentHashMap */
static void find_map(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/util/concurrent/ConcurrentHashMap");

	if (type)
		found.map_table = (*jni)->GetFieldID(
			jni, type, "table", "[Ljava/util/concurrent/ConcurrentHashMap$Node;");
	if (found.map_table)
		found.map_control = (*jni)->GetFieldID(jni, type, "sizeCtl", "I");
	if (found.map_control)
		found.map_count = (*jni)->GetFieldID(jni, type, "baseCount", "J");
	if (found.map_count)
		found.map_cells =
			(*jni)->GetFieldID(jni, type, "counterCells",
					   "[Ljava/util/concurrent/ConcurrentHashMap$CounterCell;");
	if (agent_exception(jni) || !found.map_cells)
		found.name_cache = NULL;
	else
		found.map = (*jni)->NewGlobalRef(jni, type);
	(*jni)->DeleteLocalRef(jni, type);
}

static void find_process_handle(JNIEnv *jni, jclass type)
{
	found.handle_start = (*jni)->GetStaticMethodID(jni, type, "isAlive0", "(J)J");
	if (found.handle_start)
		found.handle_init = (*jni)->GetStaticMethodID(jni, type, "initNative", "()V");
	if (found.handle_init)
		found.handle_current = (*jni)->GetStaticFieldID(jni, type, "current",
								"Ljava/lang/ProcessHandleImpl;");
	if (found.handle_current)
		found.handle_time = (*jni)->GetFieldID(jni, type, "startTime", "J");
	agent_exception(jni);
}

static bool find_timer_fields(JNIEnv *jni, struct timer_fields *f)
{
	jclass queue = found.classes[TIMER_QUEUE];
	jclass task = (*jni)->FindClass(jni, "java/util/TimerTask");

	if (!task)
		return false;
	f->queue = (*jni)->GetFieldID(jni, found.classes[TIMER_THREAD], "queue",
				      "Ljava/util/TaskQueue;");
	if (f->queue)
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

void world_find(struct agent *agent, JNIEnv *jni)
{
	world_forget(jni);
	found.known = loaded_find(agent, jni, names, PARTS, found.classes);
	if (found.classes[INET_ADDRESS])
		find_inet_address(jni, found.classes[INET_ADDRESS]);
	if (found.name_cache)
		find_map(jni);
	if (found.classes[PROCESS_HANDLE])
		find_process_handle(jni, found.classes[PROCESS_HANDLE]);
	properties_find(jni);
	zone_find(jni, found.classes[TIME_ZONE]);
	folder_find(jni, found.classes[FILE_NAMES], found.classes[FILE_PATHS]);
	cpu_load_find(jni, found.classes[PLATFORM_BEANS]);
	found.timer_known = found.classes[TIMER_QUEUE] && found.classes[TIMER_THREAD] &&
			    find_timer_fields(jni, &found.timer);
	agent_exception(jni);
}

/* Each has a thread, which is far sooner found than an object in the heap: a walk through that
 * looks at all frames of all threads as well (HotSpot's EscapeBarrier). */
static void find_timer_queues(struct agent *agent, JNIEnv *jni)
{
	jthread *threads;
	jint count;

	if (!found.timer_known || (*jni)->PushLocalFrame(jni, 16) < 0)
		return;
	if ((*agent->jvmti)->GetAllThreads(agent->jvmti, &count, &threads) == JVMTI_ERROR_NONE) {
		for (jint i = 0; i < count; i++)
			if ((*jni)->IsInstanceOf(jni, threads[i], found.classes[TIMER_THREAD]))
				instances_add(
					jni, &found.timer_queues,
					(*jni)->GetObjectField(jni, threads[i], found.timer.queue));
		(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)threads);
	}
	(*jni)->PopLocalFrame(jni, NULL);
}

static jobject names_map(JNIEnv *jni)
{
	return found.name_cache ? (*jni)->GetStaticObjectField(jni, found.classes[INET_ADDRESS],
							       found.name_cache)
				: NULL;
}

/* What is empty needs not be emptied after a restore. */
static void leave_out_empty(JNIEnv *jni)
{
	jobject host = found.local_host
			       ? (*jni)->GetStaticObjectField(jni, found.classes[INET_ADDRESS],
							      found.local_host)
			       : NULL;
	jobject map = names_map(jni);
	jobject table = map && (*jni)->IsInstanceOf(jni, map, found.map)
				? (*jni)->GetObjectField(jni, map, found.map_table)
				: map;

	if (!host)
		found.local_host = NULL;
	if (!table)
		found.name_cache = NULL;
	(*jni)->DeleteLocalRef(jni, host);
	(*jni)->DeleteLocalRef(jni, map);
	if (table != map)
		(*jni)->DeleteLocalRef(jni, table);
}

void world_find_objects(struct agent *agent, JNIEnv *jni, bool still)
{
	if (still)
		leave_out_empty(jni);
	properties_find_object(agent, jni);
	zone_find_objects(jni);
	folder_find_objects(jni);
	if (!found.known)
		return;
	instances_find(agent, jni, found.classes[SCHEDULED_TASK], &found.tasks);
	instances_find(agent, jni, found.classes[SCHEDULED_FORK_JOIN_TASK], &found.fork_join_tasks);
	find_timer_queues(agent, jni);
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
	unsigned int n = 0;

	if (found.timer_known)
		for (jint i = 0; i < found.timer_queues.count; i++)
			n += put_off_timer(jni, &found.timer, found.timer_queues.objects[i], by_ms);
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
	jobject self = found.handle_time
			       ? (*jni)->GetStaticObjectField(jni, type, found.handle_current)
			       : NULL;
	jlong started;

	if (!self)
		return;
	(*jni)->CallStaticVoidMethod(jni, type, found.handle_init);
	if ((*jni)->ExceptionCheck(jni))
		return;
	started = (*jni)->CallStaticLongMethod(jni, type, found.handle_start, (jlong)getpid());
	if (!(*jni)->ExceptionCheck(jni) && started > 0)
		(*jni)->SetLongField(jni, self, found.handle_time, started);
	(*jni)->DeleteLocalRef(jni, self);
}

/*
 * As if it were new: ConcurrentHashMap.clear() would lock what a suspended thread may have locked.
 * A thread in the midst of putting something in puts it into what is dropped here. False in the
 * moment when one makes the map larger: then it can't be.
 */
static bool empty_name_cache(JNIEnv *jni)
{
	jobject map = names_map(jni);
	bool empty = !map || !(*jni)->IsInstanceOf(jni, map, found.map);

	if (!empty && (*jni)->GetIntField(jni, map, found.map_control) >= 0) {
		(*jni)->SetObjectField(jni, map, found.map_table, NULL);
		(*jni)->SetIntField(jni, map, found.map_control, 0);
		(*jni)->SetLongField(jni, map, found.map_count, 0);
		(*jni)->SetObjectField(jni, map, found.map_cells, NULL);
		empty = true;
	}
	(*jni)->DeleteLocalRef(jni, map);
	return empty;
}

static void refresh_by_properties(JNIEnv *jni)
{
	zone_refresh(jni);
	folder_refresh(jni);
}

unsigned int world_refresh(JNIEnv *jni, bool catch_up)
{
	if (properties_are_free())
		refresh_by_properties(jni);
	if (found.local_host)
		(*jni)->SetStaticObjectField(jni, found.classes[INET_ADDRESS], found.local_host,
					     NULL);
	found.names_empty = empty_name_cache(jni);
	if (found.classes[PROCESS_HANDLE])
		refresh_process_handle(jni, found.classes[PROCESS_HANDLE]);
	agent_exception(jni);
	cpu_load_refresh(jni);
	return found.monotonic_ns ? put_off_tasks(jni, catch_up) : 0;
}

static void clear_name_cache(JNIEnv *jni)
{
	jobject map = names_map(jni);
	jmethodID clear = (*jni)->GetMethodID(jni, found.map, "clear", "()V");

	if (map && clear)
		(*jni)->CallVoidMethod(jni, map, clear);
	agent_exception(jni);
	(*jni)->DeleteLocalRef(jni, map);
}

static void wake(JNIEnv *jni)
{
	wake_executors(jni, &found.tasks, found.classes[SCHEDULED_TASK]);
	wake_pools(jni, &found.fork_join_tasks, found.classes[SCHEDULED_FORK_JOIN_TASK]);
	wake_timers(jni, &found.timer_queues);
}

void world_settle(JNIEnv *jni, bool catch_up)
{
	if (found.map && !found.names_empty)
		clear_name_cache(jni);
	if (!properties_are_free())
		refresh_by_properties(jni);
	if (catch_up)
		wake(jni);
}

void world_forget(JNIEnv *jni)
{
	for (size_t i = 0; i < PARTS; i++)
		if (found.classes[i])
			(*jni)->DeleteGlobalRef(jni, found.classes[i]);
	if (found.map)
		(*jni)->DeleteGlobalRef(jni, found.map);
	properties_forget(jni);
	zone_forget(jni);
	folder_forget(jni);
	cpu_load_forget(jni);
	instances_free(jni, &found.tasks);
	instances_free(jni, &found.fork_join_tasks);
	instances_free(jni, &found.timer_queues);
	memset(&found, 0, sizeof(found));
}
