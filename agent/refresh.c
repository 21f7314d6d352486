/*
 * What a restored JVM must learn before its application sees the world again: the environment of
 * this start, properties, time zone, working folder, names, random state of its own, its time and
 * arguments. Its threads stand still meanwhile, but for what would have to wait for one of them.
 */
#include "agent/agent.h"

#include "agent/crac.h"
#include "agent/environment.h"
#include "agent/lenders.h"
#include "agent/openers.h"
#include "agent/pools.h"
#include "agent/properties.h"
#include "agent/random.h"
#include "agent/sample.h"
#include "agent/suspend.h"
#include "agent/world.h"
#include "base/cleanup.h"

#include <string.h>

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
	agent_payload_addf(answer, "pooled", "%u", pools_refresh(jni) + lenders_refresh(jni));
	if (properties_are_free())
		agent_payload_addf(answer, "props", "%u", properties_set(jni, question));
	return crac_restored(jni, question, err);
}

/* What would have had to wait for a lock, as soon as the threads go on. */
static void refresh_rest(JNIEnv *jni, const struct agent_payload *question,
			 struct agent_payload *answer)
{
	world_settle(jni, agent_payload_u64(question, "catch-up", 0));
	if (!properties_are_free())
		agent_payload_addf(answer, "props", "%u", properties_set(jni, question));
}

int agent_refresh(struct agent *agent, JNIEnv *jni, const struct agent_payload *question,
		  struct agent_payload *answer, struct jsnap_error *err)
{
	int r = refresh_held(agent, jni, question, answer, err);

	openers_restored();
	if (!r && agent_payload_u64(question, "sample", 0))
		return sample_take(agent, jni, answer, err);
	suspend_end(agent, jni);
	if (!r)
		refresh_rest(jni, question, answer);
	random_forget(jni);
	world_forget(jni);
	pools_forget(jni);
	lenders_forget(jni);
	return r;
}
