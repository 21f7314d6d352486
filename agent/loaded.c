/* See loaded.h. */
#include "agent/loaded.h"

#include "agent/perfdata.h"

#include <string.h>

/* The most that HotSpot lets one reserve (MaxJNILocalCapacity); beyond it only -Xcheck:jni minds.
 */
#define LOCAL_REFERENCES 65536

static bool is_name(const char *signature, const char *name)
{
	size_t n = strlen(name);

	return signature[0] == 'L' && !strncmp(signature + 1, name, n) &&
	       !strcmp(signature + 1 + n, ";");
}

static void match(struct agent *agent, JNIEnv *jni, jclass type, const char *const *names, size_t n,
		  jclass *classes)
{
	jvmtiEnv *jvmti = agent->jvmti;
	jobject loader = NULL;
	char *signature;

	if ((*jvmti)->GetClassSignature(jvmti, type, &signature, NULL) != JVMTI_ERROR_NONE)
		return;
	for (size_t i = 0; i < n; i++)
		if (!classes[i] && is_name(signature, names[i]) &&
		    (*jvmti)->GetClassLoader(jvmti, type, &loader) == JVMTI_ERROR_NONE && !loader)
			classes[i] = (*jni)->NewGlobalRef(jni, type);
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
}

bool loaded_find(struct agent *agent, JNIEnv *jni, const char *const *names, size_t n,
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
		match(agent, jni, classes[i], names, n, ret_classes);
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)classes);
	(*jni)->PopLocalFrame(jni, NULL);
	return true;
}

int64_t loaded_count(void)
{
	int64_t own, shared;

	return perfdata_counter("java.cls.loadedClasses", &own) &&
			       perfdata_counter("java.cls.sharedLoadedClasses", &shared)
		       ? own + shared
		       : -1;
}
