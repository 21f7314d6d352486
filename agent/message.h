/*
 * Packing and unpacking of control channel messages (protocol.h), used by both ends.
 *
 * A payload is a growing buffer of NUL-terminated "key=value" strings. Everything received is
 * checked before it is handed out, so that fields can be walked without further bounds checks.
 * Keys are not empty and hold no '='; values hold no NUL; a key may occur several times.
 */
#ifndef JSNAP_AGENT_MESSAGE_H
#define JSNAP_AGENT_MESSAGE_H

#include "agent/protocol.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is the empty payload. */
struct agent_payload {
	char *data;
	size_t size;
	size_t capacity;
};

struct agent_field {
	const char *key; /* not terminated */
	size_t key_size;
	const char *value; /* NUL-terminated */
};

void agent_payload_free(struct agent_payload *payload);
#define CLEANUP_PAYLOAD __attribute__((cleanup(agent_payload_free)))

/* -EINVAL for a key that is empty or holds '=', -E2BIG beyond AGENT_MESSAGE_MAX, -ENOMEM. On
 * failure the payload is as it was. */
int agent_payload_add(struct agent_payload *payload, const char *key, const char *value);
int agent_payload_addf(struct agent_payload *payload, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The fields in order: start with *pos = 0; false at the end. The field points into the payload. */
bool agent_payload_next(const struct agent_payload *payload, size_t *pos,
			struct agent_field *ret_field);
bool agent_field_is(const struct agent_field *field, const char *key);

/* The first value of a key, or NULL. */
const char *agent_payload_get(const struct agent_payload *payload, const char *key);

/* The first value of a key as a decimal number; `missing` when it is absent or not a number. */
uint64_t agent_payload_u64(const struct agent_payload *payload, const char *key, uint64_t missing);

/* -EPROTO unless `data` is whole "key=value" strings. */
int agent_payload_check(const char *data, size_t size, struct jsnap_error *err);

/* -EBADMSG for a wrong magic or a size beyond AGENT_MESSAGE_MAX: the stream is out of step. */
int agent_header_check(const struct agent_header *header, struct jsnap_error *err);

/*
 * One whole message; payload may be NULL. Never raises SIGPIPE. -EPIPE or -ECONNRESET when the
 * other end is gone.
 */
int agent_send(int fd, enum agent_message type, uint32_t sequence,
	       const struct agent_payload *payload, struct jsnap_error *err);

/*
 * Waits for one whole message: timeout_ms for all of it, negative for no limit (then it blocks in
 * plain reads). *ret_payload is the caller's (agent_payload_free).
 * -ENODATA: the other end closed between two messages; -ETIMEDOUT; -EBADMSG: out of step, close the
 * channel; -EPROTO: the message is malformed but was consumed, and *ret_header is set.
 */
int agent_receive(int fd, int timeout_ms, struct agent_header *ret_header,
		  struct agent_payload *ret_payload, struct jsnap_error *err);

#endif
