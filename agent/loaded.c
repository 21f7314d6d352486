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

static bool is_name(const char *signature, const char *name)
{
	size_t n = strlen(name);

	return signature[0] == 'L' && !strncmp(signature + 1, name, n) &&
	       !strcmp(signature + 1 + n, ";");
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

static void each_loaded(struct agent *agent, JNIEnv *jni, jclass type, const char *const *names,
			size_t n, jclass *classes)
{
	jvmtiEnv *jvmti = agent->jvmti;
	char *signature;

	if ((*jvmti)->GetClassSignature(jvmti, type, &signature, NULL) != JVMTI_ERROR_NONE)
		return;
	for (size_t i = 0; i < n; i++)
		if (!classes[i] && is_name(signature, names[i]) && is_jdks(agent, type, names[i]))
			classes[i] = (*jni)->NewGlobalRef(jni, type);
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
}

/* Those that are loaded, initialized or not. */
static bool find_loaded(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
			jclass *ret_classes)
{
	jclass *classes;
	jint count;

	memset(ret_classes, 0, n * sizeof(*ret_classes));
	if ((*jni)->PushLocalFrame(jni, LOCAL_REFERENCES) < 0) {
		agent_exception(jni);
		return false;
	}
	if ((*agent->jvmti)->GetLoadedClasses(agent->jvmti, &count, &classes) != JVMTI_ERROR_NONE) {
		(*jni)->PopLocalFrame(jni, NULL);
		return false;
	}
	for (jint i = 0; i < count; i++)
		each_loaded(agent, jni, classes[i], names, n, ret_classes);
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)classes);
	(*jni)->PopLocalFrame(jni, NULL);
	return true;
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

void loaded_begin(JNIEnv *jni)
{
	for (size_t i = 0; i < missed.n; i++)
		(*jni)->DeleteGlobalRef(jni, missed.names[i].type);
	missed.n = 0;
	missed.count = loaded_count();
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
