/*
 * The launcher's end of the control channel (agent/protocol.h): asks the agent and waits for the
 * answer without ever neglecting the supervision. An answer that never comes is a timeout, not a
 * hang; a channel that is out of step is closed.
 *
 * A CHECKPOINT_REQUEST that arrives meanwhile is remembered in `requested`, a NOTE is logged.
 */
#ifndef JSNAP_LAUNCHER_AGENT_CLIENT_H
#define JSNAP_LAUNCHER_AGENT_CLIENT_H

#include "agent/message.h"
#include "launcher/supervise/supervise.h"

#include <stdbool.h>
#include <stdint.h>

#define AGENT_HELLO_TIMEOUT_NS	60000000000ull
#define AGENT_STATUS_TIMEOUT_NS 10000000000ull
#define AGENT_PREPARE_TIMEOUT_NS \
	120000000000ull /* full collections of a large heap, no resources */
#define AGENT_REFRESH_TIMEOUT_NS 30000000000ull

struct agent_client {
	struct supervise *supervise;
	int fd; /* owned; -1 when there is no agent, or no longer */
	uint32_t sequence;
	bool hello;	   /* HELLO was received */
	uint64_t heap_max; /* bytes that the Java heap may grow to; 0: not known */
	bool requested;	   /* the application asked for a checkpoint */
	bool strict;	   /* it is to see an exception when it gets none */
};

struct agent_status {
	bool main_parked; /* parked or ended */
	uint64_t uptime_ms, classes, compiles;
};

struct agent_prepared {
	uint64_t heap_before, heap_after, scrubbed; /* bytes */
	uint64_t gc_ms;
	bool arenas_kept; /* malloc no longer shrinks arenas with MADV_DONTNEED */
	bool told;	  /* the application's resources, which then may have closed themselves */
};

struct agent_held {
	bool held;   /* the application's threads stand still until RESTORED or RESUMED */
	uint64_t ns; /* for so long when the answer was sent */
};

struct agent_restored {
	char *const *env;  /* NULL: the environment stays as it was */
	char *const *args; /* of this restore; NULL: none were given */
	size_t n_args;
	const char *const *props; /* "NAME=VALUE" */
	size_t n_props;
	bool reseed, catch_up;
};

/*
 * A new channel: *ret_client (whose `strict` is kept) has one end, *ret_fd (close-on-exec, the
 * caller's) is for the process with the agent.
 */
int agent_client_open(struct supervise *s, struct agent_client *ret_client, int *ret_fd,
		      struct jsnap_error *err);
void agent_client_close(struct agent_client *client);
#define CLEANUP_AGENT_CLIENT __attribute__((cleanup(agent_client_close)))

/* -ECHILD and -ECANCELED come from supervise_wait. -ENODATA: the agent is gone. -EREMOTEIO: it
 * answered AGENT_ERROR, whose words are in err. */
int agent_client_hello(struct agent_client *client, struct jsnap_error *err);
int agent_client_status(struct agent_client *client, struct agent_status *ret_status,
			struct jsnap_error *err);
/* Returns when the application's resources were told that it goes on, or hang: the agent answers
 * nothing before. Those of an application that has asked itself are told by itself, who knows when.
 */
int agent_client_told(struct agent_client *client, uint64_t hook_timeout_ns,
		      struct jsnap_error *err);
/* `hook_timeout_ns` is what resources have (--hook-timeout; 0: no limit), on top of jsnap's own
 * patience. */
int agent_client_prepare(struct agent_client *client, uint64_t hook_timeout_ns,
			 struct agent_prepared *ret_prepared, struct jsnap_error *err);
/* Once more, for a program that has worked since: without the collection. */
int agent_client_prepare_again(struct agent_client *client, uint64_t hook_timeout_ns,
			       struct jsnap_error *err);
/* How long PREPARED may take then; 0: for ever. Pure. */
uint64_t agent_client_patience(uint64_t hook_timeout_ns);
/* The threads go on by themselves when the agent hears nothing for so many seconds. */
int agent_client_hold(struct agent_client *client, unsigned int seconds,
		      struct agent_held *ret_held, struct jsnap_error *err);
/* `ret_sample`, unless NULL: random numbers are drawn, the answer (the caller's) holds them, and
 * the program's threads stay held. */
int agent_client_restored(struct agent_client *client, const struct agent_restored *what,
			  struct agent_payload *ret_sample, struct jsnap_error *err);
/* The Java stack that opened a descriptor, " at FRAME, at FRAME"; NULL: not known. The
 * caller's to free. */
int agent_client_opener(struct agent_client *client, int fd, char **ret_stack,
			struct jsnap_error *err);
/* The program goes on; `reason`: without the snapshot, or NULL. No answer; a failure to send is no
 * harm. */
void agent_client_resumed(struct agent_client *client, const char *reason);

/* Takes what came unasked (POLLIN on client->fd) and sets `requested`; closes a broken channel. */
void agent_client_read(struct agent_client *client);

#endif
