/*
 * Any bytes on the control channel: agent_receive hands out a message only when it is whole, and
 * its fields then lie within it. A channel that is out of step is told from a malformed message.
 */
#include "agent/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_MAX 65536 /* what a socket takes without a reader */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const struct agent_payload *payload)
{
	const char *end = payload->size ? payload->data + payload->size : payload->data;
	struct agent_field field;
	size_t pos = 0, last = 0;

	while (agent_payload_next(payload, &pos, &field)) {
		if (pos <= last || pos > payload->size)
			abort();
		if (!field.key_size || memchr(field.key, '=', field.key_size))
			abort();
		if (field.value >= end || field.value + strlen(field.value) >= end)
			abort();
		last = pos;
	}
	agent_payload_get(payload, "env");
	agent_payload_u64(payload, "gc", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_header header;
	struct jsnap_error err = {0};
	int ends[2], r = 0;

	if (size > STREAM_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return 0;
	if (write(ends[0], data, size) != (ssize_t)size)
		abort();
	close(ends[0]);
	while (!r || r == -EPROTO) {
		struct agent_payload payload = {0};

		r = agent_receive(ends[1], 1000, &header, &payload, &err);
		if (r && (err.code != -r || payload.data))
			abort();
		if (!r)
			check_fields(&payload);
		agent_payload_free(&payload);
	}
	if (r != -ENODATA && r != -ECONNRESET && r != -EBADMSG)
		abort();
	close(ends[1]);
	return 0;
}
