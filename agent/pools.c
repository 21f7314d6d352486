/* See pools.h. */
#include "agent/pools.h"

#include "agent/instances.h"
#include "agent/loaded.h"
#include "agent/reach.h"
#include "base/cleanup.h"

#include <string.h>

#define CLASSES_MAX 32 /* of one name, each application in a server may have its own */

static const char connection[] = "Ljava/sql/Connection;";

static const struct kind {
	const char *type, *mark; /* a boolean */
} kinds[] = {
	{"com/zaxxer/hikari/pool/PoolEntry", "evict"},
	{"org/apache/tomcat/jdbc/pool/PooledConnection", "discarded"},
};

static const char *const sockets[] = {"java/net/Socket", "java/nio/channels/SocketChannel"};

static struct part {
	jfieldID mark;
	struct instances entries;
} parts[CLASSES_MAX];
static size_t n_parts;

struct look {
	struct agent *agent;
	jclass sockets[ARRAY_SIZE(sockets)];
	size_t n_sockets; /* those that are in use */
};

/* Leaves those whose connection leads to a socket. */
static void keep_remote(const struct look *look, JNIEnv *jni, struct instances *entries,
			jfieldID field)
{
	jint kept = 0;

	for (jint i = 0; i < entries->count; i++) {
		jobject held = (*jni)->GetObjectField(jni, entries->objects[i], field);

		if (held && reach_any(look->agent, jni, held, look->sockets, look->n_sockets))
			entries->objects[kept++] = entries->objects[i];
		else
			(*jni)->DeleteGlobalRef(jni, entries->objects[i]);
		(*jni)->DeleteLocalRef(jni, held);
	}
	entries->count = kept;
}

static void find_entries(void *ctx, JNIEnv *jni, size_t kind, jclass type)
{
	const struct look *look = ctx;
	jfieldID held = NULL, mark = NULL;
	struct part *part;

	if (n_parts == CLASSES_MAX)
		return;
	held = (*jni)->GetFieldID(jni, type, "connection", connection);
	if (held)
		mark = (*jni)->GetFieldID(jni, type, kinds[kind].mark, "Z");
	if (agent_exception(jni) || !mark)
		return;
	part = &parts[n_parts++];
	part->mark = mark;
	instances_find(look->agent, jni, type, &part->entries);
	keep_remote(look, jni, &part->entries, held);
}

static void find_sockets(struct look *look, JNIEnv *jni)
{
	jclass found[ARRAY_SIZE(sockets)];

	if (!loaded_find(look->agent, jni, sockets, ARRAY_SIZE(sockets), found))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		if (found[i])
			look->sockets[look->n_sockets++] = found[i];
}

void pools_find(struct agent *agent, JNIEnv *jni)
{
	const char *names[ARRAY_SIZE(kinds)];
	struct look look = {.agent = agent};

	pools_forget(jni);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		names[i] = kinds[i].type;
	find_sockets(&look, jni);
	if (look.n_sockets)
		loaded_each(agent, jni, names, ARRAY_SIZE(names), find_entries, &look);
	for (size_t i = 0; i < look.n_sockets; i++)
		(*jni)->DeleteGlobalRef(jni, look.sockets[i]);
}

unsigned int pools_refresh(JNIEnv *jni)
{
	unsigned int n = 0;

	for (size_t i = 0; i < n_parts; i++)
		for (jint k = 0; k < parts[i].entries.count; k++, n++)
			(*jni)->SetBooleanField(jni, parts[i].entries.objects[k], parts[i].mark,
						JNI_TRUE);
	return n;
}

void pools_forget(JNIEnv *jni)
{
	for (size_t i = 0; i < n_parts; i++)
		instances_free(jni, &parts[i].entries);
	n_parts = 0;
}
