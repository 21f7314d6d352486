/* See loaded.h. */
#include "agent/loaded.h"

#include "agent/perfdata.h"
#include "base/cleanup.h"

#include <string.h>

/* The most that HotSpot lets one reserve (MaxJNILocalCapacity); beyond it only -Xcheck:jni minds.
 */
#define LOCAL_REFERENCES 65536

#define MISSED_MAX 128

/* What was asked for since loaded_begin and is not initialized. */
static struct {
	struct {
		const char *name;
		jclass type; /* global reference, where it is loaded */
	} names[MISSED_MAX];
	size_t n;
	int64_t count; /* of loaded classes */
} missed;

int64_t loaded_count(void)
{
	int64_t own, shared;

	return perfdata_counter("java.cls.loadedClasses", &own) &&
			       perfdata_counter("java.cls.sharedLoadedClasses", &shared)
		       ? own + shared
		       : -1;
}

/* Of all loaded classes, while a list is open: local references and hashes of their names. */
static struct {
	jclass *classes;
	uint32_t *hashes;
	jint count;
	bool open;
} listed;

/* FNV-1a, 32 bits (RFC 9923). */
static uint32_t hash_of(const char *name, size_t n)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash;
}

static uint32_t hash_of_class(jvmtiEnv *jvmti, jclass type)
{
	uint32_t hash = 0;
	char *signature;

	if ((*jvmti)->GetClassSignature(jvmti, type, &signature, NULL) != JVMTI_ERROR_NONE)
		return 0;
	if (signature[0] == 'L')
		hash = hash_of(signature + 1, strlen(signature) - 2);
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
	return hash;
}

static void close_list(struct agent *agent, JNIEnv *jni)
{
	if (!listed.open)
		return;
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)listed.classes);
	free(listed.hashes);
	memset(&listed, 0, sizeof(listed));
	(*jni)->PopLocalFrame(jni, NULL);
}

static bool open_list(struct agent *agent, JNIEnv *jni)
{
	if ((*jni)->PushLocalFrame(jni, LOCAL_REFERENCES) < 0) {
		agent_exception(jni);
		return false;
	}
	if ((*agent->jvmti)->GetLoadedClasses(agent->jvmti, &listed.count, &listed.classes) !=
	    JVMTI_ERROR_NONE) {
		(*jni)->PopLocalFrame(jni, NULL);
		return false;
	}
	listed.open = true;
	listed.hashes = calloc((size_t)listed.count + 1, sizeof(*listed.hashes));
	for (jint i = 0; listed.hashes && i < listed.count; i++)
		listed.hashes[i] = hash_of_class(agent->jvmti, listed.classes[i]);
	if (!listed.hashes)
		close_list(agent, jni);
	return listed.open;
}

static bool is_name(jvmtiEnv *jvmti, jclass type, const char *name)
{
	size_t n = strlen(name);
	char *signature;
	bool is;

	if ((*jvmti)->GetClassSignature(jvmti, type, &signature, NULL) != JVMTI_ERROR_NONE)
		return false;
	is = signature[0] == 'L' && !strncmp(signature + 1, name, n) &&
	     !strcmp(signature + 1 + n, ";");
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
	return is;
}

/* The boot loader's; the module jdk.random has another one, and its package to itself. */
static bool is_jdks(struct agent *agent, jclass type, const char *name)
{
	jobject loader = NULL;

	return (*agent->jvmti)->GetClassLoader(agent->jvmti, type, &loader) == JVMTI_ERROR_NONE &&
	       (!loader || !strncmp(name, "jdk/random/", strlen("jdk/random/")));
}

static bool is_initialized(struct agent *agent, jclass type)
{
	jint status;

	return (*agent->jvmti)->GetClassStatus(agent->jvmti, type, &status) == JVMTI_ERROR_NONE &&
	       (status & JVMTI_CLASS_STATUS_INITIALIZED) && !(status & JVMTI_CLASS_STATUS_ERROR);
}

