/*
 * Quiesces the heap: collects it, scrubs what became free, gives native memory back.
 *
 * The scrub runs in the GarbageCollectionFinish event: every Java thread stands at the safepoint of
 * the collection that has just retired its allocation buffer, so that nothing lies above a region's
 * top. The event's capability and the flags that make the collection compact everything are held
 * only meanwhile.
 */
#include "agent/prepare.h"

#include "agent/activity.h"
#include "agent/agent.h"
#include "agent/crac.h"
#include "agent/environment.h"
#include "agent/flags.h"
#include "agent/lenders.h"
#include "agent/openers.h"
#include "agent/loaded.h"
#include "agent/perfdata.h"
#include "agent/pools.h"
#include "agent/scrub.h"
#include "agent/random.h"
#include "agent/suspend.h"
#include "agent/vmstructs.h"
#include "agent/world.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <time.h>

/* The first collection queues cleaners, which run in this time; the second frees what they held. */
#define CLEANERS_NS 20000000
/*
 * A thread inside a JNI critical section puts a collection off (GCLocker, JDK 17 and 21). When it
 * has left, the VM does a young one of its own; a request that comes meanwhile is served right
 * after, before threads enter such a section again. Hence many requests at short distance, for so
 * long.
 */
#define RETRY_NS	   1000000
#define COLLECTION_TIMEOUT 10000000000ull

/* Each that fails has found a class that the one before has not: they are few. */
#define HOLD_TRIES 10

static struct {
	bool scrub;
	int64_t full_before; /* full collections before the one that is being asked for */
	struct scrub_result result;
} collection;

/* How many full collections there have been; where the VM does not count them, of all kinds. */
static int64_t full_collections(void)
{
	int64_t full;
	uintptr_t heap, count;

	if (perfdata_counter("sun.gc.collector.1.invocations", &full))
		return full;
	if (!vmstructs_word(0, "Universe", "_collectedHeap", &heap))
		return 0;
	count = vmstructs_address(heap, "CollectedHeap", "_total_collections");
	return count ? *(const volatile uint32_t *)count : 0;
}

void JNICALL prepare_collection_finished(jvmtiEnv *jvmti)
{
	(void)jvmti;
	if (collection.scrub && full_collections() != collection.full_before)
		scrub_free_heap(&collection.result);
}

/*
 * Full collections leave some dead objects in place where moving the live ones seems not worth it.
 * Serial and G1 go by the first two of these flags, Parallel by the third; with these values all
 * is compacted. All are integers of 4 or 8 bytes whose upper half is zero.
 */
static struct {
	const char *name;
	uint32_t compact_all;
	uint32_t saved;
} compaction_flags[] = {
	{.name = "MarkSweepAlwaysCompactCount", .compact_all = 1},
	{.name = "MarkSweepDeadRatio", .compact_all = 0},
	{.name = "HeapMaximumCompactionInterval", .compact_all = 0},
};

static void compact_all(bool on)
{
	for (size_t i = 0; i < ARRAY_SIZE(compaction_flags); i++) {
		uint32_t *flag = flags_storage(compaction_flags[i].name);

		if (!flag)
			continue;
		if (on)
			compaction_flags[i].saved = *flag;
		*flag = on ? compaction_flags[i].compact_all : compaction_flags[i].saved;
	}
}

