/* See random.h. */
#include "agent/random.h"

#include "agent/instances.h"
#include "agent/loaded.h"
#include "base/cleanup.h"

#include <string.h>
#include <sys/random.h>

enum source {
	THREAD_LOCAL_RANDOM,
	MATH_RANDOM,
	RANDOM,
	SPLITTABLE_RANDOM,
	NATIVE_PRNG,
	NATIVE_PRNG_BLOCKING,
	NATIVE_PRNG_NON_BLOCKING,
	SHA1_PRNG,
	DRBG,
	VIRTUAL_THREAD,
	L32X64,
	L64X128,
	L64X128_STAR,
	L64X256,
	L64X1024,
	L128X128,
	L128X256,
	L128X1024,
	XOROSHIRO,
	XOSHIRO,
	SOURCES,
};

static const char *const names[SOURCES] = {
	[THREAD_LOCAL_RANDOM] = "java/util/concurrent/ThreadLocalRandom",
	[MATH_RANDOM] = "java/lang/Math$RandomNumberGeneratorHolder",
	[RANDOM] = "java/util/Random",
	[SPLITTABLE_RANDOM] = "java/util/SplittableRandom",
	[NATIVE_PRNG] = "sun/security/provider/NativePRNG",
	[NATIVE_PRNG_BLOCKING] = "sun/security/provider/NativePRNG$Blocking",
	[NATIVE_PRNG_NON_BLOCKING] = "sun/security/provider/NativePRNG$NonBlocking",
	[SHA1_PRNG] = "sun/security/provider/SecureRandom",
	[DRBG] = "sun/security/provider/AbstractDrbg",
	[VIRTUAL_THREAD] = "java/lang/BaseVirtualThread",
	[L32X64] = "jdk/random/L32X64MixRandom",
	[L64X128] = "jdk/random/L64X128MixRandom",
	[L64X128_STAR] = "jdk/random/L64X128StarStarRandom",
	[L64X256] = "jdk/random/L64X256MixRandom",
	[L64X1024] = "jdk/random/L64X1024MixRandom",
	[L128X128] = "jdk/random/L128X128MixRandom",
	[L128X256] = "jdk/random/L128X256MixRandom",
	[L128X1024] = "jdk/random/L128X1024MixRandom",
	[XOROSHIRO] = "jdk/random/Xoroshiro128PlusPlus",
	[XOSHIRO] = "jdk/random/Xoshiro256PlusPlus",
};

/* Fields and objects looked up before the snapshot; NULL where there is none. */
static struct {
	jclass classes[SOURCES];
	struct instances sha1, drbg, virtual_threads;
	jobject counters[SOURCES + 2]; /* AtomicLong */
	size_t n_counters;
	jobject buffers[3]; /* NativePRNG$RandomIO */
	size_t n_buffers;
	jfieldID counter_value, buffered, drbg_counter, sha1_state, sha1_used;
	jfieldID thread_seed, thread_secondary, thread_probe;
	char missing[256];
} found;

static uint8_t pool[4096];
static size_t pool_left;

/* Random bytes of the kernel's, which a snapshot does not repeat. */
static int fresh(void *bytes, size_t size)
{
	if (pool_left < size) {
		for (size_t done = 0; done < sizeof(pool);) {
			ssize_t n = getrandom(pool + done, sizeof(pool) - done, 0);

			if (n < 0 && errno != EINTR)
				return -errno;
			done += n > 0 ? (size_t)n : 0;
		}
		pool_left = sizeof(pool);
	}
	pool_left -= size;
	memcpy(bytes, pool + pool_left, size);
	explicit_bzero(pool + pool_left, size);
	return 0;
}

static void miss(const char *what)
{
	size_t used = strlen(found.missing);

	snprintf(found.missing + used, sizeof(found.missing) - used, "%s%s", used ? ", " : "",
		 what);
}

static jfieldID field(JNIEnv *jni, jclass type, const char *name, const char *signature)
{
	jfieldID id = type ? (*jni)->GetFieldID(jni, type, name, signature) : NULL;

	if (agent_exception(jni) || (type && !id)) {
		miss(name);
		return NULL;
	}
	return id;
}