static void each_called(struct agent *agent, JNIEnv *jni, const char *name, size_t number,
			loaded_visit visit, void *ctx)
{
	const uint32_t hash = hash_of(name, strlen(name));

	for (jint i = 0; i < listed.count; i++)
		if (listed.hashes[i] == hash && is_name(agent->jvmti, listed.classes[i], name))
			visit(ctx, jni, number, listed.classes[i]);
}

/* Those that are loaded, initialized or not. */
static bool each_of_all(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
			loaded_visit visit, void *ctx)
{
	const bool was_open = listed.open;

	if (!was_open && !open_list(agent, jni))
		return false;
	for (size_t i = 0; i < n; i++)
		each_called(agent, jni, names[i], i, visit, ctx);
	if (!was_open)
		close_list(agent, jni);
	return true;
}

struct find {
	struct agent *agent;
	const char *const *names;
	jclass *classes;
};

static void find_jdks(void *ctx, JNIEnv *jni, size_t i, jclass type)
{
	const struct find *find = ctx;

	if (!find->classes[i] && is_jdks(find->agent, type, find->names[i]))
		find->classes[i] = (*jni)->NewGlobalRef(jni, type);
}

static bool find_loaded(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
			jclass *ret_classes)
{
	struct find find = {.agent = agent, .names = names, .classes = ret_classes};

	memset(ret_classes, 0, n * sizeof(*ret_classes));
	return each_of_all(agent, jni, names, n, find_jdks, &find);
}

struct initialized {
	struct agent *agent;
	loaded_visit visit;
	void *ctx;
};

static void visit_initialized(void *ctx, JNIEnv *jni, size_t i, jclass type)
{
	const struct initialized *all = ctx;

	if (is_initialized(all->agent, type))
		all->visit(all->ctx, jni, i, type);
}

bool loaded_each(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
		 loaded_visit visit, void *ctx)
{
	struct initialized all = {.agent = agent, .visit = visit, .ctx = ctx};

	return each_of_all(agent, jni, names, n, visit_initialized, &all);
}

static void miss(JNIEnv *jni, const char *name, jclass type)
{
	if (missed.n == MISSED_MAX) {
		(*jni)->DeleteGlobalRef(jni, type);
		return;
	}
	missed.names[missed.n].name = name;
	missed.names[missed.n++].type = type;
}

bool loaded_find(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
		 jclass *ret_classes)
{
	if (!find_loaded(agent, jni, names, n, ret_classes))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (ret_classes[i] && is_initialized(agent, ret_classes[i]))
			continue;
		miss(jni, names[i], ret_classes[i]);
		ret_classes[i] = NULL;
	}
	return true;
}

void loaded_begin(struct agent *agent, JNIEnv *jni)
{
	for (size_t i = 0; i < missed.n; i++)
		(*jni)->DeleteGlobalRef(jni, missed.names[i].type);
	missed.n = 0;
	missed.count = loaded_count();
	open_list(agent, jni); /* without it each call looks for itself */
}

void loaded_end(struct agent *agent, JNIEnv *jni)
{
	close_list(agent, jni);
}

static bool is_any_initialized(struct agent *agent)
{
	for (size_t i = 0; i < missed.n; i++)
		if (missed.names[i].type && is_initialized(agent, missed.names[i].type))
			return true;
	return false;
}

/* References to those of the missed that have been loaded since. */
static void find_missed(struct agent *agent, JNIEnv *jni)
{
	const char *names[MISSED_MAX];
	jclass classes[MISSED_MAX];

	for (size_t i = 0; i < missed.n; i++)
		names[i] = missed.names[i].name;
	find_loaded(agent, jni, names, missed.n, classes);
	for (size_t i = 0; i < missed.n; i++) {
		(*jni)->DeleteGlobalRef(jni, missed.names[i].type);
		missed.names[i].type = classes[i];
	}
}

bool loaded_more(struct agent *agent, JNIEnv *jni)
{
	int64_t count = loaded_count();

	if (count < 0 || count != missed.count)
		find_missed(agent, jni);
	missed.count = count;
	return is_any_initialized(agent);
}
