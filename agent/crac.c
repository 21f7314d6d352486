/* See crac.h. */
#include "agent/crac.h"

#include "agent/loaded.h"
#include "base/cleanup.h"
#include "base/io.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct class_bytes {
	const jbyte *bytes;
	uint64_t size;
};

extern const struct class_bytes agent_classes[]; /* classes.S; ends with NULL */

static struct agent *agent;
static jclass announcement, program, bean; /* global references, NULL without classes */
static jmethodID tell_after;
static jfieldID announced, arguments, restored_at, restored_nanos;

/* Threads that asked for a snapshot sleep until `answers` has moved on. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	unsigned int asking; /* that have no answer yet */
	uint64_t answers;
	char *reason; /* of the last answer, or NULL */
} turn = {.lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};

static jboolean JNICALL native_connected(JNIEnv *jni, jclass type)
{
	(void)jni;
	(void)type;
	return __atomic_load_n(&agent->fd, __ATOMIC_ACQUIRE) >= 0;
}

static jboolean JNICALL native_asking(JNIEnv *jni, jclass type)
{
	bool asking;

	(void)jni;
	(void)type;
	pthread_mutex_lock(&turn.lock);
	asking = turn.asking > 0;
	pthread_mutex_unlock(&turn.lock);
	return asking;
}

static jstring JNICALL native_snapshot(JNIEnv *jni, jclass type)
{
	char reason[1024] = "";
	uint64_t seen;

	(void)type;
	pthread_mutex_lock(&turn.lock);
	seen = turn.answers;
	turn.asking++;
	if (agent_say(agent, AGENT_CHECKPOINT_REQUEST, 0, NULL) < 0) {
		snprintf(reason, sizeof(reason), "jsnap, which takes snapshots, is gone");
		turn.asking--;
	}
	while (!*reason && turn.answers == seen)
		pthread_cond_wait(&turn.answered, &turn.lock);
	if (!*reason && turn.reason)
		snprintf(reason, sizeof(reason), "%s", turn.reason);
	pthread_mutex_unlock(&turn.lock);
	return *reason ? (*jni)->NewStringUTF(jni, reason) : NULL;
}

static jlong JNICALL native_timeout(JNIEnv *jni, jclass type)
{
	(void)jni;
	(void)type;
	return (jlong)agent->hook_timeout_ms;
}

static void JNICALL native_note(JNIEnv *jni, jclass type, jstring words)
{
	CLEANUP_PAYLOAD struct agent_payload payload = {0};
	const char *text = words ? (*jni)->GetStringUTFChars(jni, words, NULL) : NULL;

	(void)type;
	if (!text)
		return;
	agent_payload_add(&payload, "message", text);
	(*jni)->ReleaseStringUTFChars(jni, words, text);
	agent_say(agent, AGENT_NOTE, 0, &payload);
}

/* JNI's structure has strings that are not const. */
#define NATIVE(name, signature, function)                                                     \
	{                                                                                     \
		(char *)(uintptr_t)(name), (char *)(uintptr_t)(signature), (void *)(function) \
	}

static const JNINativeMethod natives[] = {
	NATIVE("connected", "()Z", native_connected),
	NATIVE("asking", "()Z", native_asking),
	NATIVE("snapshot", "()Ljava/lang/String;", native_snapshot),
	NATIVE("timeout", "()J", native_timeout),
	NATIVE("note", "(Ljava/lang/String;)V", native_note),
};

static jclass global_class(JNIEnv *jni, const char *name)
{
	jclass type = (*jni)->FindClass(jni, name);

	return type ? (*jni)->NewGlobalRef(jni, type) : NULL;
}

static bool define(JNIEnv *jni)
{
	jclass type;

	for (const struct class_bytes *c = agent_classes; c->bytes; c++) {
		type = (*jni)->DefineClass(jni, NULL, NULL, c->bytes, (jsize)c->size);
		if (!type)
			return false;
		(*jni)->DeleteLocalRef(jni, type);
	}
	type = (*jni)->FindClass(jni, "jsnap/crac/Agent");
	if (!type || (*jni)->RegisterNatives(jni, type, natives, ARRAY_SIZE(natives)) < 0)
		return false;
	announcement = global_class(jni, "jsnap/crac/Announcement");
	program = global_class(jni, "jsnap/Program");
	if (announcement)
		tell_after = (*jni)->GetStaticMethodID(jni, announcement, "after", "()V");
	if (tell_after)
		announced = (*jni)->GetStaticFieldID(jni, announcement, "current",
						     "Ljsnap/crac/Announcement;");
	if (announced && program)
		arguments =
			(*jni)->GetStaticFieldID(jni, program, "arguments", "[Ljava/lang/String;");
	if (arguments)
		restored_at = (*jni)->GetStaticFieldID(jni, program, "restoredAt", "J");
	if (restored_at)
		restored_nanos = (*jni)->GetStaticFieldID(jni, program, "restoredNanos", "J");
	return restored_nanos;
}

/* Unless the user has named another implementation. JVMTI sets only properties the VM knows. */
static bool announce(JNIEnv *jni)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/System");
	jstring name = (*jni)->NewStringUTF(jni, CRAC_PROPERTY);
	jstring value = (*jni)->NewStringUTF(jni, CRAC_PACKAGE);
	jmethodID get, set;
	jstring given;

	if (!type || !name || !value)
		return false;
	get = (*jni)->GetStaticMethodID(jni, type, "getProperty",
					"(Ljava/lang/String;)Ljava/lang/String;");
	set = (*jni)->GetStaticMethodID(jni, type, "setProperty",
					"(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;");
	if (!get || !set)
		return false;
	given = (*jni)->CallStaticObjectMethod(jni, type, get, name);
	if ((*jni)->ExceptionCheck(jni) || given)
		return given;
	(*jni)->CallStaticObjectMethod(jni, type, set, name, value);
	return !(*jni)->ExceptionCheck(jni);
}

