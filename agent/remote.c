/* See remote.h. */
#include "agent/remote.h"

#include "agent/loaded.h"
#include "agent/reach.h"
#include "base/cleanup.h"

static const char *const names[] = {"java/net/Socket", "java/nio/channels/SocketChannel"};

_Static_assert(ARRAY_SIZE(names) == REMOTE_TYPES, "remote.h");

void remote_begin(struct agent *agent, JNIEnv *jni, struct remote *ret_remote)
{
	jclass found[REMOTE_TYPES];

	*ret_remote = (struct remote){.agent = agent};
	if (!loaded_find(agent, jni, names, REMOTE_TYPES, found))
		return;
	for (size_t i = 0; i < REMOTE_TYPES; i++)
		if (found[i])
			ret_remote->types[ret_remote->count++] = found[i];
}

void remote_end(JNIEnv *jni, struct remote *remote)
{
	while (remote->count)
		(*jni)->DeleteGlobalRef(jni, remote->types[--remote->count]);
}

void remote_keep(const struct remote *remote, JNIEnv *jni, struct instances *entries, jfieldID held)
{
	jint kept = 0;

	for (jint i = 0; i < entries->count; i++) {
		jobject object = (*jni)->GetObjectField(jni, entries->objects[i], held);

		if (object && reach_any(remote->agent, jni, object, remote->types, remote->count))
			entries->objects[kept++] = entries->objects[i];
		else
			(*jni)->DeleteGlobalRef(jni, entries->objects[i]);
		(*jni)->DeleteLocalRef(jni, object);
	}
	entries->count = kept;
}
