/* See instances.h. */
#include "agent/instances.h"

#include "base/cleanup.h"

#include <string.h>

#define TAG 0x6a736e6170 /* any number; the tags live for a moment */

static const jvmtiCapabilities capabilities = {.can_tag_objects = 1};

static jvmtiIterationControl JNICALL tag(jlong class_tag, jlong size, jlong *tag_of_object,
					 void *count)
{
	(void)class_tag;
	(void)size;
	if (++*(jint *)count > INSTANCES_MAX)
		return JVMTI_ITERATION_ABORT;
	*tag_of_object = TAG;
	return JVMTI_ITERATION_CONTINUE;
}

static void keep(JNIEnv *jni, jobject *found, jint count, struct instances *ret)
{
	ret->objects = calloc((size_t)count + 1, sizeof(*ret->objects));
	for (jint i = 0; i < count; i++) {
		jobject object = ret->objects ? (*jni)->NewGlobalRef(jni, found[i]) : NULL;

		if (object)
			ret->objects[ret->count++] = object;
		(*jni)->DeleteLocalRef(jni, found[i]);
	}
}

void instances_find(struct agent *agent, JNIEnv *jni, jclass type, struct instances *ret_instances)
{
	jvmtiEnv *jvmti = agent->jvmti;
	const jlong wanted = TAG;
	jobject *found;
	jint count = 0;

	memset(ret_instances, 0, sizeof(*ret_instances));
	if (!type || (*jvmti)->AddCapabilities(jvmti, &capabilities) != JVMTI_ERROR_NONE)
		return;
	if ((*jvmti)->IterateOverInstancesOfClass(jvmti, type, JVMTI_HEAP_OBJECT_EITHER, tag,
						  &count) == JVMTI_ERROR_NONE &&
	    count && !(*jni)->EnsureLocalCapacity(jni, count < 65000 ? count + 16 : 65000) &&
	    (*jvmti)->GetObjectsWithTags(jvmti, 1, &wanted, &count, &found, NULL) ==
		    JVMTI_ERROR_NONE) {
		for (jint i = 0; i < count; i++)
			(*jvmti)->SetTag(jvmti, found[i], 0);
		keep(jni, found, count, ret_instances);
		(*jvmti)->Deallocate(jvmti, (unsigned char *)found);
	}
	agent_exception(jni);
	(*jvmti)->RelinquishCapabilities(jvmti, &capabilities);
}

void instances_free(JNIEnv *jni, struct instances *instances)
{
	for (jint i = 0; i < instances->count; i++)
		(*jni)->DeleteGlobalRef(jni, instances->objects[i]);
	free(instances->objects);
	memset(instances, 0, sizeof(*instances));
}
