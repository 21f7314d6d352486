/* See lenders.h. */
#include "agent/lenders.h"

#include "agent/loaded.h"
#include "base/cleanup.h"

struct field {
	const char *name, *type;
};

/* A row: the class of a pool's entries, the field that leads to the connection, the one that leads
 * to the pool, the pool's field that makes it look; an entry's state, and what it is when the entry
 * is gone: true, or that constant of an enum. */
static const struct kind {
	const char *type;
	struct field held, pool;
	const char *looks;
	struct field state;
	const char *gone;
} kinds[] = {
	{"io/agroal/pool/ConnectionHandler",
	 {"connection", "Ljava/sql/Connection;"},
	 {"connectionPool", "Lio/agroal/pool/Pool;"},
	 "borrowValidationEnabled",
	 {"state", "Lio/agroal/pool/ConnectionHandler$State;"},
	 "DESTROYED"},
	{"com/alibaba/druid/pool/DruidConnectionHolder",
	 {"conn", "Ljava/sql/Connection;"},
	 {"dataSource", "Lcom/alibaba/druid/pool/DruidAbstractDataSource;"},
	 "testOnBorrow",
	 {"discard", "Z"},
	 NULL},
};

struct entry {
	jobject entry, pool, gone; /* global references; `gone` is NULL for a state that is true */
	jfieldID state, looks;
};

struct entries { /* all zeros: none */
	struct entry *first;
	size_t count;
};

/* Of the snapshot; those of before, whose pools look. */
static struct entries found, told;

static void free_entry(JNIEnv *jni, struct entry *entry)
{
	(*jni)->DeleteGlobalRef(jni, entry->entry);
	(*jni)->DeleteGlobalRef(jni, entry->pool);
	(*jni)->DeleteGlobalRef(jni, entry->gone);
}

/* Takes what is in `entry` in any case. */
static void add(JNIEnv *jni, struct entries *entries, struct entry entry)
{
	struct entry *grown = NULL;

	if (entry.entry && entry.pool)
		grown = realloc(entries->first, (entries->count + 1) * sizeof(*grown));
	if (!grown) {
		free_entry(jni, &entry);
		return;
	}
	entries->first = grown;
	grown[entries->count++] = entry;
}

static void clear(JNIEnv *jni, struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free_entry(jni, &entries->first[i]);
	free(entries->first);
	*entries = (struct entries){0};
}

static bool is_told(JNIEnv *jni, jobject pool)
{
	for (size_t i = 0; i < told.count; i++)
		if ((*jni)->IsSameObject(jni, told.first[i].pool, pool))
			return true;
	return false;
}

struct fields {
	jfieldID held, pool, state;
};

static bool is_gone(JNIEnv *jni, const struct entry *entry)
{
	jobject state;
	bool gone;

	if (!entry->gone)
		return (*jni)->GetBooleanField(jni, entry->entry, entry->state);
	state = (*jni)->GetObjectField(jni, entry->entry, entry->state);
	gone = (*jni)->IsSameObject(jni, state, entry->gone);
	(*jni)->DeleteLocalRef(jni, state);
	return gone;
}

/* The constant of that name of the enum that the entry's state is, or NULL. */
static jobject constant_of(JNIEnv *jni, const struct kind *kind, jobject handler, jfieldID field)
{
	jobject state = (*jni)->GetObjectField(jni, handler, field);
	jclass type = state ? (*jni)->GetObjectClass(jni, state) : NULL;
	jfieldID constant =
		type ? (*jni)->GetStaticFieldID(jni, type, kind->gone, kind->state.type) : NULL;

	return constant ? (*jni)->GetStaticObjectField(jni, type, constant) : NULL;
}

/* Where the pool is one that can be told, and does not look by itself. */
static void find_entry(JNIEnv *jni, const struct kind *kind, const struct fields *fields,
		       jobject handler)
{
	jobject pool = (*jni)->GetObjectField(jni, handler, fields->pool);
	struct entry entry = {.state = fields->state};
	jobject gone = NULL;

	if (!pool)
		return;
	entry.looks = (*jni)->GetFieldID(jni, (*jni)->GetObjectClass(jni, pool), kind->looks, "Z");
	if (agent_exception(jni))
		return;
	if (kind->gone)
		gone = constant_of(jni, kind, handler, fields->state);
	if (agent_exception(jni) || (kind->gone && !gone) ||
	    ((*jni)->GetBooleanField(jni, pool, entry.looks) && !is_told(jni, pool)))
		return;
	entry.entry = (*jni)->NewGlobalRef(jni, handler);
	entry.pool = (*jni)->NewGlobalRef(jni, pool);
	entry.gone = gone ? (*jni)->NewGlobalRef(jni, gone) : NULL;
	add(jni, &found, entry);
}

static bool find_fields(JNIEnv *jni, jclass type, const struct kind *kind,
			struct fields *ret_fields)
{
	ret_fields->held = (*jni)->GetFieldID(jni, type, kind->held.name, kind->held.type);
	if (ret_fields->held)
		ret_fields->pool = (*jni)->GetFieldID(jni, type, kind->pool.name, kind->pool.type);
	if (ret_fields->held && ret_fields->pool)
		ret_fields->state =
			(*jni)->GetFieldID(jni, type, kind->state.name, kind->state.type);
	return !agent_exception(jni);
}

static void find_entries(void *ctx, JNIEnv *jni, size_t kind, jclass type)
{
	const struct remote *remote = ctx;
	struct instances entries = {0};
	struct fields fields = {0};

	if (!find_fields(jni, type, &kinds[kind], &fields))
		return;
	instances_find(remote->agent, jni, type, &entries);
	remote_keep(remote, jni, &entries, fields.held);
	for (jint i = 0; i < entries.count && (*jni)->PushLocalFrame(jni, 16) == 0; i++) {
		find_entry(jni, &kinds[kind], &fields, entries.objects[i]);
		(*jni)->PopLocalFrame(jni, NULL);
	}
	agent_exception(jni);
	instances_free(jni, &entries);
}

void lenders_find(const struct remote *remote, JNIEnv *jni)
{
	const char *names[ARRAY_SIZE(kinds)];

	clear(jni, &found);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		names[i] = kinds[i].type;
	if (remote->count)
		loaded_each(remote->agent, jni, names, ARRAY_SIZE(names), find_entries,
			    (void *)remote);
}

unsigned int lenders_refresh(JNIEnv *jni)
{
	const unsigned int n = (unsigned int)found.count;

	for (size_t i = 0; i < found.count; i++) {
		(*jni)->SetBooleanField(jni, found.first[i].pool, found.first[i].looks, JNI_TRUE);
		add(jni, &told, found.first[i]);
	}
	found.count = 0;
	return n;
}

void lenders_forget(JNIEnv *jni)
{
	clear(jni, &found);
}

bool lenders_look(JNIEnv *jni)
{
	for (size_t i = 0; i < told.count;) {
		struct entry entry = told.first[i];

		if (!is_gone(jni, &entry)) {
			i++;
			continue;
		}
		told.first[i] = told.first[--told.count];
		if (!is_told(jni, entry.pool))
			(*jni)->SetBooleanField(jni, entry.pool, entry.looks, JNI_FALSE);
		free_entry(jni, &entry);
	}
	return told.count > 0;
}
