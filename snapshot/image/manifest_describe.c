/* See manifest_describe.h. */
#include "image/manifest_describe.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static const char *pick(const char *const *names, size_t count, uint32_t value)
{
	return value < count && names[value] ? names[value] : "unknown";
}

const char *describe_vma_kind(uint32_t kind)
{
	static const char *const names[DESCRIBE_VMA_KINDS] = {
		[M_VMA_ANON] = "anonymous",
		[M_VMA_FILE_PRIVATE] = "file-private",
		[M_VMA_FILE_SHARED] = "file-shared",
		[M_VMA_OBJECT] = "object",
		[M_VMA_VDSO] = "vdso",
		[M_VMA_VVAR] = "vvar",
	};

	return pick(names, ARRAY_SIZE(names), kind);
}

const char *describe_object_kind(uint32_t kind)
{
	static const char *const names[] = {
		[M_OBJECT_MEMFD] = "memfd",
		[M_OBJECT_SHARED_ANON] = "shared-anonymous",
		[M_OBJECT_DELETED_FILE] = "deleted-file",
	};

	return pick(names, ARRAY_SIZE(names), kind);
}

const char *describe_read_through(uint32_t way)
{
	static const char *const names[] = {
		[M_READ_THROUGH_UNKNOWN] = "unknown",
		[M_READ_THROUGH_MAP_FILES] = "map_files",
		[M_READ_THROUGH_DESCRIPTOR] = "descriptor",
		[M_READ_THROUGH_NAME] = "name",
		[M_READ_THROUGH_MEMORY] = "memory",
	};

	return pick(names, ARRAY_SIZE(names), way);
}

const char *describe_file_kind(uint32_t kind)
{
	static const char *const names[] = {
		[M_FILE_INHERIT] = "inherited", [M_FILE_PATH] = "path",
		[M_FILE_OBJECT] = "object",	[M_FILE_PIPE] = "pipe",
		[M_FILE_EVENTFD] = "eventfd",	[M_FILE_TIMERFD] = "timerfd",
		[M_FILE_SIGNALFD] = "signalfd", [M_FILE_EPOLL] = "epoll",
		[M_FILE_INOTIFY] = "inotify",	[M_FILE_SOCKET] = "socket",
		[M_FILE_PIDFD_SELF] = "pidfd",	[M_FILE_NAMESPACE] = "namespace",
		[M_FILE_CLOSED] = "closed",
	};

	return pick(names, ARRAY_SIZE(names), kind);
}

const char *describe_socket_family(uint32_t family)
{
	switch (family) {
	case AF_UNIX:
		return "unix";
	case AF_INET:
		return "ipv4";
	case AF_INET6:
		return "ipv6";
	case AF_NETLINK:
		return "netlink";
	}
	return "unknown";
}

const char *describe_socket_type(uint32_t type)
{
	switch (type) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_DGRAM:
		return "datagram";
	case SOCK_SEQPACKET:
		return "seqpacket";
	case SOCK_RAW:
		return "raw";
	}
	return "unknown";
}

const char *describe_socket_state(uint32_t state)
{
	static const char *const names[] = {
		[M_SOCKET_FRESH] = "unconnected",
		[M_SOCKET_LISTEN] = "listening",
		[M_SOCKET_PAIR] = "pair",
		[M_SOCKET_CLOSED_BY_PEER] = "closed-by-peer",
		[M_SOCKET_DGRAM_CONNECTED] = "connected",
		[M_SOCKET_RESET] = "reset",
	};

	return pick(names, ARRAY_SIZE(names), state);
}

const char *describe_file_target(const struct manifest *m, const struct m_file *file)
{
	if (file->kind == M_FILE_PATH)
		return manifest_str(m, m->backings[file->target].path);
	if (file->kind == M_FILE_OBJECT)
		return manifest_str(m, m->objects[file->target].name);
	return manifest_str(m, file->name);
}

static void unix_address(const struct sockaddr_un *un, size_t size, char *ret_text)
{
	size_t length = size - offsetof(struct sockaddr_un, sun_path);
	size_t out = 0;

	if (un->sun_path[0] != '\0') {
		snprintf(ret_text, DESCRIBE_ADDRESS, "%.*s", (int)length, un->sun_path);
		return;
	}
	for (size_t i = 0; i < length; i++) /* unix(7): any byte of an abstract name may be NUL */
		ret_text[out++] = un->sun_path[i] ? un->sun_path[i] : '@';
	ret_text[out] = '\0';
}

void describe_address(const struct manifest *m, struct m_blob address,
		      char ret_text[DESCRIBE_ADDRESS])
{
	union {
		sa_family_t family;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} a = {0};
	char host[INET6_ADDRSTRLEN];

	ret_text[0] = '\0';
	if (address.size < sizeof(a.family) || address.size > sizeof(a))
		return;
	memcpy(&a, manifest_bytes(m, address), address.size);
	if (a.family == AF_INET && address.size >= sizeof(a.in)) {
		inet_ntop(AF_INET, &a.in.sin_addr, host, sizeof(host));
		snprintf(ret_text, DESCRIBE_ADDRESS, "%s:%u", host, ntohs(a.in.sin_port));
	} else if (a.family == AF_INET6 && address.size >= sizeof(a.in6)) {
		inet_ntop(AF_INET6, &a.in6.sin6_addr, host, sizeof(host));
		snprintf(ret_text, DESCRIBE_ADDRESS, "[%s]:%u", host, ntohs(a.in6.sin6_port));
	} else if (a.family == AF_UNIX && address.size <= sizeof(a.un)) {
		unix_address(&a.un, address.size, ret_text);
	} else {
		snprintf(ret_text, DESCRIBE_ADDRESS, "(family %u, %u bytes)", a.family,
			 address.size);
	}
}

void describe_time(uint64_t realtime_ns, char *ret_text, size_t size)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000u);
	struct tm tm;

	gmtime_r(&seconds, &tm); /* 64 bits of nanoseconds end in the year 2554 */
	strftime(ret_text, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

uint64_t describe_stored(const struct manifest *m, uint32_t first_piece, uint32_t n_pieces)
{
	uint64_t stored = 0;

	for (uint32_t i = 0; i < n_pieces; i++)
		stored += m->pieces[first_piece + i].size;
	return stored;
}

void describe_sum_vmas(const struct manifest *m, struct describe_vmas ret_kinds[DESCRIBE_VMA_KINDS])
{
	memset(ret_kinds, 0, DESCRIBE_VMA_KINDS * sizeof(*ret_kinds));
	for (uint32_t i = 0; i < m->n_vmas; i++) {
		const struct m_vma *v = &m->vmas[i];

		ret_kinds[v->kind].count++;
		ret_kinds[v->kind].size += v->end - v->start;
		ret_kinds[v->kind].stored += describe_stored(m, v->first_piece, v->n_pieces);
	}
}
