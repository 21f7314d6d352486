/* See sample.h. */
#include "agent/sample.h"

#include "agent/instances.h"
#include "agent/loaded.h"
#include "agent/random.h"
#include "base/cleanup.h"

#define SECURE_MAX 4096 /* of the program's own SecureRandoms: what a message holds */

/* SecureRandom[] of what the program has, whatever provider it is of. */
static jobjectArray secure_randoms(struct agent *agent, JNIEnv *jni, struct agent_payload *answer)
{
	static const char *const name = "java/security/SecureRandom";
	struct instances instances = {0};
	jobjectArray array = NULL;
	jclass type = NULL;
	jint count;

	if (!loaded_find(agent, jni, &name, 1, &type))
		return NULL;
	instances_find(agent, jni, type, &instances);
	count = instances.count < SECURE_MAX ? instances.count : SECURE_MAX;
	if (count < instances.count)
		agent_payload_addf(answer, "own", "perhaps %d SecureRandom, not drawn from",
				   instances.count - count);
	if (type)
		array = (*jni)->NewObjectArray(jni, count, type, NULL);
	for (jint i = 0; array && i < count; i++)
		(*jni)->SetObjectArrayElement(jni, array, i, instances.objects[i]);
	instances_free(jni, &instances);
	(*jni)->DeleteGlobalRef(jni, type);
	return array;
}

static int draw(struct agent *agent, JNIEnv *jni, struct agent_payload *answer,
		jobjectArray *ret_samples, struct jsnap_error *err)
{
	jclass type = (*jni)->FindClass(jni, "jsnap/Sample");
	jmethodID take = type ? (*jni)->GetStaticMethodID(
					jni, type, "take",
					"([Ljava/security/SecureRandom;)[Ljava/lang/String;")
			      : NULL;

	if (take)
		*ret_samples = (*jni)->CallStaticObjectMethod(jni, type, take,
							      secure_randoms(agent, jni, answer));
	if (agent_exception(jni) || !take || !*ret_samples)
		return error_set(err, EIO, "no random numbers could be drawn");
	return 0;
}

int sample_take(struct agent *agent, JNIEnv *jni, struct agent_payload *answer,
		struct jsnap_error *err)
{
	jobjectArray samples = NULL;
	int r;

	random_add_states(agent, jni, answer);
	r = draw(agent, jni, answer, &samples, err);
	if (r)
		return r;
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
