/* See zone.h. */
#include "agent/zone.h"

#include "agent/properties.h"
#include "base/cleanup.h"

#include <string.h>
#include <time.h>

#define PROPERTY "user.timezone"

static bool given; /* -Duser.timezone */

static struct {
	jclass type; /* global reference */
	jfieldID current, id;
	char *names[2]; /* the C library's, by name and as an offset; NULL where it has none */
	bool derived;
} zone;

/* What a method has returned, if it has. */
static char *utf_returned(JNIEnv *jni, jstring string)
{
	return agent_exception(jni) ? NULL : agent_utf(jni, string);
}

void zone_start(JNIEnv *jni)
{
	jobject property = properties_get(jni, PROPERTY);

	given = property && (*jni)->GetStringUTFLength(jni, property) > 0;
	(*jni)->DeleteLocalRef(jni, property);
	properties_forget(jni);
}

static bool find_fields(JNIEnv *jni, jclass type)
{
	zone.current =
		(*jni)->GetStaticFieldID(jni, type, "defaultTimeZone", "Ljava/util/TimeZone;");
	if (zone.current)
		zone.id = (*jni)->GetFieldID(jni, type, "ID", "Ljava/lang/String;");
	return !agent_exception(jni) && zone.id;
}

/* What TimeZone.setDefaultZone asks the C library. */
static void find_names(JNIEnv *jni, jclass type)
{
	jmethodID by_name = (*jni)->GetStaticMethodID(jni, type, "getSystemTimeZoneID",
						      "(Ljava/lang/String;)Ljava/lang/String;");
	jmethodID as_offset = by_name ? (*jni)->GetStaticMethodID(jni, type, "getSystemGMTOffsetID",
								  "()Ljava/lang/String;")
				      : NULL;
	jobject home = as_offset ? properties_get(jni, "java.home") : NULL;

	if (home) {
		zone.names[0] =
			utf_returned(jni, (*jni)->CallStaticObjectMethod(jni, type, by_name, home));
		zone.names[1] =
			utf_returned(jni, (*jni)->CallStaticObjectMethod(jni, type, as_offset));
	}
	agent_exception(jni);
	if (!zone.names[0])
		zone.names[0] = strdup("GMT");
}

void zone_find(JNIEnv *jni, jclass time_zone)
{
	zone_forget(jni);
	if (given || !time_zone || !find_fields(jni, time_zone))
		return;
	zone.type = (*jni)->NewGlobalRef(jni, time_zone);
	find_names(jni, zone.type); /* the program may yet ask for a default */
}

/* A zone that is known by its offset alone (TZ=JST-9) has made its ID itself. */
static bool was_derived(JNIEnv *jni, jstring id, jstring property)
{
	CLEANUP_FREE char *name = agent_utf(jni, id), *found = agent_utf(jni, property);

	if (!name || !found || strcmp(name, found) != 0)
		return false;
	if (zone.names[1] && !strcmp(name, zone.names[1]) && strcmp(name, "GMT") != 0)
		return true;
	return (*jni)->IsSameObject(jni, id, property) && zone.names[0] &&
	       !strcmp(name, zone.names[0]);
}

void zone_find_objects(JNIEnv *jni)
{
	jobject current =
		zone.type ? (*jni)->GetStaticObjectField(jni, zone.type, zone.current) : NULL;
	jobject id = current ? (*jni)->GetObjectField(jni, current, zone.id) : NULL;
	jobject property = id ? properties_get(jni, PROPERTY) : NULL;

	zone.derived = property && was_derived(jni, id, property);
	(*jni)->DeleteLocalRef(jni, property);
	(*jni)->DeleteLocalRef(jni, id);
	(*jni)->DeleteLocalRef(jni, current);
}

void zone_refresh(JNIEnv *jni)
{
	tzset();
	if (!zone.derived)
		return;
	properties_remove(jni, PROPERTY);
	(*jni)->SetStaticObjectField(jni, zone.type, zone.current, NULL);
	zone.derived = false;
}

void zone_forget(JNIEnv *jni)
{
	if (zone.type)
		(*jni)->DeleteGlobalRef(jni, zone.type);
	for (size_t i = 0; i < ARRAY_SIZE(zone.names); i++)
		free(zone.names[i]);
	memset(&zone, 0, sizeof(zone));
}
