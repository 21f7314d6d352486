/* See random.h. */
#include "agent/random.h"

#include "agent/instances.h"
#include "agent/loaded.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Frames from a digest to the generator that asked for it, and more. */
#define DRAWING_DEPTH 16

enum source {
	THREAD_LOCAL_RANDOM,
	RANDOM,
	MATH,
	STRICT_MATH,
	COLLECTIONS,
	DIGEST_AUTHENTICATION,
	LDAP_SERVERS,
	SPLITTABLE_RANDOM,
	NATIVE_PRNG,
	NATIVE_PRNG_BLOCKING,
	NATIVE_PRNG_NON_BLOCKING,
	SHA1_PRNG,
	DRBG,
	VIRTUAL_THREAD,
	GENERATORS, /* of the module jdk.random, under the names of both times */
	SOURCES = GENERATORS + 20,
};

static const char *const names[SOURCES] = {
	[THREAD_LOCAL_RANDOM] = "java/util/concurrent/ThreadLocalRandom",
	[RANDOM] = "java/util/Random",
	[MATH] = "java/lang/Math$RandomNumberGeneratorHolder",
	[STRICT_MATH] = "java/lang/StrictMath$RandomNumberGeneratorHolder",
	[COLLECTIONS] = "java/util/Collections",
	[DIGEST_AUTHENTICATION] = "sun/net/www/protocol/http/DigestAuthentication",
	[LDAP_SERVERS] = "com/sun/jndi/ldap/ServiceLocator",
	[SPLITTABLE_RANDOM] = "java/util/SplittableRandom",
	[NATIVE_PRNG] = "sun/security/provider/NativePRNG",
	[NATIVE_PRNG_BLOCKING] = "sun/security/provider/NativePRNG$Blocking",
	[NATIVE_PRNG_NON_BLOCKING] = "sun/security/provider/NativePRNG$NonBlocking",
	[SHA1_PRNG] = "sun/security/provider/SecureRandom",
	[DRBG] = "sun/security/provider/AbstractDrbg",
	[VIRTUAL_THREAD] = "java/lang/BaseVirtualThread",
	[GENERATORS] = "jdk/random/L32X64MixRandom", /* JDK 17 and 21 */
	"jdk/random/L64X128MixRandom",
	"jdk/random/L64X128StarStarRandom",
	"jdk/random/L64X256MixRandom",
	"jdk/random/L64X1024MixRandom",
	"jdk/random/L128X128MixRandom",
	"jdk/random/L128X256MixRandom",
	"jdk/random/L128X1024MixRandom",
	"jdk/random/Xoroshiro128PlusPlus",
	"jdk/random/Xoshiro256PlusPlus",
	"jdk/internal/random/L32X64MixRandom", /* JDK 25 */
	"jdk/internal/random/L64X128MixRandom",
	"jdk/internal/random/L64X128StarStarRandom",
	"jdk/internal/random/L64X256MixRandom",
	"jdk/internal/random/L64X1024MixRandom",
	"jdk/internal/random/L128X128MixRandom",
	"jdk/internal/random/L128X256MixRandom",
	"jdk/internal/random/L128X1024MixRandom",
	"jdk/internal/random/Xoroshiro128PlusPlus",
	"jdk/internal/random/Xoshiro256PlusPlus",
};

/* Static fields that hold one java.util.Random for everybody. */
static const struct {
	enum source source;
	const char *field, *what;
} shared_generators[] = {
	{MATH, "randomNumberGenerator", "Math.random"},
	{STRICT_MATH, "randomNumberGenerator", "StrictMath.random"},
	{COLLECTIONS, "r", "Collections.shuffle"}, /* NULL until it was called */
	{DIGEST_AUTHENTICATION, "random", "digest authentication"},
	{LDAP_SERVERS, "random", "the order of LDAP servers"},
};

