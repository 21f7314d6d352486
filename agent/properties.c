/* See properties.h. */
#include "agent/properties.h"

#include "base/cleanup.h"

#include <string.h>

static const jvmtiCapabilities capabilities = {.can_get_monitor_info = 1};

static struct {
	jclass type; /* java.util.Properties, global reference */
	jclass system;
	jfieldID in_system;
	jmethodID get, set, remove;
	jobject object; /* global reference */
	bool known, free;
} properties;

static jclass global_class(JNIEnv *jni, const char *name)
{
	jclass type = (*jni)->FindClass(jni, name);
	jclass global = type ? (*jni)->NewGlobalRef(jni, type) : NULL;

	(*jni)->DeleteLocalRef(jni, type);
	return global;
}

void properties_find(JNIEnv *jni)
{
	static const char object_of_object[] = "(Ljava/lang/Object;)Ljava/lang/Object;";

	properties_forget(jni);
	properties.system = global_class(jni, "java/lang/System");
	if (properties.system)
		properties.type = global_class(jni, "java/util/Properties");
	if (properties.type)
		properties.in_system = (*jni)->GetStaticFieldID(jni, properties.system, "props",
								"Ljava/util/Properties;");
	if (properties.in_system)
		properties.get = (*jni)->GetMethodID(jni, properties.type, "getProperty",
						     "(Ljava/lang/String;)Ljava/lang/String;");
	if (properties.get)
		properties.set = (*jni)->GetMethodID(
			jni, properties.type, "setProperty",
			"(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/Object;");
	if (properties.set)
		properties.remove =
			(*jni)->GetMethodID(jni, properties.type, "remove", object_of_object);
	properties.known = !agent_exception(jni) && properties.remove;
}

static jobject object_of_now(JNIEnv *jni)
{
	return (*jni)->GetStaticObjectField(jni, properties.system, properties.in_system);
}

static bool is_owned(jvmtiEnv *jvmti, jobject object)
{
	jvmtiMonitorUsage usage;
	jvmtiError failure;

	if ((*jvmti)->AddCapabilities(jvmti, &capabilities) != JVMTI_ERROR_NONE)
		return true;
	failure = (*jvmti)->GetObjectMonitorUsage(jvmti, object, &usage);
	if (failure == JVMTI_ERROR_NONE) {
		(*jvmti)->Deallocate(jvmti, (unsigned char *)usage.waiters);
		(*jvmti)->Deallocate(jvmti, (unsigned char *)usage.notify_waiters);
	}
	(*jvmti)->RelinquishCapabilities(jvmti, &capabilities);
	return failure != JVMTI_ERROR_NONE || usage.owner;
}

void properties_find_object(struct agent *agent, JNIEnv *jni)
{
	jobject object = properties.known ? object_of_now(jni) : NULL;
	jclass type;

	if (!object)
		return;
	type = (*jni)->GetObjectClass(jni, object);
	properties.object = (*jni)->NewGlobalRef(jni, object);
	properties.free =
		(*jni)->IsSameObject(jni, type, properties.type) && !is_owned(agent->jvmti, object);
	(*jni)->DeleteLocalRef(jni, type);
	(*jni)->DeleteLocalRef(jni, object);
}

bool properties_are_free(void)
{
	return properties.free;
}

/* A local reference, or NULL. */
static jobject object(JNIEnv *jni)
{
	if (!properties.known)
		properties_find(jni);
	if (!properties.known)
		return NULL;
	return properties.object ? (*jni)->NewLocalRef(jni, properties.object) : object_of_now(jni);
}

jobject properties_get(JNIEnv *jni, const char *name)
{
	jobject all = object(jni);
	jstring key = all ? (*jni)->NewStringUTF(jni, name) : NULL;
	jobject value = key ? (*jni)->CallObjectMethod(jni, all, properties.get, key) : NULL;

	if (agent_exception(jni))
		value = NULL;
	(*jni)->DeleteLocalRef(jni, key);
	(*jni)->DeleteLocalRef(jni, all);
	return value;
}

void properties_remove(JNIEnv *jni, const char *name)
{
	jobject all = object(jni);
	jstring key = all ? (*jni)->NewStringUTF(jni, name) : NULL;

	if (key)
		(*jni)->CallObjectMethod(jni, all, properties.remove, key);
	agent_exception(jni);
	(*jni)->DeleteLocalRef(jni, key);
	(*jni)->DeleteLocalRef(jni, all);
}

/* False when it is not NAME=VALUE, or Java refuses it. */
static bool set(JNIEnv *jni, jobject all, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	jstring name = NULL, value = NULL;

	if (!equals || equals == assignment)
		return false;
	name = agent_string(jni, assignment, (size_t)(equals - assignment));
	if (name)
		value = agent_string(jni, equals + 1, strlen(equals + 1));
	if (value)
		(*jni)->CallObjectMethod(jni, all, properties.set, name, value);
	return !agent_exception(jni) && value;
}

unsigned int properties_set(JNIEnv *jni, const struct agent_payload *fields)
{
	struct agent_field field;
	unsigned int count = 0;
	size_t pos = 0;

	while (agent_payload_next(fields, &pos, &field)) {
		jobject all;

		if (!agent_field_is(&field, "prop") || (*jni)->PushLocalFrame(jni, 16) < 0)
			continue;
		all = object(jni);
		count += all && set(jni, all, field.value);
		agent_exception(jni);
		(*jni)->PopLocalFrame(jni, NULL);
	}
	return count;
}

void properties_forget(JNIEnv *jni)
{
	if (properties.system)
		(*jni)->DeleteGlobalRef(jni, properties.system);
	if (properties.type)
		(*jni)->DeleteGlobalRef(jni, properties.type);
	if (properties.object)
		(*jni)->DeleteGlobalRef(jni, properties.object);
	memset(&properties, 0, sizeof(properties));
}
