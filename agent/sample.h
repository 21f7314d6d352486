/*
 * Values of every random source that two restores of one snapshot could share, by which they are
 * told apart (`jsnap verify --uniqueness`): drawn with the application's threads standing still, in
 * the agent's.
 */
#ifndef JSNAP_AGENT_SAMPLE_H
#define JSNAP_AGENT_SAMPLE_H

#include "agent/agent.h"

/* After random_refresh, before random_forget. Adds "sample" fields, SOURCE=VALUE,VALUE,...
 * (hexadecimal), and "own" fields, of generators that are left alone. */
int sample_take(struct agent *agent, JNIEnv *jni, struct agent_payload *answer,
		struct jsnap_error *err);

#endif