/* Fields and objects looked up before the snapshot; NULL where there is none. */
static struct {
	jclass classes[SOURCES];
	struct instances sha1, drbg, threads, virtual_threads;
	bool threads_known;
	jfieldID shared[ARRAY_SIZE(shared_generators)], random_seed;
	struct counter {
		jobject object; /* AtomicLong */
		const char *what;
	} counters[SOURCES + ARRAY_SIZE(shared_generators)];
	size_t n_counters;
	jobject buffers[3]; /* NativePRNG$RandomIO */
	size_t n_buffers;
	jfieldID counter_value, buffered, drbg_counter, sha1_state, sha1_used;
	jfieldID thread_seed, thread_secondary, thread_probe;
	jobject local;	       /* the ThreadLocalRandom of all threads */
	jfieldID has_gaussian; /* it keeps the second of two that nextGaussian() made */
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

/* Takes a global reference over; NULL is none. */
static void keep_counter(jobject counter, const char *what)
{
	if (counter)
		found.counters[found.n_counters++] = (struct counter){counter, what};
}

static void add_counter(JNIEnv *jni, enum source source, const char *name, const char *what)
{
	keep_counter(static_object(jni, found.classes[source], name,
				   "Ljava/util/concurrent/atomic/AtomicLong;"),
		     what);
}

static void find_counters(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/util/concurrent/atomic/AtomicLong");

	found.counter_value = field(jni, type, "value", "J");
	(*jni)->DeleteLocalRef(jni, type);
	add_counter(jni, THREAD_LOCAL_RANDOM, "seeder", "ThreadLocalRandom of new threads");
	add_counter(jni, RANDOM, "seedUniquifier", "seeds of new Random");
	add_counter(jni, SPLITTABLE_RANDOM, "defaultGen", "seeds of new SplittableRandom");
	for (size_t s = GENERATORS; s < SOURCES; s++)
		add_counter(jni, (enum source)s,
			    strstr(names[s], "Xoshiro") ? "DEFAULT_GEN" : "defaultGen",
			    strrchr(names[s], '/') + 1);
}

static void find_shared(JNIEnv *jni)
{
	found.random_seed = field(jni, found.classes[RANDOM], "seed",
				  "Ljava/util/concurrent/atomic/AtomicLong;");
	for (size_t i = 0; i < ARRAY_SIZE(shared_generators); i++) {
		jclass type = found.classes[shared_generators[i].source];

		if (!type)
			continue;
		found.shared[i] = (*jni)->GetStaticFieldID(jni, type, shared_generators[i].field,
							   "Ljava/util/Random;");
		if (agent_exception(jni))
			miss(shared_generators[i].what);
	}
}

static void add_shared(JNIEnv *jni, size_t i)
{
	jclass type = found.classes[shared_generators[i].source];
	jobject generator =
		found.shared[i] ? (*jni)->GetStaticObjectField(jni, type, found.shared[i]) : NULL;
	jobject seed = generator && found.random_seed
			       ? (*jni)->GetObjectField(jni, generator, found.random_seed)
			       : NULL;

	if (seed)
		keep_counter((*jni)->NewGlobalRef(jni, seed), shared_generators[i].what);
	(*jni)->DeleteLocalRef(jni, seed);
	(*jni)->DeleteLocalRef(jni, generator);
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
	find_shared(jni);
	find_buffers(jni);
	find_threads(jni);
	found.sha1_state = field(jni, found.classes[SHA1_PRNG], "state", "[B");
	found.sha1_used = field(jni, found.classes[SHA1_PRNG], "remCount", "I");
	found.drbg_counter = field(jni, found.classes[DRBG], "reseedCounter", "I");
	found.local = static_object(jni, found.classes[THREAD_LOCAL_RANDOM], "instance",
				    "Ljava/util/concurrent/ThreadLocalRandom;");
	found.has_gaussian = field(jni, found.classes[RANDOM], "haveNextNextGaussian", "Z");
}

/* A thread that has a seed: its probe is 0 until then. */
static bool has_seed(JNIEnv *jni, jobject thread)
{
	return (*jni)->GetIntField(jni, thread, found.thread_probe) != 0;
}

/* The platform's. As many as they are, they are not to be looked for after a restore: that alone
 * would cost 40 page faults. */
static void find_seeded(struct agent *agent, JNIEnv *jni)
{
	jthread *threads;
	jint count;

	instances_free(jni, &found.threads);
	if (!found.thread_seed || !found.thread_secondary || !found.thread_probe)
		return;
	if ((*agent->jvmti)->GetAllThreads(agent->jvmti, &count, &threads) != JVMTI_ERROR_NONE) {
		miss("the list of threads");
		return;
	}
	for (jint i = 0; i < count; i++) {
		if (has_seed(jni, threads[i]))
			instances_add(jni, &found.threads, threads[i]);
		(*jni)->DeleteLocalRef(jni, threads[i]);
	}
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)threads);
}

