/* See messages.h. */
#include "image/messages.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* Linux 5.14 */
#endif

#define ROUND_UP_4(n) (((n) + 3) & ~(size_t)3)

static int messages_reserve(struct messages *messages, size_t more)
{
	size_t want = messages->used + more, capacity = messages->capacity;
	unsigned char *grown;

	if (more > MESSAGES_BYTES_MAX || want > MESSAGES_BYTES_MAX)
		return -E2BIG;
	if (want <= capacity)
		return 0;
	capacity = capacity ? capacity : 4096;
	while (capacity < want)
		capacity *= 2;
	grown = realloc(messages->data, capacity);
	if (!grown)
		return -ENOMEM;
	memset(grown + messages->capacity, 0, capacity - messages->capacity);
	messages->data = grown;
	messages->capacity = capacity;
	return 0;
}

int messages_begin(struct messages *messages)
{
	int r = messages->count == MESSAGES_COUNT_MAX ? -E2BIG : 0;

	if (r == 0)
		r = messages_reserve(messages, sizeof(uint32_t));
	if (r < 0)
		return r;
	messages->at = messages->used;
	messages->used += sizeof(uint32_t);
	messages->count++;
	return 0;
}

int messages_add(struct messages *messages, const void *bytes, size_t size)
{
	size_t body = messages->at + sizeof(uint32_t);
	uint32_t length;
	int r = messages_reserve(messages, ROUND_UP_4(size));

	if (r < 0)
		return r;
	memcpy(&length, messages->data + messages->at, sizeof(length));
	memcpy(messages->data + body + length, bytes, size);
	length += (uint32_t)size;
	memcpy(messages->data + messages->at, &length, sizeof(length));
	messages->used = body + ROUND_UP_4(length);
	return 0;
}

void messages_free(struct messages *messages)
{
	free(messages->data);
	*messages = (struct messages){0};
}

/* A stream may take a part at a time; an empty message is sent as one. */
static int send_message(int fd, const unsigned char *p, size_t size)
{
	do {
		ssize_t n = send(fd, p, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	} while (size);
	return 0;
}

static int send_each(int fd, const unsigned char *p, size_t left, struct jsnap_error *err)
{
	while (left) {
		uint32_t length;
		size_t step;
		int r;

		if (left < sizeof(length))
			return error_set(err, EBADMSG, "unread data is cut short");
		memcpy(&length, p, sizeof(length));
		if (length > left - sizeof(length))
			return error_set(err, EBADMSG, "an unread message is cut short");
		r = send_message(fd, p + sizeof(length), length);
		if (r < 0)
			return error_set(err, -r, "send %u unread bytes of a Unix socket: %s",
					 length, strerror(-r));
		step = sizeof(length) + ROUND_UP_4((size_t)length);
		step = step < left ? step : left;
		p += step;
		left -= step;
	}
	return 0;
}

int messages_send(int fd, const void *data, size_t size, struct jsnap_error *err)
{
	int before = 0, lock = 0, most = INT_MAX / 2, r;
	socklen_t length = sizeof(before);

	if (!size)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &before, &length) < 0)
		return error_errno(err, "ask for the send buffer of a Unix socket");
	length = sizeof(lock);
	if (getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, &length) < 0)
		lock = -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	r = send_each(fd, data, size, err);
	before /= 2; /* the kernel doubles what it is given (socket(7)) */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &before, sizeof(before));
	if (lock >= 0)
		setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof(lock));
	return r;
}
