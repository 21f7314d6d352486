/*
 * What a restored JVM must learn before its application sees the world again: the environment and
 * the system properties of this start.
 */
#include "agent/agent.h"

#include "agent/environment.h"
#include "base/cleanup.h"

#include <string.h>

/* JNI's own string constructor wants modified UTF-8; what comes here can be any bytes. */
static jstring string_of_bytes(JNIEnv *jni, const char *bytes, size_t size)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/String");
	jbyteArray array = (*jni)->NewByteArray(jni, (jsize)size);
	jstring charset = (*jni)->NewStringUTF(jni, "UTF-8");
	jmethodID constructor;

	if (!type || !array || !charset)
		return NULL;
	constructor = (*jni)->GetMethodID(jni, type, "<init>", "([BLjava/lang/String;)V");
	if (!constructor)
		return NULL;
	(*jni)->SetByteArrayRegion(jni, array, 0, (jsize)size, (const jbyte *)bytes);
	return (*jni)->NewObject(jni, type, constructor, array, charset);
}

/* "NAME=VALUE"; false when it is not that or Java refuses it. */
static bool set_property(JNIEnv *jni, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	jclass type = (*jni)->FindClass(jni, "java/lang/System");
	jstring name = NULL, value = NULL;
	jmethodID set;

	if (!type || !equals || equals == assignment)
		return false;
	set = (*jni)->GetStaticMethodID(jni, type, "setProperty",
					"(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;");
	if (set)
		name = string_of_bytes(jni, assignment, (size_t)(equals - assignment));
	if (name)
		value = string_of_bytes(jni, equals + 1, strlen(equals + 1));
	if (value)
		(*jni)->CallStaticObjectMethod(jni, type, set, name, value);
	return !agent_exception(jni) && value;
}

static unsigned int set_properties(JNIEnv *jni, const struct agent_payload *question)
{
	struct agent_field field;
	unsigned int count = 0;
	size_t pos = 0;

	while (agent_payload_next(question, &pos, &field)) {
		if (!agent_field_is(&field, "prop") || (*jni)->PushLocalFrame(jni, 16) < 0)
			continue;
		count += set_property(jni, field.value);
		agent_exception(jni);
		(*jni)->PopLocalFrame(jni, NULL);
	}
	return count;
}

int agent_refresh(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
		  struct agent_payload *answer, struct jsnap_error *err)
{
	struct jsnap_error java = {0};
	size_t count;
	int r;

	(void)agent;
	if (agent_payload_u64(question, "env-refresh", 1)) {
		r = environment_replace(question, &count, err);
		if (r)
			return r;
		agent_payload_addf(answer, "env", "%zu", count);
		r = environment_refresh_java(jni, &java);
		agent_payload_add(answer, "java_env", r ? "0" : "1");
		if (r)
			agent_payload_add(answer, "java_env_reason", java.text);
	}
	agent_payload_addf(answer, "props", "%u", set_properties(jni, question));
	return 0;
}
