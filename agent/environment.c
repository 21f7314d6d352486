/* See environment.h. */
#include "agent/environment.h"

#include "agent/agent.h"
#include "agent/loaded.h"
#include "base/cleanup.h"

#include <string.h>
#include <unistd.h>

static bool is_variable(const struct agent_field *field)
{
	const char *equals = strchr(field->value, '=');

	return agent_field_is(field, "env") && equals && equals != field->value;
}

bool environment_is(const struct agent_payload *fields)
{
	struct agent_field field;
	char **variable = environ;
	size_t pos = 0;

	while (variable && agent_payload_next(fields, &pos, &field))
		if (is_variable(&field) && (!*variable || strcmp(*variable++, field.value) != 0))
			return false;
	return variable && !*variable;
}

int environment_replace(const struct agent_payload *fields, size_t *ret_count,
			struct jsnap_error *err)
{
	size_t count = 0, bytes = 0, pos = 0;
	struct agent_field field;
	char **table, *text;

	while (agent_payload_next(fields, &pos, &field))
		if (is_variable(&field)) {
			count++;
			bytes += strlen(field.value) + 1;
		}
	table = malloc((count + 1) * sizeof(*table) + bytes);
	if (!table)
		return error_set(err, ENOMEM, "no memory for an environment of %zu variables",
				 count);
	text = (char *)(table + count + 1);
	count = 0;
	for (pos = 0; agent_payload_next(fields, &pos, &field);)
		if (is_variable(&field)) {
			table[count++] = text;
			text = stpcpy(text, field.value) + 1;
		}
	table[count] = NULL;
	__atomic_store_n(&environ, table, __ATOMIC_RELEASE);
	*ret_count = count;
	return 0;
}

/* All that is needed of the JDK, looked up before anything is changed. */
struct java_environment {
	jclass process, variable, value, map;
	jmethodID environ_bytes, variable_of, value_of, map_new, map_put;
	jfieldID environment, table, size, threshold;
};

static struct java_environment found; /* global references */
static bool unread;		      /* at the snapshot, by Java */

static bool java_classes(JNIEnv *jni, struct java_environment *j)
{
	j->process = (*jni)->FindClass(jni, "java/lang/ProcessEnvironment");
	if (!j->process)
		return false;
	j->variable = (*jni)->FindClass(jni, "java/lang/ProcessEnvironment$Variable");
	if (!j->variable)
		return false;
	j->value = (*jni)->FindClass(jni, "java/lang/ProcessEnvironment$Value");
	if (!j->value)
		return false;
	j->map = (*jni)->FindClass(jni, "java/util/HashMap");
	return j->map;
}

static bool java_methods(JNIEnv *jni, struct java_environment *j)
{
	j->environ_bytes = (*jni)->GetStaticMethodID(jni, j->process, "environ", "()[[B");
	if (!j->environ_bytes)
		return false;
	j->variable_of = (*jni)->GetStaticMethodID(jni, j->variable, "valueOf",
						   "([B)Ljava/lang/ProcessEnvironment$Variable;");
	if (!j->variable_of)
		return false;
	j->value_of = (*jni)->GetStaticMethodID(jni, j->value, "valueOf",
						"([B)Ljava/lang/ProcessEnvironment$Value;");
	if (!j->value_of)
		return false;
	j->map_new = (*jni)->GetMethodID(jni, j->map, "<init>", "()V");
	if (!j->map_new)
		return false;
	j->map_put = (*jni)->GetMethodID(
		jni, j->map, "put", "(Ljava/lang/Object;Ljava/lang/Object;)Ljava/lang/Object;");
	return j->map_put;
}

