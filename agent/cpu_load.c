/* See cpu_load.h. */
#include "agent/cpu_load.h"

#include <string.h>

static struct {
	jobject bean; /* global reference */
	jmethodID process, system;
} load;

static void find_methods(JNIEnv *jni, jobject bean)
{
	jclass type = (*jni)->GetObjectClass(jni, bean);

	load.process = (*jni)->GetMethodID(jni, type, "getProcessCpuLoad0", "()D");
	if (load.process)
		load.system = (*jni)->GetMethodID(jni, type, "getCpuLoad0", "()D");
	if (!agent_exception(jni) && load.system)
		load.bean = (*jni)->NewGlobalRef(jni, bean);
	(*jni)->DeleteLocalRef(jni, type);
}

void cpu_load_find(JNIEnv *jni, jclass provider)
{
	jfieldID field = NULL;
	jobject bean = NULL;

	cpu_load_forget(jni);
	if (provider)
		field = (*jni)->GetStaticFieldID(jni, provider, "osMBean",
						 "Ljava/lang/management/OperatingSystemMXBean;");
	if (!agent_exception(jni) && field)
		bean = (*jni)->GetStaticObjectField(jni, provider, field);
	if (bean)
		find_methods(jni, bean);
	(*jni)->DeleteLocalRef(jni, bean);
}

void cpu_load_refresh(JNIEnv *jni)
{
	if (!load.bean)
		return;
	(*jni)->CallDoubleMethod(jni, load.bean, load.process);
	if (!agent_exception(jni))
		(*jni)->CallDoubleMethod(jni, load.bean, load.system);
	agent_exception(jni);
}

void cpu_load_forget(JNIEnv *jni)
{
	(*jni)->DeleteGlobalRef(jni, load.bean);
	memset(&load, 0, sizeof(load));
}