/* A static field's object as a global reference, or NULL. */
static jobject static_object(JNIEnv *jni, jclass type, const char *name, const char *signature)
{
	jfieldID id = type ? (*jni)->GetStaticFieldID(jni, type, name, signature) : NULL;
	jobject object, global;

	if (agent_exception(jni) || !id) {
		if (type)
			miss(name);
		return NULL;
	}
	object = (*jni)->GetStaticObjectField(jni, type, id);
	global = object ? (*jni)->NewGlobalRef(jni, object) : NULL;
	(*jni)->DeleteLocalRef(jni, object);
	return global;
}

static void add_counter(JNIEnv *jni, enum source source, const char *name)
{
	jobject counter = static_object(jni, found.classes[source], name,
					"Ljava/util/concurrent/atomic/AtomicLong;");

	if (counter)
		found.counters[found.n_counters++] = counter;
}

static void find_counters(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/util/concurrent/atomic/AtomicLong");
	jobject generator;
	jfieldID seed;

	found.counter_value = field(jni, type, "value", "J");
	(*jni)->DeleteLocalRef(jni, type);
	add_counter(jni, THREAD_LOCAL_RANDOM, "seeder");
	add_counter(jni, RANDOM, "seedUniquifier");
	add_counter(jni, SPLITTABLE_RANDOM, "defaultGen");
	for (enum source s = L32X64; s <= XOSHIRO; s++)
		add_counter(jni, s, "defaultGen");
	generator = static_object(jni, found.classes[MATH_RANDOM], "randomNumberGenerator",
				  "Ljava/util/Random;");
	seed = generator ? field(jni, found.classes[RANDOM], "seed",
				 "Ljava/util/concurrent/atomic/AtomicLong;")
			 : NULL;
	if (seed) {
		jobject counter = (*jni)->GetObjectField(jni, generator, seed);

		found.counters[found.n_counters++] = (*jni)->NewGlobalRef(jni, counter);
		(*jni)->DeleteLocalRef(jni, counter);
	}
	if (generator)
		(*jni)->DeleteGlobalRef(jni, generator);
}

static void find_buffers(JNIEnv *jni)
{
	static const char io[] = "Lsun/security/provider/NativePRNG$RandomIO;";

	for (enum source s = NATIVE_PRNG; s <= NATIVE_PRNG_NON_BLOCKING; s++) {
		jobject buffer = static_object(jni, found.classes[s], "INSTANCE", io);

		if (!buffer)
			continue;
		found.buffers[found.n_buffers++] = buffer;
		if (!found.buffered) {
			jclass type = (*jni)->GetObjectClass(jni, buffer);

			found.buffered = field(jni, type, "buffered", "I");
			(*jni)->DeleteLocalRef(jni, type);
		}
	}
}

static void find_threads(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/Thread");

	found.thread_seed = field(jni, type, "threadLocalRandomSeed", "J");
	found.thread_secondary = field(jni, type, "threadLocalRandomSecondarySeed", "I");
	found.thread_probe = field(jni, type, "threadLocalRandomProbe", "I");
	(*jni)->DeleteLocalRef(jni, type);
}

void random_find(struct agent *agent, JNIEnv *jni)
{
	random_forget(jni);
	if (!loaded_find(agent, jni, names, SOURCES, found.classes)) {
		miss("the loaded classes");
		return;
	}
	find_counters(jni);
	find_buffers(jni);
	find_threads(jni);
	found.sha1_state = field(jni, found.classes[SHA1_PRNG], "state", "[B");
	found.sha1_used = field(jni, found.classes[SHA1_PRNG], "remCount", "I");
	found.drbg_counter = field(jni, found.classes[DRBG], "reseedCounter", "I");
}

void random_find_objects(struct agent *agent, JNIEnv *jni)
{
	instances_find(agent, jni, found.classes[SHA1_PRNG], &found.sha1);
	instances_find(agent, jni, found.classes[DRBG], &found.drbg);
	instances_find(agent, jni, found.classes[VIRTUAL_THREAD], &found.virtual_threads);
}

/* The probe is 0 until a thread has a seed. */
static int reseed_thread(JNIEnv *jni, jobject thread)
{
	jint secondary;
	jlong seed;

	if (!(*jni)->GetIntField(jni, thread, found.thread_probe))
		return 0;
	if (fresh(&seed, sizeof(seed)) < 0 || fresh(&secondary, sizeof(secondary)) < 0)
		return -errno;
	(*jni)->SetLongField(jni, thread, found.thread_seed, seed);
	(*jni)->SetIntField(jni, thread, found.thread_secondary, secondary ? secondary : 1);
	return 1;
}

