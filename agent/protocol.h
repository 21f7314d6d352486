/*
 * What launcher and agent say to each other over the control channel, a SOCK_STREAM Unix socket
 * whose number in the JVM the agent gets as option `fd=N`. The launcher asks, the agent answers,
 * one message at a time; CHECKPOINT_REQUEST and NOTE alone come unasked.
 *
 * A message is a header and `size` bytes: NUL-terminated "key=value" strings. After a restore the
 * descriptor has the same number and another peer: the agent's blocked read goes on with it.
 *
 * What the agent makes of a bad message: an unknown type or a payload that is not "key=value"
 * strings is answered by AGENT_ERROR; a wrong magic or a size beyond the maximum by AGENT_ERROR
 * with sequence 0, and the channel is closed, for the stream is out of step. When the launcher
 * closes it, the agent ends silently and the application goes on.
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
	/* agent -> launcher, once, when the VM is initialized: protocol=1 vm=... vm_version=...
	 * version=(java.version) home=(java.home)
	 * gc=serial|parallel|g1|z|shenandoah|epsilon|unknown pid=... heap=START-END (hexadecimal,
	 * the Java heap's reserved addresses; absent for collectors that do not say) */
	AGENT_HELLO = 1,
	/* launcher -> agent, no payload. Answer AGENT_STATE: main=running|parked|ended (parked:
	 * waiting, timed waiting or blocked in the main thread, or ended while others live),
	 * uptime_ms=..., classes=... (loaded so far), compiles=... (methods compiled so
	 * far; absent under -XX:-UsePerfData), native=0|1 (the main thread is in native code, where
	 * a blocking system call such as accept counts as main=running) */
	AGENT_STATUS = 2,
	AGENT_STATE = 3,
	/* launcher -> agent: quiesce. gc=1 scrub=1 trim=1 keep_arenas=1 (malloc must no longer give
	 * the top of an arena back with MADV_DONTNEED: answered arenas_kept=0|1). Answer
	 * AGENT_PREPARED: told=0|1 (the application's resources were told) heap_before=bytes
	 * heap_after=bytes scrubbed=bytes (free heap that is zeros now; 0 and scrub_error=ERRNO
	 * with a collector the agent does not know) gc_ms=... trimmed=0|1, or AGENT_ERROR. scrub
	 * implies gc: what is free is known just after a full collection only. */
	AGENT_PREPARE = 4,
	AGENT_PREPARED = 5,
	/* launcher -> agent, first message after a restore: env=NAME=VALUE for each variable
	 * (env-refresh=0 when it must stay as it was), unknown keys are ignored. prop=NAME=VALUE
	 * sets a system property. args=1 and arg=WORD for each: new arguments. reseed=0: random
	 * state stays as it was. catch-up=1: periodic tasks make up for the time asleep.
	 * sample=1: the threads stay held, and the answer has sample=SOURCE=VALUE,... (hexadecimal)
	 * for each random source. Answer
	 * AGENT_REFRESHED: env=(variables set) java_env=0|1 (System.getenv shows them)
	 * java_env_reason=... props=(properties set) random=(states made anew)
	 * random_missing=(what this JDK does not have as expected) put_off=(tasks)
	 * pooled=(connections that their pools take for ended), or AGENT_ERROR.
	 * With it the application's threads go on; its resources are told after the answer. */
	AGENT_RESTORED = 6,
	AGENT_REFRESHED = 7,
	/* launcher -> agent: the checkpoint was given up or is over and the JVM goes on. reason=...
	 * when whoever asked for it in the application is to see its failure. No answer. */
	AGENT_RESUMED = 8,
	/* agent -> launcher: the application asked for a checkpoint (org.crac) */
	AGENT_CHECKPOINT_REQUEST = 9,
	/* message=... */
	AGENT_ERROR = 10,
	/* launcher -> agent: fd=N. Answer AGENT_OPENED: stack=... of who opened it (" at FRAME, at
	 * FRAME"), absent when it is not known (openers.h) */
	AGENT_OPENER = 12,
	AGENT_OPENED = 13,
	/* agent -> launcher, unasked, for the log: message=... (may have several lines) */
	AGENT_NOTE = 11,
	/* launcher -> agent, after PREPARE: the application's threads stand still until RESTORED
	 * has been served, or RESUMED came, or the channel is closed, or the launcher has been
	 * silent for seconds=... (60). Answer AGENT_HELD: held=0|1 (0: the VM does not offer it)
	 * held_us=... (how long by then), or AGENT_ERROR: they go on. */
	AGENT_HOLD = 14,
	AGENT_HELD = 15,
};

#endif
