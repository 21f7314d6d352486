/*
 * What a restored JVM must learn before its application sees the world again: the environment of
 * this start, random state of its own, its time and arguments; then, with the application's threads
 * going on already, what takes locks that one of them may hold: properties and caches.
 */
#include "agent/agent.h"

#include "agent/crac.h"
#include "agent/environment.h"
#include "agent/openers.h"
#include "agent/random.h"
#include "agent/suspend.h"
#include "agent/world.h"
#include "base/cleanup.h"

#include <string.h>

/* "NAME=VALUE"; false when it is not that or Java refuses it. */
static bool set_property(JNIEnv *jni, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	jclass type = (*jni)->FindClass(jni, "java/lang/System");
	jstring name = NULL, value = NULL;
	jmethodID set;

	if (!type || !equals || equals == assignment)
		return false;
	set = (*jni)->GetStaticMethodID(jni, type, "setProperty",
					"(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;");
	if (set)
		name = agent_string(jni, assignment, (size_t)(equals - assignment));
	if (name)
		value = agent_string(jni, equals + 1, strlen(equals + 1));
	if (value)
		(*jni)->CallStaticObjectMethod(jni, type, set, name, value);
	return !agent_exception(jni) && value;
}

static unsigned int set_properties(JNIEnv *jni, const struct agent_payload *question)
{
	struct agent_field field;
	unsigned int count = 0;
	size_t pos = 0;

	while (agent_payload_next(question, &pos, &field)) {
		if (!agent_field_is(&field, "prop") || (*jni)->PushLocalFrame(jni, 16) < 0)
			continue;
		count += set_property(jni, field.value);
		agent_exception(jni);
		(*jni)->PopLocalFrame(jni, NULL);
	}
	return count;
}

static int refresh_environment(struct agent *agent, JNIEnv *jni,
			       const struct agent_payload *question, struct agent_payload *answer,
			       struct jsnap_error *err)
{
	struct jsnap_error java = {0};
	size_t count;
	int r;

	/* As it is: as a rule the same program is started in the same way. */
	if (environment_is(question))
		return 0;
	r = environment_replace(question, &count, err);
	if (r)
		return r;
	agent_payload_addf(answer, "env", "%zu", count);
	r = environment_refresh_java(agent, jni, &java);
	agent_payload_add(answer, "java_env", r ? "0" : "1");
	if (r)
		agent_payload_add(answer, "java_env_reason", java.text);
	return 0;
}

static int refresh_random(struct agent *agent, JNIEnv *jni, struct agent_payload *answer,
			  struct jsnap_error *err)
{
	const char *missing = "";
	int n = random_refresh(agent, jni, &missing);

	if (n < 0)
		return error_set(err, -n, "no random bytes for the restored program: %s",
				 strerror(-n));
	agent_payload_addf(answer, "random", "%d", n);
	if (*missing)
		agent_payload_add(answer, "random_missing", missing);
	return 0;
}

/* With the application's threads standing still. */
static int refresh_held(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
			struct agent_payload *answer, struct jsnap_error *err)
{
	int r = 0;

	if (agent_payload_u64(question, "env-refresh", 1))
		r = refresh_environment(agent, jni, question, answer, err);
	if (!r && agent_payload_u64(question, "reseed", 1))
		r = refresh_random(agent, jni, answer, err);
	if (r)
		return r;
	agent_payload_addf(answer, "put_off", "%u",
			   world_refresh(jni, agent_payload_u64(question, "catch-up", 0)));
	return crac_restored(jni, question, err);
}

/* Drawn by the agent's own thread, as any thread of the program's would. */
static int add_samples(JNIEnv *jni, struct agent_payload *answer, struct jsnap_error *err)
{
	jclass type = (*jni)->FindClass(jni, "jsnap/Sample");
	jmethodID take =
		type ? (*jni)->GetStaticMethodID(jni, type, "take", "()[Ljava/lang/String;") : NULL;
	jobjectArray samples = take ? (*jni)->CallStaticObjectMethod(jni, type, take) : NULL;

	if (agent_exception(jni) || !samples)
		return error_set(err, EIO, "no random numbers could be drawn");
	for (jsize i = 0; i < (*jni)->GetArrayLength(jni, samples); i++) {
		jstring sample = (*jni)->GetObjectArrayElement(jni, samples, i);
		const char *text = (*jni)->GetStringUTFChars(jni, sample, NULL);

		if (text) {
			agent_payload_add(answer, "sample", text);
			(*jni)->ReleaseStringUTFChars(jni, sample, text);
		}
		(*jni)->DeleteLocalRef(jni, sample);
	}
	return 0;
}

int agent_refresh(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
		  struct agent_payload *answer, struct jsnap_error *err)
{
	int r = refresh_held(agent, jni, question, answer, err);

	openers_restored();
	if (!r && agent_payload_u64(question, "sample", 0))
		return add_samples(jni, answer, err);
	random_forget(jni);
	suspend_end(agent, jni);
	world_settle(jni, agent_payload_u64(question, "catch-up", 0));
	if (r)
		return r;
	agent_payload_addf(answer, "props", "%u", set_properties(jni, question));
	return 0;
}
