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

static void say_cut(struct agent *agent, jclass type)
{
	CLEANUP_PAYLOAD struct agent_payload note = {0};
	char *signature;

	if ((*agent->jvmti)->GetClassSignature(agent->jvmti, type, &signature, NULL) !=
	    JVMTI_ERROR_NONE)
		return;
	agent_payload_addf(&note, "message",
			   "the program has more than %d objects of %s: in a restored one those "
			   "beyond are as they were at the snapshot",
			   INSTANCES_MAX, signature);
	(*agent->jvmti)->Deallocate(agent->jvmti, (unsigned char *)signature);
	agent_say(agent, AGENT_NOTE, 0, &note);
}

void instances_find(struct agent *agent, JNIEnv *jni, jclass type, struct instances *ret_instances)
{
	jvmtiEnv *jvmti = agent->jvmti;
	const jlong wanted = TAG;
	jobject *found;
	jint seen = 0, count = 0;

	memset(ret_instances, 0, sizeof(*ret_instances));
	if (!type || (*jvmti)->AddCapabilities(jvmti, &capabilities) != JVMTI_ERROR_NONE)
		return;
	if ((*jvmti)->IterateOverInstancesOfClass(jvmti, type, JVMTI_HEAP_OBJECT_EITHER, tag,
						  &seen) == JVMTI_ERROR_NONE &&
	    seen && !(*jni)->EnsureLocalCapacity(jni, seen < 65000 ? seen + 16 : 65000) &&
	    (*jvmti)->GetObjectsWithTags(jvmti, 1, &wanted, &count, &found, NULL) ==
		    JVMTI_ERROR_NONE) {
		if (seen > INSTANCES_MAX)
			say_cut(agent, type);
		for (jint i = 0; i < count; i++)
			(*jvmti)->SetTag(jvmti, found[i], 0);
		keep(jni, found, count, ret_instances);
		(*jvmti)->Deallocate(jvmti, (unsigned char *)found);
	}
	agent_exception(jni);
	(*jvmti)->RelinquishCapabilities(jvmti, &capabilities);
}

void instances_add(JNIEnv *jni, struct instances *instances, jobject object)
{
	size_t count = (size_t)instances->count;
	jobject *grown =
		object ? reallocarray(instances->objects, count + 1, sizeof(*grown)) : NULL;

	if (!grown)
		return;
	instances->objects = grown;
	grown[count] = (*jni)->NewGlobalRef(jni, object);
	instances->count += grown[count] != NULL;
}

void instances_free(JNIEnv *jni, struct instances *instances)
{
	for (jint i = 0; i < instances->count; i++)
		(*jni)->DeleteGlobalRef(jni, instances->objects[i]);
	free(instances->objects);
	memset(instances, 0, sizeof(*instances));
}