static void sleep_ns(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static bool collector_is_counted(void)
{
	switch (flags_collector()) {
	case COLLECTOR_SERIAL:
	case COLLECTOR_PARALLEL:
	case COLLECTOR_G1:
		return true;
	default:
		return false;
	}
}

static int collect(struct agent *agent, struct jsnap_error *err)
{
	const bool counted = collector_is_counted();
	const uint64_t deadline = monotonic_ns() + COLLECTION_TIMEOUT;

	collection.full_before = full_collections();
	for (;;) {
		jvmtiError failure = (*agent->jvmti)->ForceGarbageCollection(agent->jvmti);

		if (failure != JVMTI_ERROR_NONE)
			return error_set(err, EIO, "ForceGarbageCollection: JVMTI error %d",
					 (int)failure);
		if (!counted || full_collections() != collection.full_before)
			return 0;
		if (monotonic_ns() > deadline)
			break;
		sleep_ns(RETRY_NS);
	}
	error_set(err, EAGAIN, "the JVM has put off a full collection for %llu s",
		  COLLECTION_TIMEOUT / 1000000000);
	return error_hint(err, "a thread is holding a JNI critical section; try again later");
}

static int collect_twice(struct agent *agent, struct jsnap_error *err)
{
	int r;

	compact_all(true);
	r = collect(agent, err);
	if (!r) {
		sleep_ns(CLEANERS_NS);
		r = collect(agent, err);
	}
	compact_all(false);
	return r;
}

static int collect_and_scrub(struct agent *agent, struct jsnap_error *err)
{
	const jvmtiCapabilities events = {.can_generate_garbage_collection_events = 1};
	jvmtiEnv *jvmti = agent->jvmti;
	jvmtiError failure = (*jvmti)->AddCapabilities(jvmti, &events);
	int r;

	if (failure != JVMTI_ERROR_NONE)
		return error_set(err, ENOTSUP,
				 "the JVM does not offer collection events: JVMTI error %d",
				 (int)failure);
	/* Until a scrub says otherwise. */
	collection.result = (struct scrub_result){.error = -ENOTSUP};
	collection.scrub = true;
	(*jvmti)->SetEventNotificationMode(jvmti, JVMTI_ENABLE,
					   JVMTI_EVENT_GARBAGE_COLLECTION_FINISH, NULL);
	r = collect_twice(agent, err);
	(*jvmti)->SetEventNotificationMode(jvmti, JVMTI_DISABLE,
					   JVMTI_EVENT_GARBAGE_COLLECTION_FINISH, NULL);
	collection.scrub = false;
	(*jvmti)->RelinquishCapabilities(jvmti, &events);
	return r;
}

/* Bytes of heap in use as java.lang.Runtime counts them, or -1. */
static long long heap_used(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/Runtime");
	jmethodID get, total, unused;
	jobject runtime;
	jlong committed, spare;

	if (!type)
		return -1;
	get = (*jni)->GetStaticMethodID(jni, type, "getRuntime", "()Ljava/lang/Runtime;");
	total = (*jni)->GetMethodID(jni, type, "totalMemory", "()J");
	unused = (*jni)->GetMethodID(jni, type, "freeMemory", "()J");
	runtime = (*jni)->CallStaticObjectMethod(jni, type, get);
	if (agent_exception(jni))
		return -1;
	committed = (*jni)->CallLongMethod(jni, runtime, total);
	if (agent_exception(jni))
		return -1;
	spare = (*jni)->CallLongMethod(jni, runtime, unused);
	return agent_exception(jni) ? -1 : committed - spare;
}

/* glibc alone has it; other C libraries keep their free memory to themselves. */
static bool trim_native_memory(void)
{
	int (*trim)(size_t) = (int (*)(size_t))dlsym(RTLD_DEFAULT, "malloc_trim");

	if (trim)
		trim(0);
	return trim;
}

/*
 * From now on glibc's malloc does not shrink an arena with MADV_DONTNEED (malloc/arena.c,
 * heap_trim: M_TRIM_THRESHOLD): a restored arena may then be a private file mapping, whose bytes
 * would come back. Memory at the top of an arena stays with the process; malloc_trim still gives
 * back the rest.
 */
static bool keep_arenas(void)
{
	int (*set)(int, int) = (int (*)(int, int))dlsym(RTLD_DEFAULT, "mallopt");

	return set && set(M_TRIM_THRESHOLD, INT_MAX) == 1;
}

static void find_pools(struct agent *agent, JNIEnv *jni)
{
	struct remote remote;

	remote_begin(agent, jni, &remote);
	pools_find(&remote, jni);
	lenders_find(&remote, jni);
	remote_end(jni, &remote);
}

/* What takes long, and may wait for a class that is being initialized, is looked up before the
 * threads stop. */
static void look_up(struct agent *agent, JNIEnv *jni)
{
	loaded_begin(agent, jni);
	activity_find(jni);
	random_find(agent, jni);
	world_find(agent, jni);
	environment_find(agent, jni);
	find_pools(agent, jni);
	loaded_end(agent, jni);
}

int agent_hold(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
	       struct agent_payload *answer, struct jsnap_error *err)
{
	unsigned int seconds =
		(unsigned int)agent_payload_u64(question, "seconds", SUSPEND_SECONDS);
	uint64_t start;
	bool held;

	for (int tries = 0; tries < HOLD_TRIES; tries++) {
		start = monotonic_ns();
		held = !suspend_application(agent, jni, seconds, NULL);
		if (!loaded_more(agent, jni)) {
			random_find_objects(agent, jni, held);
			world_find_objects(agent, jni, held);
			agent_payload_add(answer, "held", held ? "1" : "0");
			agent_payload_addf(answer, "held_us", "%llu",
					   (unsigned long long)((monotonic_ns() - start) / 1000));
			return 0;
		}
		suspend_end(agent, jni);
		if (suspend_prepare(agent, jni, err))
			return -err->code;
		look_up(agent, jni);
	}
	error_set(err, EAGAIN, "the program keeps initializing classes whose state matters");
	return error_hint(err, "take the snapshot when it has started");
}

int agent_prepare(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
		  struct agent_payload *answer, struct jsnap_error *err)
{
	bool scrub = agent_payload_u64(question, "scrub", 0);
	bool gc = scrub || agent_payload_u64(question, "gc", 0);
	uint64_t start;
	int r = crac_before(jni, err);

	if (r < 0)
		return r;
	agent_payload_add(answer, "told", r ? "1" : "0");
	r = suspend_prepare(agent, jni, err);
	if (r)
		return r;
	crac_register_bean(agent, jni);
	openers_keep_current();
	agent_payload_addf(answer, "heap_before", "%lld", heap_used(jni));
	start = monotonic_ns();
	if (scrub)
		r = collect_and_scrub(agent, err);
	else if (gc)
		r = collect_twice(agent, err);
	if (r)
		return r;
	agent_payload_addf(answer, "gc_ms", "%llu",
			   (unsigned long long)((monotonic_ns() - start) / 1000000));
	agent_payload_addf(answer, "scrubbed", "%zu", scrub ? collection.result.bytes : 0);
	if (scrub && collection.result.error)
		agent_payload_addf(answer, "scrub_error", "%d", -collection.result.error);
	if (agent_payload_u64(question, "trim", 0))
		agent_payload_add(answer, "trimmed", trim_native_memory() ? "1" : "0");
	if (agent_payload_u64(question, "keep_arenas", 0))
		agent_payload_add(answer, "arenas_kept", keep_arenas() ? "1" : "0");
	agent_payload_addf(answer, "heap_after", "%lld", heap_used(jni));
	look_up(agent, jni);
	return 0;
}
