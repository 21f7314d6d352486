/* What `jsnap inspect` shows of a manifest: exact JSON, and text that cannot move a cursor. */
#include "image/manifest_print.h"

#include "base/cleanup.h"
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

static void add_socket(struct manifest *m, uint32_t fd, const void *address, size_t size)
{
	struct m_socket *s = MANIFEST_ADD(m, sockets);
	struct m_file *f = MANIFEST_ADD(m, files);

	s->family = *(const sa_family_t *)address;
	s->type = SOCK_STREAM;
	s->state = M_SOCKET_LISTEN;
	s->peer = MANIFEST_NONE;
	CHECK_EQ(manifest_blob(m, address, size, &s->local), 0);
	f->kind = M_FILE_SOCKET;
	f->flags = 2;
	f->target = m->n_sockets - 1;
	*MANIFEST_ADD(m, fds) = (struct m_fd){.fd = fd, .file = m->n_files - 1};
}

static void build(struct manifest *m)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(8080)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0abs"};

	CHECK_EQ(manifest_init(m, NULL), 0);
	m->process->pid = 42;
	m->process->page_size = 4096;
	m->process->stream_size = 8192;
	m->process->realtime_ns = 1000000000ull * 86400;
	memcpy((MANIFEST_ADD(m, threads))->comm, "m\"ain\x1b", 7);
	m->threads[0].tid = 42;
	*MANIFEST_ADD(m, vmas) = (struct m_vma){.start = 4096, .end = 16384, .n_pieces = 1};
	*MANIFEST_ADD(m, pieces) = (struct m_piece){.addr = 4096, .size = 8192};
	MANIFEST_ADD(m, backings)->content_object = MANIFEST_NONE;
	CHECK_EQ(manifest_string(m, "/\xff\xc3\xa4\xed\xa0\x80\\", &m->backings[0].path), 0);
	m->backings[0].uses = M_BACKING_EXE;
	m->backings[0].mtime_ns = -1;
	CHECK_EQ(manifest_blob(m, "\x01\xab", 2, &m->backings[0].build_id), 0);
	MANIFEST_ADD(m, files)->kind = M_FILE_INHERIT;
	CHECK_EQ(manifest_string(m, "stdin", &m->files[0].name), 0);
	*MANIFEST_ADD(m, fds) = (struct m_fd){.fd = 0};
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in6.sin6_addr = in6addr_loopback;
	add_socket(m, 3, &in, sizeof(in));
	add_socket(m, 4, &in6, sizeof(in6));
	add_socket(m, 5, &un, offsetof(struct sockaddr_un, sun_path) + 4);
	CHECK_EQ(manifest_set_note(m, "k", "\xe2\x82", NULL), 0);
	CHECK_EQ(manifest_check(m, NULL), 0);
}

static const char expected[] =
	"{\"image\":{\"id\":\"00000000000000020000000000000001\",\"format\":1,"
	"\"created\":\"1970-01-01T00:00:01Z\",\"protection\":\"plain\",\"authentic\":false,"
	"\"arch\":\"x86_64\",\"kernel\":\"6.1\","
	"\"machine\":\"\",\"lsm\":\"\",\"lsm_label\":\"\",\"manifest_size\":9,"
	"\"stream_size\":8192},"
	"\"process\":{\"pid\":42,\"executable\":\"/\\ufffd\u00e4\\ufffd\\ufffd\\ufffd\\\\\","
	"\"cwd\":\"\",\"umask\":0,\"no_new_privs\":false,\"dumpable\":false,"
	"\"stopped\":\"1970-01-02T00:00:00Z\",\"page_size\":4096,\"stream_size\":8192},"
	"\"threads\":[{\"tid\":42,\"name\":\"m\\\"ain\\u001b\"}],"
	"\"mappings\":{\"anonymous\":{\"count\":1,\"size\":12288,\"stored\":8192},"
	"\"file-private\":{\"count\":0,\"size\":0,\"stored\":0},"
	"\"file-shared\":{\"count\":0,\"size\":0,\"stored\":0},"
	"\"object\":{\"count\":0,\"size\":0,\"stored\":0},"
	"\"vdso\":{\"count\":0,\"size\":0,\"stored\":0},"
	"\"vvar\":{\"count\":0,\"size\":0,\"stored\":0}},"
	"\"objects\":[],"
	"\"descriptors\":["
	"{\"fd\":0,\"file\":0,\"kind\":\"inherited\",\"flags\":0,\"position\":0,"
	"\"target\":\"stdin\"},"
	"{\"fd\":3,\"file\":1,\"kind\":\"socket\",\"flags\":2,\"position\":0,\"target\":\"\","
	"\"socket\":0},"
	"{\"fd\":4,\"file\":2,\"kind\":\"socket\",\"flags\":2,\"position\":0,\"target\":\"\","
	"\"socket\":1},"
	"{\"fd\":5,\"file\":3,\"kind\":\"socket\",\"flags\":2,\"position\":0,\"target\":\"\","
	"\"socket\":2}],"
	"\"sockets\":["
	"{\"family\":\"ipv4\",\"type\":\"stream\",\"state\":\"listening\","
	"\"local\":\"127.0.0.1:8080\",\"remote\":\"\",\"unread\":0},"
	"{\"family\":\"ipv6\",\"type\":\"stream\",\"state\":\"listening\","
	"\"local\":\"[::1]:443\",\"remote\":\"\",\"unread\":0},"
	"{\"family\":\"unix\",\"type\":\"stream\",\"state\":\"listening\","
	"\"local\":\"@abs\",\"remote\":\"\",\"unread\":0}],"
	"\"files\":[{\"path\":\"/\\ufffd\u00e4\\ufffd\\ufffd\\ufffd\\\\\",\"size\":0,"
	"\"mtime_ns\":-1,\"executable\":true,\"mapped\":false,\"open\":false,"
	"\"build_id\":\"01ab\"}],"
	"\"notes\":{\"k\":\"\\ufffd\\ufffd\"}}\n";

int main(void)
{
	struct image_header header = {.version = 1,
				      .arch = "x86_64",
				      .kernel = "6.1",
				      .manifest_size = 9,
				      .stream_size = 8192,
				      .id = {1, 2},
				      .created_realtime_ns = 1000000000};
	CLEANUP_MANIFEST struct manifest m = {0};
	char *json = NULL, *text = NULL;
	size_t size;
	FILE *out;

	build(&m);
	out = open_memstream(&json, &size);
	CHECK(out);
	manifest_print_json(&m, &header, out);
	fclose(out);
	CHECK_STR(json, expected);
	out = open_memstream(&text, &size);
	CHECK(out);
	manifest_print_text(&m, &header, out);
	fclose(out);
	CHECK(strstr(text, "m\"ain\\x1b\n"));
	CHECK(strstr(text, "ipv4 stream listening 127.0.0.1:8080"));
	CHECK(strstr(text, "anonymous          1  12 KiB, stored 8192 B"));
	CHECK(!strchr(text, '\x1b'));
	free(json);
	free(text);
	return 0;
}