void random_find_objects(struct agent *agent, JNIEnv *jni, bool still)
{
	found.threads_known = still;
	if (still)
		find_seeded(agent, jni);
	for (size_t i = 0; i < ARRAY_SIZE(shared_generators); i++)
		add_shared(jni, i);
	instances_find(agent, jni, found.classes[SHA1_PRNG], &found.sha1);
	instances_find(agent, jni, found.classes[DRBG], &found.drbg);
	instances_find(agent, jni, found.classes[VIRTUAL_THREAD], &found.virtual_threads);
}

static bool is_generator(JNIEnv *jni, jclass type)
{
	static const enum source generators[] = {
		THREAD_LOCAL_RANDOM,	  RANDOM,    NATIVE_PRNG, NATIVE_PRNG_BLOCKING,
		NATIVE_PRNG_NON_BLOCKING, SHA1_PRNG, DRBG};

	for (size_t i = 0; i < ARRAY_SIZE(generators); i++)
		if (found.classes[generators[i]] &&
		    (*jni)->IsSameObject(jni, found.classes[generators[i]], type))
			return true;
	return false;
}

bool random_is_drawn(struct agent *agent, JNIEnv *jni, jthread thread)
{
	jvmtiFrameInfo frames[DRAWING_DEPTH];
	jvmtiEnv *jvmti = agent->jvmti;
	jint count = 0;
	bool drawn = false;

	if ((*jvmti)->GetStackTrace(jvmti, thread, 0, DRAWING_DEPTH, frames, &count) !=
	    JVMTI_ERROR_NONE)
		return false;
	for (jint i = 0; i < count && !drawn; i++) {
		jclass type = NULL;

		if ((*jvmti)->GetMethodDeclaringClass(jvmti, frames[i].method, &type) !=
		    JVMTI_ERROR_NONE)
			continue;
		drawn = is_generator(jni, type);
		(*jni)->DeleteLocalRef(jni, type);
	}
	return drawn;
}

typedef int each_thread(JNIEnv *jni, jobject thread, void *context);

/* How many have a seed, virtual ones among them; less than 0 when `call` gave that. */
static int for_each_thread(JNIEnv *jni, each_thread *call, void *context)
{
	const struct instances *const lists[] = {&found.threads, &found.virtual_threads};
	int n = 0, r = 0;

	if (!found.thread_seed || !found.thread_secondary || !found.thread_probe)
		return 0;
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (jint i = 0; r >= 0 && i < lists[l]->count; i++) {
			jobject thread = lists[l]->objects[i];

			if (!has_seed(jni, thread))
				continue;
			r = call(jni, thread, context);
			n++;
		}
	return r < 0 ? r : n;
}

static int reseed_thread(JNIEnv *jni, jobject thread, void *unused)
{
	jint secondary;
	jlong seed;
	int r = fresh(&seed, sizeof(seed));

	(void)unused;
	if (r == 0)
		r = fresh(&secondary, sizeof(secondary));
	if (r < 0)
		return r;
	(*jni)->SetLongField(jni, thread, found.thread_seed, seed);
	(*jni)->SetIntField(jni, thread, found.thread_secondary, secondary ? secondary : 1);
	return 0;
}

