/*
 * Unread data of a socket as an image holds it: for each message u32 length and its bytes,
 * 4-aligned (struct m_socket.data). A stream is one message.
 */
#ifndef JSNAP_IMAGE_MESSAGES_H
#define JSNAP_IMAGE_MESSAGES_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define MESSAGES_BYTES_MAX (64u << 20) /* of one socket, lengths and padding included */
#define MESSAGES_COUNT_MAX 16384u

struct messages {
	unsigned char *data; /* owned: messages_free */
	size_t used, capacity;
	size_t at; /* of the message that is being written */
	uint32_t count;
};

/* Begins an empty message, then lengthens it. -E2BIG above the maxima, -ENOMEM. */
int messages_begin(struct messages *messages);
int messages_add(struct messages *messages, const void *bytes, size_t size);
void messages_free(struct messages *messages);
#define CLEANUP_MESSAGES __attribute__((cleanup(messages_free)))

/* Sends all of them into a connected Unix socket, which never blocks: what does not fit is -EAGAIN.
 * The send buffer is raised meanwhile to what the system allows (socket(7), wmem_max). -EBADMSG
 * when a length leads outside. */
int messages_send(int fd, const void *data, size_t size, struct jsnap_error *err);

#endif