static bool java_fields(JNIEnv *jni, struct java_environment *j)
{
	j->environment =
		(*jni)->GetStaticFieldID(jni, j->process, "theEnvironment", "Ljava/util/HashMap;");
	if (!j->environment)
		return false;
	j->table = (*jni)->GetFieldID(jni, j->map, "table", "[Ljava/util/HashMap$Node;");
	if (!j->table)
		return false;
	j->size = (*jni)->GetFieldID(jni, j->map, "size", "I");
	if (!j->size)
		return false;
	j->threshold = (*jni)->GetFieldID(jni, j->map, "threshold", "I");
	return j->threshold;
}

/* A new HashMap<Variable, Value> of the C library's environment, or NULL with an exception. */
static jobject java_new_map(JNIEnv *jni, const struct java_environment *j)
{
	jobjectArray bytes = (*jni)->CallStaticObjectMethod(jni, j->process, j->environ_bytes);
	jobject map;

	if ((*jni)->ExceptionCheck(jni) || !bytes)
		return NULL;
	map = (*jni)->NewObject(jni, j->map, j->map_new);
	/* Names and values alternate. Back to front, as the class itself does: the first of equal
	 * names prevails. */
	for (jsize i = (*jni)->GetArrayLength(jni, bytes) - 1; map && i > 0; i -= 2) {
		jobject name_bytes, value_bytes, name = NULL, value = NULL;

		if ((*jni)->PushLocalFrame(jni, 8) < 0)
			return NULL;
		name_bytes = (*jni)->GetObjectArrayElement(jni, bytes, i - 1);
		value_bytes = (*jni)->GetObjectArrayElement(jni, bytes, i);
		name = (*jni)->CallStaticObjectMethod(jni, j->variable, j->variable_of, name_bytes);
		if (!(*jni)->ExceptionCheck(jni))
			value = (*jni)->CallStaticObjectMethod(jni, j->value, j->value_of,
							       value_bytes);
		if (!(*jni)->ExceptionCheck(jni))
			(*jni)->CallObjectMethod(jni, map, j->map_put, name, value);
		(*jni)->PopLocalFrame(jni, NULL);
		if ((*jni)->ExceptionCheck(jni))
			return NULL;
	}
	return map;
}

static void keep_classes(JNIEnv *jni, struct java_environment *j)
{
	jclass *const classes[] = {&j->process, &j->variable, &j->value, &j->map};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		*classes[i] = (*jni)->NewGlobalRef(jni, *classes[i]);
}

/* Nothing of it changes any more once it was found. */
void environment_find(struct agent *agent, JNIEnv *jni)
{
	static const char *const name = "java/lang/ProcessEnvironment";
	struct java_environment j;
	jclass process;

	if (found.process)
		return;
	unread = loaded_find(agent, jni, &name, 1, &process) && !process;
	if (unread)
		return;
	if (java_classes(jni, &j) && java_methods(jni, &j) && java_fields(jni, &j)) {
		keep_classes(jni, &j);
		found = j;
	}
	agent_exception(jni);
	if (process)
		(*jni)->DeleteGlobalRef(jni, process);
}

int environment_refresh_java(struct agent *agent, JNIEnv *jni, struct jsnap_error *err)
{
	struct java_environment j;
	jobject map, old, table;

	if (!unread)
		environment_find(agent, jni);
	if (unread)
		return 0;
	j = found;
	if (!j.process)
		return error_set(err, ENOTSUP,
				 "java.lang.ProcessEnvironment of this JDK is not as expected");
	map = java_new_map(jni, &j);
	old = (*jni)->GetStaticObjectField(jni, j.process, j.environment);
	if (agent_exception(jni) || !map || !old)
		return error_set(err, ENOTSUP,
				 "java.lang.ProcessEnvironment did not take the new variables");
	table = (*jni)->GetObjectField(jni, map, j.table);
	/* An empty HashMap may have no table; readers then see an empty map, too. */
	(*jni)->SetObjectField(jni, old, j.table, table);
	(*jni)->SetIntField(jni, old, j.size, (*jni)->GetIntField(jni, map, j.size));
	(*jni)->SetIntField(jni, old, j.threshold, (*jni)->GetIntField(jni, map, j.threshold));
	return 0;
}