static int reseed_counters(JNIEnv *jni)
{
	jlong value;
	int r;

	for (size_t i = 0; found.counter_value && i < found.n_counters; i++) {
		r = fresh(&value, sizeof(value));
		if (r < 0)
			return r;
		(*jni)->SetLongField(jni, found.counters[i].object, found.counter_value, value);
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

/* Less than 0 it reseeds: still so when a thread that is in its midst has counted on. */
static void reseed_drbg(JNIEnv *jni)
{
	for (jint i = 0; found.drbg_counter && i < found.drbg.count; i++)
		(*jni)->SetIntField(jni, found.drbg.objects[i], found.drbg_counter, INT32_MIN);
}

int random_refresh(struct agent *agent, JNIEnv *jni, const char **ret_missing)
{
	int n, total = 0;

	if (!found.threads_known)
		find_seeded(agent, jni);
	pool_left = 0; /* what was left before the snapshot is everybody's */
	n = reseed_counters(jni);
	total += n;
	if (n >= 0) {
		n = for_each_thread(jni, reseed_thread, NULL);
		total += n;
	}
	if (n >= 0) {
		n = reseed_sha1(jni);
		total += n;
	}
	for (size_t i = 0; found.buffered && i < found.n_buffers; i++)
		(*jni)->SetIntField(jni, found.buffers[i], found.buffered, 0);
	if (found.local && found.has_gaussian)
		(*jni)->SetBooleanField(jni, found.local, found.has_gaussian, JNI_FALSE);
	reseed_drbg(jni);
	*ret_missing = found.missing;
	return n < 0 ? n : total + (int)found.n_buffers + found.drbg.count;
}

static int add_seed(JNIEnv *jni, jobject thread, void *stream)
{
	fprintf(stream, "%c%llx", ftell(stream) ? ',' : '=',
		(unsigned long long)(*jni)->GetLongField(jni, thread, found.thread_seed));
	return 0;
}

static void add_seeds(JNIEnv *jni, struct agent_payload *answer)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *sample = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	int n;

	if (!stream)
		return;
	n = for_each_thread(jni, add_seed, stream);
	if (text_stream_end(stream, &text) == 0 && n > 0 &&
	    asprintf(&sample, "ThreadLocalRandom of its threads%s", text) > 0)
		agent_payload_add(answer, "sample", sample);
}

static bool is_counter(JNIEnv *jni, jobject object)
{
	for (size_t i = 0; i < found.n_counters; i++)
		if ((*jni)->IsSameObject(jni, found.counters[i].object, object))
			return true;
	return false;
}

/* Neither of a subclass, which has its own state, nor one that is made anew. */
static bool is_own(JNIEnv *jni, jclass type, jobject generator)
{
	jclass its = (*jni)->GetObjectClass(jni, generator);
	bool own = (*jni)->IsSameObject(jni, type, its);

	(*jni)->DeleteLocalRef(jni, its);
	if (own && found.random_seed && type == found.classes[RANDOM]) {
		jobject seed = (*jni)->GetObjectField(jni, generator, found.random_seed);

		own = !is_counter(jni, seed);
		(*jni)->DeleteLocalRef(jni, seed);
	}
	return own;
}

static void add_own(struct agent *agent, JNIEnv *jni, enum source source,
		    struct agent_payload *answer)
{
	struct instances generators;
	int n = 0;

	instances_find(agent, jni, found.classes[source], &generators);
	for (jint i = 0; i < generators.count; i++)
		n += is_own(jni, found.classes[source], generators.objects[i]);
	instances_free(jni, &generators);
	if (n)
		agent_payload_addf(answer, "own", "%d %s", n, strrchr(names[source], '/') + 1);
}

void random_add_states(struct agent *agent, JNIEnv *jni, struct agent_payload *answer)
{
	for (size_t i = 0; found.counter_value && i < found.n_counters; i++)
		agent_payload_addf(answer, "sample", "state of %s=%llx", found.counters[i].what,
				   (unsigned long long)(*jni)->GetLongField(
					   jni, found.counters[i].object, found.counter_value));
	add_seeds(jni, answer);
	add_own(agent, jni, RANDOM, answer);
	add_own(agent, jni, SPLITTABLE_RANDOM, answer);
	for (size_t s = GENERATORS; s < SOURCES; s++)
		add_own(agent, jni, (enum source)s, answer);
}

void random_forget(JNIEnv *jni)
{
	for (size_t i = 0; i < SOURCES; i++)
		if (found.classes[i])
			(*jni)->DeleteGlobalRef(jni, found.classes[i]);
	for (size_t i = 0; i < found.n_counters; i++)
		(*jni)->DeleteGlobalRef(jni, found.counters[i].object);
	for (size_t i = 0; i < found.n_buffers; i++)
		(*jni)->DeleteGlobalRef(jni, found.buffers[i]);
	(*jni)->DeleteGlobalRef(jni, found.local);
	instances_free(jni, &found.sha1);
	instances_free(jni, &found.drbg);
	instances_free(jni, &found.threads);
	instances_free(jni, &found.virtual_threads);
	memset(&found, 0, sizeof(found));
}
