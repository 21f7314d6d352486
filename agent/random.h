/*
 * Random state of the JDK that two restores of one snapshot must not share: found before the
 * snapshot, made anew after the restore while the application's threads stand still (suspend.h).
 * Fields are written directly, so that no lock is taken and no module has to be opened.
 *
 *   ThreadLocalRandom     the seeder, and the seeds of every platform and virtual thread; the value
 *                         that nextGaussian() keeps for whichever asks next is forgotten
 *   Math.random,          their generators
 *   StrictMath.random,
 *   Collections.shuffle,
 *   digest authentication,
 *   LDAP's servers
 *   new Random(),         the counters that seeds of new instances come from
 *   new SplittableRandom(),
 *   RandomGenerator.of()
 *   NativePRNG            its buffer of /dev/urandom's bytes is forgotten (UUID.randomUUID() and
 *                         new SecureRandom() are this one)
 *   SHA1PRNG              every instance's state is mixed with new bytes
 *   DRBG                  every instance reseeds at its next call
 *
 * Instances of Random and SplittableRandom that the application made are its own: whether it counts
 * on their sequence is not known.
 *
 * Sources: the classes of JDK 17 to 25 named in random.c, whose fields are looked up by name; one
 * that is not there is reported.
 */
#ifndef JSNAP_AGENT_RANDOM_H
#define JSNAP_AGENT_RANDOM_H

#include "agent/agent.h"

/* Before the snapshot: looks up what random_refresh needs; then, with the threads suspended, the
 * objects of which there may be more by then. `still`: they really stand still. */
void random_find(struct agent *agent, JNIEnv *jni);
void random_find_objects(struct agent *agent, JNIEnv *jni, bool still);

/* Whether a suspended thread stands in one of the generators that are made anew: it would go on
 * with what it has of the old state, and may put that back. */
bool random_is_drawn(struct agent *agent, JNIEnv *jni, jthread thread);

/* After a restore. Returns how many states were made anew; *ret_missing (static, "" when there is
 * none) names what was not as expected. -errno when there are no random bytes. */
int random_refresh(struct agent *agent, JNIEnv *jni, const char **ret_missing);

/* What sample.h wants to know after random_refresh: the counters and seeds themselves as "sample"
 * fields, and how many generators are the application's own, as "own". */
void random_add_states(struct agent *agent, JNIEnv *jni, struct agent_payload *answer);

/* The program goes on without a restore, or after it: forgets what was found. */
void random_forget(JNIEnv *jni);

#endif
