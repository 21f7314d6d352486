/* See message.h. */
#include "agent/message.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <ctype.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

void agent_payload_free(struct agent_payload *payload)
{
	free(payload->data);
	*payload = (struct agent_payload){0};
}

static int payload_reserve(struct agent_payload *payload, size_t more)
{
	size_t needed, capacity = payload->capacity ? payload->capacity : 256;
	char *grown;

	if (more > AGENT_MESSAGE_MAX || payload->size > AGENT_MESSAGE_MAX - more)
		return -E2BIG;
	needed = payload->size + more;
	if (needed <= payload->capacity)
		return 0;
	while (capacity < needed)
		capacity *= 2;
	grown = realloc(payload->data, capacity);
	if (!grown)
		return -ENOMEM;
	payload->data = grown;
	payload->capacity = capacity;
	return 0;
}

int agent_payload_add(struct agent_payload *payload, const char *key, const char *value)
{
	size_t key_size = strlen(key), value_size = strlen(value);
	int r;

	if (!key_size || strchr(key, '='))
		return -EINVAL;
	if (key_size > AGENT_MESSAGE_MAX || value_size > AGENT_MESSAGE_MAX)
		return -E2BIG;
	r = payload_reserve(payload, key_size + value_size + 2);
	if (r)
		return r;
	memcpy(payload->data + payload->size, key, key_size);
	payload->data[payload->size + key_size] = '=';
	memcpy(payload->data + payload->size + key_size + 1, value, value_size + 1);
	payload->size += key_size + value_size + 2;
	return 0;
}

int agent_payload_addf(struct agent_payload *payload, const char *key, const char *fmt, ...)
{
	CLEANUP_FREE char *value = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&value, fmt, args);
	va_end(args);
	if (n < 0) {
		value = NULL;
		return -ENOMEM;
	}
	return agent_payload_add(payload, key, value);
}

bool agent_payload_next(const struct agent_payload *payload, size_t *pos,
			struct agent_field *ret_field)
{
	const char *entry, *equals;

	if (*pos >= payload->size)
		return false;
	entry = payload->data + *pos;
	equals = strchr(entry, '=');
	ret_field->key = entry;
	ret_field->key_size = (size_t)(equals - entry);
	ret_field->value = equals + 1;
	*pos += strlen(entry) + 1;
	return true;
}

bool agent_field_is(const struct agent_field *field, const char *key)
{
	return strlen(key) == field->key_size && !memcmp(field->key, key, field->key_size);
}

const char *agent_payload_get(const struct agent_payload *payload, const char *key)
{
	struct agent_field field;
	size_t pos = 0;

	while (agent_payload_next(payload, &pos, &field))
		if (agent_field_is(&field, key))
			return field.value;
	return NULL;
}

uint64_t agent_payload_u64(const struct agent_payload *payload, const char *key, uint64_t missing)
{
	const char *value = agent_payload_get(payload, key);
	unsigned long long number;
	char *end;

	if (!value || !isdigit((unsigned char)*value))
		return missing;
	errno = 0;
	number = strtoull(value, &end, 10);
	return errno || *end ? missing : number;
}

int agent_payload_check(const char *data, size_t size, struct jsnap_error *err)
{
	size_t pos = 0;

	while (pos < size) {
		const char *end = memchr(data + pos, '\0', size - pos);
		const char *equals = memchr(data + pos, '=', size - pos);

		if (!end)
			return error_set(err, EPROTO,
					 "agent message: the last field, at byte %zu of %zu, is "
					 "not terminated",
					 pos, size);
		if (!equals || equals > end || equals == data + pos)
			return error_set(err, EPROTO,
					 "agent message: the field at byte %zu is not KEY=VALUE",
					 pos);
		pos = (size_t)(end - data) + 1;
	}
	return 0;
}

int agent_header_check(const struct agent_header *header, struct jsnap_error *err)
{
	if (header->magic != AGENT_MAGIC)
		return error_set(err, EBADMSG, "agent message: magic is %#x, not %#x",
				 header->magic, AGENT_MAGIC);
	if (header->size > AGENT_MESSAGE_MAX)
		return error_set(err, EBADMSG,
				 "agent message: type %u has %u bytes, more than the %u allowed",
				 header->type, header->size, AGENT_MESSAGE_MAX);
	return 0;
}

static int send_all(int fd, const void *data, size_t size, int flags)
{
	const char *p = data;

	while (size) {
		ssize_t n = send(fd, p, size, MSG_NOSIGNAL | flags);

		if (n < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int agent_send(int fd, enum agent_message type, uint32_t sequence,
	       const struct agent_payload *payload, struct jsnap_error *err)
{
	size_t size = payload ? payload->size : 0;
	struct agent_header header = {
		.magic = AGENT_MAGIC,
		.type = type,
		.size = (uint32_t)size,
		.sequence = sequence,
	};
	int r;

	if (size > AGENT_MESSAGE_MAX)
		return error_set(err, E2BIG,
				 "agent message: %zu bytes are more than the %u allowed", size,
				 AGENT_MESSAGE_MAX);
	r = send_all(fd, &header, sizeof(header), size ? MSG_MORE : 0);
	if (!r && size)
		r = send_all(fd, payload->data, size, 0);
	if (r)
		return error_set(err, -r, "agent message: sending type %d: %s", (int)type,
				 strerror(-r));
	return 0;
}

/* `deadline` is CLOCK_MONOTONIC in nanoseconds, 0 for no limit. */
static int wait_readable(int fd, uint64_t deadline)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	if (!deadline)
		return 0;
	for (;;) {
		uint64_t now = monotonic_ns();
		uint64_t left_ms = now < deadline ? (deadline - now + 999999) / 1000000 : 0;
		int n = poll(&pollfd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && !left_ms)
			return -ETIMEDOUT;
	}
}

/* -ENODATA when the stream ends before the first byte, -ECONNRESET when it ends later. */
static int receive_all(int fd, void *data, size_t size, uint64_t deadline)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n;
		int r = wait_readable(fd, deadline);

		if (r)
			return r;
		n = read(fd, (char *)data + done, size - done);
		if (n < 0 && errno == EAGAIN && !deadline)
			poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return done ? -ECONNRESET : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

static int receive_payload(int fd, uint64_t deadline, size_t size, struct agent_payload *payload)
{
	int r = payload_reserve(payload, size);

	if (r)
		return r;
	r = receive_all(fd, payload->data, size, deadline);
	if (r)
		return r == -ENODATA && size ? -ECONNRESET : r;
	payload->size = size;
	return 0;
}

int agent_receive(int fd, int timeout_ms, struct agent_header *ret_header,
		  struct agent_payload *ret_payload, struct jsnap_error *err)
{
	CLEANUP_PAYLOAD struct agent_payload payload = {0};
	struct agent_header header;
	uint64_t deadline = 0;
	int r;

	if (timeout_ms >= 0)
		deadline = monotonic_ns() + (uint64_t)timeout_ms * 1000000;
	r = receive_all(fd, &header, sizeof(header), deadline);
	if (r)
		return error_set(err, -r, "agent message: waiting for one: %s", strerror(-r));
	r = agent_header_check(&header, err);
	if (r)
		return r;
	r = receive_payload(fd, deadline, header.size, &payload);
	if (r)
		return error_set(err, -r, "agent message: receiving %u bytes of type %u: %s",
				 header.size, header.type, strerror(-r));
	*ret_header = header;
	r = agent_payload_check(payload.data, payload.size, err);
	if (r)
		return r;
	*ret_payload = payload;
	payload = (struct agent_payload){0};
	return 0;
}