static int reseed_threads(struct agent *agent, JNIEnv *jni)
{
	jthread *threads;
	jint count;
	int n = 0, r = 0;

	if (!found.thread_seed || !found.thread_secondary || !found.thread_probe)
		return 0;
	if ((*agent->jvmti)->GetAllThreads(agent->jvmti, &count, &threads) != JVMTI_ERROR_NONE) {
		miss("the list of threads");
		return 0;
	}
	for (jint i = 0; i < count; i++) {
		r = r < 0 ? r : reseed_thread(jni, threads[i]);
		n += r > 0;
		(*jni)->DeleteLocalRef(jni, threads[i]);
	}
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)threads);
	for (jint i = 0; r >= 0 && i < found.virtual_threads.count; i++) {
		r = reseed_thread(jni, found.virtual_threads.objects[i]);
		n += r > 0;
	}
	return r < 0 ? r : n;
}

static int reseed_counters(JNIEnv *jni)
{
	jlong value;
	int r;

	for (size_t i = 0; found.counter_value && i < found.n_counters; i++) {
		r = fresh(&value, sizeof(value));
		if (r < 0)
			return r;
		(*jni)->SetLongField(jni, found.counters[i], found.counter_value, value);
	}
	return (int)found.n_counters;
}

/* The state's bytes are mixed in place, and what is left of the last block is thrown away. */
static int reseed_sha1(JNIEnv *jni)
{
	for (jint i = 0; found.sha1_state && found.sha1_used && i < found.sha1.count; i++) {
		jbyte bytes[20], mixed[20];
		jobject object = found.sha1.objects[i];
		jbyteArray state = (*jni)->GetObjectField(jni, object, found.sha1_state);
		int r = state ? fresh(bytes, sizeof(bytes)) : 0;

		if (r < 0)
			return r;
		/* Without a state it is not seeded yet. */
		if (state && (*jni)->GetArrayLength(jni, state) == sizeof(mixed)) {
			(*jni)->GetByteArrayRegion(jni, state, 0, sizeof(mixed), mixed);
			for (size_t n = 0; n < sizeof(mixed); n++)
				mixed[n] ^= bytes[n];
			(*jni)->SetByteArrayRegion(jni, state, 0, sizeof(mixed), mixed);
			(*jni)->SetIntField(jni, object, found.sha1_used, 0);
		}
		(*jni)->DeleteLocalRef(jni, state);
	}
	return found.sha1.count;
}

int random_refresh(struct agent *agent, JNIEnv *jni, const char **ret_missing)
{
	int n, total = 0;

	pool_left = 0; /* what was left before the snapshot is everybody's */
	n = reseed_counters(jni);
	total += n;
	if (n >= 0) {
		n = reseed_threads(agent, jni);
		total += n;
	}
	if (n >= 0) {
		n = reseed_sha1(jni);
		total += n;
	}
	for (size_t i = 0; found.buffered && i < found.n_buffers; i++)
		(*jni)->SetIntField(jni, found.buffers[i], found.buffered, 0);
	for (jint i = 0; found.drbg_counter && i < found.drbg.count; i++)
		(*jni)->SetIntField(jni, found.drbg.objects[i], found.drbg_counter, -1);
	*ret_missing = found.missing;
	return n < 0 ? n : total + (int)found.n_buffers + found.drbg.count;
}

void random_forget(JNIEnv *jni)
{
	for (size_t i = 0; i < SOURCES; i++)
		if (found.classes[i])
			(*jni)->DeleteGlobalRef(jni, found.classes[i]);
	for (size_t i = 0; i < found.n_counters; i++)
		(*jni)->DeleteGlobalRef(jni, found.counters[i]);
	for (size_t i = 0; i < found.n_buffers; i++)
		(*jni)->DeleteGlobalRef(jni, found.buffers[i]);
	instances_free(jni, &found.sha1);
	instances_free(jni, &found.drbg);
	instances_free(jni, &found.virtual_threads);
	memset(&found, 0, sizeof(found));
}