bool crac_define(struct agent *owner, JNIEnv *jni)
{
	agent = owner;
	if (define(jni) && announce(jni))
		return true;
	agent_exception(jni);
	announcement = program = NULL;
	return false;
}

/* A report's first line is the reason; all of it goes to the log. */
static int refuse(JNIEnv *jni, jstring report, struct jsnap_error *err)
{
	const char *text = (*jni)->GetStringUTFChars(jni, report, NULL);

	if (!text)
		return error_set(err, ECANCELED, "resources of the application refuse");
	error_set(err, ECANCELED, "the application's resources refuse: %.*s",
		  (int)strcspn(text, "\n"), text);
	if (text[strcspn(text, "\n")])
		native_note(jni, NULL, report);
	(*jni)->ReleaseStringUTFChars(jni, report, text);
	return -ECANCELED;
}

int crac_before(JNIEnv *jni, struct jsnap_error *err)
{
	jmethodID before;
	jstring report;

	if (!announcement)
		return 0;
	if (native_asking(jni, NULL))
		return 1;
	before = (*jni)->GetStaticMethodID(jni, announcement, "before", "()Ljava/lang/String;");
	if (!before)
		return error_set(err, ENOSYS, "jsnap.crac.Announcement is not as expected");
	report = (*jni)->CallStaticObjectMethod(jni, announcement, before);
	if (agent_exception(jni))
		return error_set(err, EIO, "telling the application's resources failed");
	if (report)
		return refuse(jni, report, err);
	return native_asking(jni, NULL) ||
	       (*jni)->GetStaticObjectField(jni, announcement, announced);
}

void crac_after(JNIEnv *jni, const char *reason)
{
	bool asked;

	pthread_mutex_lock(&turn.lock);
	asked = turn.asking > 0;
	turn.asking = 0;
	free(turn.reason);
	turn.reason = reason ? strdup(reason) : NULL;
	turn.answers++;
	pthread_cond_broadcast(&turn.answered);
	pthread_mutex_unlock(&turn.lock);
	if (asked || !jni || !announcement)
		return;
	(*jni)->CallStaticVoidMethod(jni, announcement, tell_after);
	agent_exception(jni);
}

static jobjectArray arguments_of(JNIEnv *jni, const struct agent_payload *question)
{
	jclass type = (*jni)->FindClass(jni, "java/lang/String");
	struct agent_field field;
	jobjectArray array;
	jsize count = 0;
	size_t pos = 0;

	while (agent_payload_next(question, &pos, &field))
		count += agent_field_is(&field, "arg");
	array = type ? (*jni)->NewObjectArray(jni, count, type, NULL) : NULL;
	count = 0;
	for (pos = 0; array && agent_payload_next(question, &pos, &field);) {
		jstring word;

		if (!agent_field_is(&field, "arg"))
			continue;
		word = agent_string(jni, field.value, strlen(field.value));
		if (!word)
			return NULL;
		(*jni)->SetObjectArrayElement(jni, array, count++, word);
		(*jni)->DeleteLocalRef(jni, word);
	}
	return array;
}

int crac_restored(JNIEnv *jni, const struct agent_payload *question, struct jsnap_error *err)
{
	bool had = program && (*jni)->GetStaticObjectField(jni, program, arguments);
	jobjectArray given = NULL;
	struct timespec now;

	if (!program)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	if (agent_payload_u64(question, "args", 0))
		given = arguments_of(jni, question);
	if (agent_exception(jni))
		return error_set(err, EIO, "the program could not be told its new arguments");
	/* System.nanoTime() is this clock (os_posix.cpp, javaTimeNanos). By fields, for a method
	 * that runs for the first time costs 45 page faults. */
	(*jni)->SetStaticLongField(jni, program, restored_nanos, (jlong)monotonic_ns());
	if (given || had)
		(*jni)->SetStaticObjectField(jni, program, arguments, given);
	(*jni)->SetStaticLongField(jni, program, restored_at,
				   (jlong)(now.tv_sec * 1000 + now.tv_nsec / 1000000));
	return 0;
}

void crac_register_bean(struct agent *owner, JNIEnv *jni)
{
	static const char *const name = "java/lang/management/ManagementFactory";
	jclass factory = NULL, type = NULL;
	jmethodID enter = NULL;
	jfieldID server;

	if (!program || bean || !loaded_find(owner, jni, &name, 1, &factory) || !factory)
		return;
	server = (*jni)->GetStaticFieldID(jni, factory, "platformMBeanServer",
					  "Ljavax/management/MBeanServer;");
	if (server && (*jni)->GetStaticObjectField(jni, factory, server))
		type = (*jni)->FindClass(jni, "jsnap/RestoreBean");
	if (type)
		enter = (*jni)->GetStaticMethodID(jni, type, "register", "()V");
	if (enter)
		(*jni)->CallStaticVoidMethod(jni, type, enter);
	if (!agent_exception(jni) && enter)
		bean = (*jni)->NewGlobalRef(jni, type);
	(*jni)->DeleteGlobalRef(jni, factory);
}
