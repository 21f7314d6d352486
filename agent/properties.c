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
	jfieldID map; /* what holds them, without the monitor of setProperty and remove */
	jmethodID map_put, map_remove;
	jobject object; /* global reference */
	bool known, free;
} properties;

static const char object_of_object[] = "(Ljava/lang/Object;)Ljava/lang/Object;";

static jclass global_class(JNIEnv *jni, const char *name)
{
	jclass type = (*jni)->FindClass(jni, name);
	jclass global = type ? (*jni)->NewGlobalRef(jni, type) : NULL;

	(*jni)->DeleteLocalRef(jni, type);
	return global;
}

/* java.util.Properties from JDK 9 on; without it their monitor is taken. */
static void find_map(JNIEnv *jni)
{
	jclass map = (*jni)->FindClass(jni, "java/util/Map");

	if (map)
		properties.map_put = (*jni)->GetMethodID(
			jni, map, "put",
			"(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;");
	if (properties.map_put)
		properties.map_remove = (*jni)->GetMethodID(jni, map, "remove", object_of_object);
	if (properties.map_remove)
		properties.map = (*jni)->GetFieldID(jni, properties.type, "map",
						    "Ljava/util/concurrent/ConcurrentHashMap;");
	agent_exception(jni);
	(*jni)->DeleteLocalRef(jni, map);
}

void properties_find(JNIEnv *jni)
{
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
	if (properties.known)
		find_map(jni);
}

static jobject object_of_now(JNIEnv *jni)
{
	return (*jni)->GetStaticObjectField(jni, properties.system, properties.in_system);
}

static bool is_of_its_class(JNIEnv *jni, jobject object)
{
	jclass type = (*jni)->GetObjectClass(jni, object);
	bool same = (*jni)->IsSameObject(jni, type, properties.type);

	(*jni)->DeleteLocalRef(jni, type);
	return same;
}

/* Whether a platform thread owns its monitor. Of a virtual one the JVM says nothing from JDK 23 on;
 * but only what is in the middle of a change is in the way of the map. */
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

	if (!object)
		return;
	properties.object = (*jni)->NewGlobalRef(jni, object);
	properties.free = is_of_its_class(jni, object) && !is_owned(agent->jvmti, object);
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

/* A local reference, or NULL: they are of a class of the program's, which may do more. */
static jobject map_of(JNIEnv *jni, jobject all)
{
	return properties.map && is_of_its_class(jni, all)
		       ? (*jni)->GetObjectField(jni, all, properties.map)
		       : NULL;
}

void properties_remove(JNIEnv *jni, const char *name)
{
	jobject all = object(jni), map = all ? map_of(jni, all) : NULL;
	jstring key = all ? (*jni)->NewStringUTF(jni, name) : NULL;

	if (key && map)
		(*jni)->CallObjectMethod(jni, map, properties.map_remove, key);
	else if (key)
		(*jni)->CallObjectMethod(jni, all, properties.remove, key);
	agent_exception(jni);
	(*jni)->DeleteLocalRef(jni, map);
	(*jni)->DeleteLocalRef(jni, key);
	(*jni)->DeleteLocalRef(jni, all);
}

static bool set(JNIEnv *jni, jobject all, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	jstring name = NULL, value = NULL;
	jobject map = map_of(jni, all);

	if (!equals || equals == assignment)
		return false;
	name = agent_string(jni, assignment, (size_t)(equals - assignment));
	if (name)
		value = agent_string(jni, equals + 1, strlen(equals + 1));
	if (value && map)
		(*jni)->CallObjectMethod(jni, map, properties.map_put, name, value);
	else if (value)
		(*jni)->CallObjectMethod(jni, all, properties.set, name, value);
	return !agent_exception(jni) && value;
}

bool properties_assign(JNIEnv *jni, const char *assignment)
{
	jobject all;
	bool done;

	if ((*jni)->PushLocalFrame(jni, 16) < 0)
		return false;
	all = object(jni);
	done = all && set(jni, all, assignment);
	agent_exception(jni);
	(*jni)->PopLocalFrame(jni, NULL);
	return done;
}

unsigned int properties_set(JNIEnv *jni, const struct agent_payload *fields)
{
	struct agent_field field;
	unsigned int count = 0;
	size_t pos = 0;

	while (agent_payload_next(fields, &pos, &field))
		count += agent_field_is(&field, "prop") && properties_assign(jni, field.value);
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
