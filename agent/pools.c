/* See pools.h. */
#include "agent/pools.h"

#include "agent/instances.h"
#include "agent/loaded.h"
#include "base/cleanup.h"

#include <string.h>

#define CLASSES_MAX 32 /* of one name, each application in a server may have its own */

#define MARKS_MAX 2

struct field {
	const char *name, *type;
};

/* A row: the class of a pool's entries, the field that leads to the connection, and those by which
 * the pool takes an entry for one to be dropped, both when it lends it and when it gets it back.
 * What is written there goes by the type: true, the time 0, or the MIN_VALUE of an object's class.
 */
static const struct kind {
	const char *type;
	struct field held;
	struct field marks[MARKS_MAX];
} kinds[] = {
	{"com/zaxxer/hikari/pool/PoolEntry",
	 {"connection", "Ljava/sql/Connection;"},
	 {{"evict", "Z"}}},
	{"org/apache/tomcat/jdbc/pool/PooledConnection",
	 {"connection", "Ljava/sql/Connection;"},
	 {{"discarded", "Z"}}},
	{"org/apache/hc/core5/pool/PoolEntry",
	 {"connRef", "Ljava/util/concurrent/atomic/AtomicReference;"},
	 {{"expiryDeadline", "Lorg/apache/hc/core5/util/Deadline;"},
	  {"validityDeadline", "Lorg/apache/hc/core5/util/Deadline;"}}},
	{"org/apache/http/pool/PoolEntry",
	 {"conn", "Ljava/lang/Object;"},
	 {{"expiry", "J"}, {"validityDeadline", "J"}}},
};

static struct part {
	const struct kind *kind;
	jfieldID marks[MARKS_MAX];
	jobject least[MARKS_MAX]; /* for marks that are objects: global references */
	struct instances entries;
} parts[CLASSES_MAX];
static size_t n_parts;

static bool is_object(const struct field *mark)
{
	return mark->type[0] == 'L';
}

/* The MIN_VALUE of the class of what the field holds now. */
static jobject least_of(JNIEnv *jni, jobject entry, jfieldID field, const char *type)
{
	jobject now = (*jni)->GetObjectField(jni, entry, field), least = NULL;
	jclass its = now ? (*jni)->GetObjectClass(jni, now) : NULL;
	jfieldID constant = its ? (*jni)->GetStaticFieldID(jni, its, "MIN_VALUE", type) : NULL;

	if (constant)
		least = (*jni)->GetStaticObjectField(jni, its, constant);
	return least ? (*jni)->NewGlobalRef(jni, least) : NULL;
}

static bool find_marks(JNIEnv *jni, jclass type, struct part *part)
{
	const struct field *mark = part->kind->marks;

	for (size_t i = 0; i < MARKS_MAX && mark[i].name; i++) {
		part->marks[i] = (*jni)->GetFieldID(jni, type, mark[i].name, mark[i].type);
		if (!part->marks[i])
			return false;
	}
	return true;
}

static bool find_least(JNIEnv *jni, struct part *part)
{
	const struct field *mark = part->kind->marks;

	for (size_t i = 0; i < MARKS_MAX && mark[i].name; i++) {
		if (!is_object(&mark[i]))
			continue;
		part->least[i] =
			least_of(jni, part->entries.objects[0], part->marks[i], mark[i].type);
		if (!part->least[i])
			return false;
	}
	return true;
}

static void forget(JNIEnv *jni, struct part *part)
{
	instances_free(jni, &part->entries);
	for (size_t i = 0; i < MARKS_MAX; i++)
		(*jni)->DeleteGlobalRef(jni, part->least[i]);
}

static void find_entries(void *ctx, JNIEnv *jni, size_t kind, jclass type)
{
	const struct remote *remote = ctx;
	struct part part = {.kind = &kinds[kind]};
	jfieldID held;

	if (n_parts == CLASSES_MAX)
		return;
	held = (*jni)->GetFieldID(jni, type, part.kind->held.name, part.kind->held.type);
	if (held && find_marks(jni, type, &part)) {
		instances_find(remote->agent, jni, type, &part.entries);
		remote_keep(remote, jni, &part.entries, held);
	}
	if (part.entries.count && find_least(jni, &part))
		parts[n_parts++] = part;
	else
		forget(jni, &part);
	agent_exception(jni);
}

void pools_find(const struct remote *remote, JNIEnv *jni)
{
	const char *names[ARRAY_SIZE(kinds)];

	pools_forget(jni);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		names[i] = kinds[i].type;
	if (remote->count)
		loaded_each(remote->agent, jni, names, ARRAY_SIZE(names), find_entries,
			    (void *)remote);
}

static void set(JNIEnv *jni, jobject entry, const struct field *mark, jfieldID field, jobject least)
{
	if (is_object(mark))
		(*jni)->SetObjectField(jni, entry, field, least);
	else if (mark->type[0] == 'J')
		(*jni)->SetLongField(jni, entry, field, 0);
	else
		(*jni)->SetBooleanField(jni, entry, field, JNI_TRUE);
}

unsigned int pools_refresh(JNIEnv *jni)
{
	unsigned int n = 0;

	for (const struct part *part = parts; part < parts + n_parts; part++)
		for (jint k = 0; k < part->entries.count; k++, n++)
			for (size_t i = 0; i < MARKS_MAX && part->kind->marks[i].name; i++)
				set(jni, part->entries.objects[k], &part->kind->marks[i],
				    part->marks[i], part->least[i]);
	return n;
}

void pools_forget(JNIEnv *jni)
{
	for (size_t i = 0; i < n_parts; i++)
		forget(jni, &parts[i]);
	n_parts = 0;
}
