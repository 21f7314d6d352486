/*
 * What launcher and agent say to each other over the control channel, a SOCK_STREAM Unix socket
 * whose number in the JVM the agent gets as option `fd=N`. The launcher asks, the agent answers,
 * one message at a time; CHECKPOINT_REQUEST alone comes unasked.
 *
 * A message is a header and `size` bytes: NUL-terminated "key=value" strings. After a restore the
 * descriptor has the same number and another peer: the agent's blocked read goes on with it.
 */
#ifndef JSNAP_AGENT_PROTOCOL_H
#define JSNAP_AGENT_PROTOCOL_H

#include <stdint.h>

#define AGENT_PROTOCOL_VERSION 1
#define AGENT_MESSAGE_MAX      (4u << 20) /* bytes of payload; an environment is at most 2 MiB */
#define AGENT_MAGIC	       0x4a534e50u

struct agent_header {
	uint32_t magic;
	uint32_t type; /* enum agent_message */
	uint32_t size;
	uint32_t sequence; /* an answer repeats the question's */
};

enum agent_message {
	/* agent -> launcher, once, when the VM is initialized: protocol=1 vm=... version=... gc=...
	 */
	AGENT_HELLO = 1,
	/* launcher -> agent, no payload. Answer AGENT_STATE: main=running|parked|ended (parked:
	 * waiting, timed waiting or blocked in the main thread, or ended while others live),
	 * uptime_ms=..., classes=... (loaded so far), compiles=... (methods compiled so far) */
	AGENT_STATUS = 2,
	AGENT_STATE = 3,
	/* launcher -> agent: quiesce. gc=1 scrub=1 trim=1. Answer AGENT_PREPARED: heap_before=bytes
	 * heap_after=bytes scrubbed=bytes gc_ms=... or AGENT_ERROR */
	AGENT_PREPARE = 4,
	AGENT_PREPARED = 5,
	/* launcher -> agent, first message after a restore: env=NAME=VALUE for each variable
	 * (env-refresh=0 when it must stay as it was), unknown keys are ignored.
	 * Answer AGENT_REFRESHED or AGENT_ERROR */
	AGENT_RESTORED = 6,
	AGENT_REFRESHED = 7,
	/* launcher -> agent: the checkpoint was given up or is over and the JVM goes on. No answer.
	 */
	AGENT_RESUMED = 8,
	/* agent -> launcher: the application asked for a checkpoint (org.crac) */
	AGENT_CHECKPOINT_REQUEST = 9,
	/* message=... */
	AGENT_ERROR = 10,
};

#endif
