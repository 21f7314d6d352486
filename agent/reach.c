/* See reach.h. */
#include "agent/reach.h"

#include "base/cleanup.h"

#include <string.h>

#define STATIC 0x0008 /* JVMS, table 4.5-A */
#define TAG    0x6a736e6172

static const jvmtiCapabilities capabilities = {.can_tag_objects = 1};

static const char *const barriers[] = {"java/lang/Class", "java/lang/ClassLoader",
				       "java/lang/Thread", "java/lang/ThreadGroup"};

struct walk {
	struct agent *agent;
	JNIEnv *jni;
	const jclass *types;
	size_t n_types;
	jclass barriers[ARRAY_SIZE(barriers)];
	jobject objects[REACH_OBJECTS]; /* local references, in the order in which they were met */
	size_t met;
	bool found;
};

static bool is_one_of(JNIEnv *jni, jobject object, const jclass *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((*jni)->IsInstanceOf(jni, object, types[i]))
			return true;
	return false;
}

/* Takes over the reference. */
static void meet(struct walk *w, jobject object)
{
	jvmtiEnv *jvmti = w->agent->jvmti;
	jlong tag = TAG;

	if (!object)
		return;
	w->found |= is_one_of(w->jni, object, w->types, w->n_types);
	if (!w->found && w->met < REACH_OBJECTS &&
	    (*jvmti)->GetTag(jvmti, object, &tag) == JVMTI_ERROR_NONE && tag != TAG &&
	    !is_one_of(w->jni, object, w->barriers, ARRAY_SIZE(barriers)) &&
	    (*jvmti)->SetTag(jvmti, object, TAG) == JVMTI_ERROR_NONE)
		w->objects[w->met++] = object;
	else
		(*w->jni)->DeleteLocalRef(w->jni, object);
}

static void look_into_field(struct walk *w, jobject object, jclass type, jfieldID field)
{
	jvmtiEnv *jvmti = w->agent->jvmti;
	jint modifiers = STATIC;
	char *signature;

	(*jvmti)->GetFieldModifiers(jvmti, type, field, &modifiers);
	if ((modifiers & STATIC) ||
	    (*jvmti)->GetFieldName(jvmti, type, field, NULL, &signature, NULL) != JVMTI_ERROR_NONE)
		return;
	if (signature[0] == 'L' || signature[0] == '[')
		meet(w, (*w->jni)->GetObjectField(w->jni, object, field));
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
}

static void look_into_fields(struct walk *w, jobject object, jclass type)
{
	jvmtiEnv *jvmti = w->agent->jvmti;
	jfieldID *fields;
	jint n;

	if ((*jvmti)->GetClassFields(jvmti, type, &n, &fields) != JVMTI_ERROR_NONE)
		return;
	for (jint i = 0; i < n && !w->found; i++)
		look_into_field(w, object, type, fields[i]);
	(*jvmti)->Deallocate(jvmti, (unsigned char *)fields);
}

static void look_into_array(struct walk *w, jobjectArray array)
{
	jsize n = (*w->jni)->GetArrayLength(w->jni, array);

	for (jsize i = 0; i < n && i < REACH_OBJECTS && !w->found; i++)
		meet(w, (*w->jni)->GetObjectArrayElement(w->jni, array, i));
}

static void look_into(struct walk *w, jobject object)
{
	jclass type = (*w->jni)->GetObjectClass(w->jni, object);
	jvmtiEnv *jvmti = w->agent->jvmti;
	char *signature;

	if ((*jvmti)->GetClassSignature(jvmti, type, &signature, NULL) != JVMTI_ERROR_NONE)
		return;
	if (!strncmp(signature, "[L", 2) || !strncmp(signature, "[[", 2))
		look_into_array(w, object);
	for (jclass super; type && signature[0] == 'L' && !w->found; type = super) {
		look_into_fields(w, object, type);
		super = (*w->jni)->GetSuperclass(w->jni, type);
		(*w->jni)->DeleteLocalRef(w->jni, type);
	}
	(*jvmti)->Deallocate(jvmti, (unsigned char *)signature);
}

/* Step by step: all that is as near before anything that is further. */
static void walk_from(struct walk *w, jobject from)
{
	size_t next = 0;

	meet(w, (*w->jni)->NewLocalRef(w->jni, from));
	for (int step = 0; step < REACH_STEPS && next < w->met && !w->found; step++)
		for (size_t end = w->met; next < end && !w->found; next++)
			look_into(w, w->objects[next]);
	for (size_t i = 0; i < w->met; i++)
		(*w->agent->jvmti)->SetTag(w->agent->jvmti, w->objects[i], 0);
}

bool reach_any(struct agent *agent, JNIEnv *jni, jobject from, const jclass *types, size_t n)
{
	jvmtiEnv *jvmti = agent->jvmti;
	CLEANUP_FREE struct walk *w = calloc(1, sizeof(*w));
	bool known = true;

	if (!w || (*jni)->PushLocalFrame(jni, REACH_OBJECTS + 64) < 0) {
		agent_exception(jni);
		return false;
	}
	*w = (struct walk){.agent = agent, .jni = jni, .types = types, .n_types = n};
	for (size_t i = 0; i < ARRAY_SIZE(barriers); i++)
		known &= (w->barriers[i] = (*jni)->FindClass(jni, barriers[i])) != NULL;
	if (known && (*jvmti)->AddCapabilities(jvmti, &capabilities) == JVMTI_ERROR_NONE) {
		walk_from(w, from);
		(*jvmti)->RelinquishCapabilities(jvmti, &capabilities);
	}
	agent_exception(jni);
	(*jni)->PopLocalFrame(jni, NULL);
	return w->found;
}
