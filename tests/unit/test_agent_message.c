/* The control channel's messages: building, checking, sending and receiving them. */
#include "agent/message.h"
#include "base/cleanup.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_fields(void)
{
	CLEANUP_PAYLOAD struct agent_payload p = {0};
	struct agent_field field;
	size_t pos = 0;

	CHECK_EQ(agent_payload_add(&p, "env", "A=1"), 0);
	CHECK_EQ(agent_payload_addf(&p, "count", "%d", 42), 0);
	CHECK_EQ(agent_payload_add(&p, "env", ""), 0);
	CHECK_EQ(agent_payload_check(p.data, p.size, NULL), 0);
	CHECK_STR(agent_payload_get(&p, "env"), "A=1");
	CHECK_EQ(agent_payload_u64(&p, "count", 7), 42);
	CHECK_EQ(agent_payload_u64(&p, "env", 7), 7);
	CHECK_EQ(agent_payload_u64(&p, "absent", 7), 7);
	CHECK(!agent_payload_get(&p, "en"));
	CHECK(!agent_payload_get(&p, "envs"));
	for (int i = 0; i < 3; i++)
		CHECK(agent_payload_next(&p, &pos, &field));
	CHECK(agent_field_is(&field, "env"));
	CHECK_STR(field.value, "");
	CHECK(!agent_payload_next(&p, &pos, &field));
}

static void test_refused_fields(void)
{
	CLEANUP_PAYLOAD struct agent_payload p = {0};
	char *large = malloc(AGENT_MESSAGE_MAX + 1);

	CHECK_EQ(agent_payload_add(&p, "", "x"), -EINVAL);
	CHECK_EQ(agent_payload_add(&p, "a=b", "x"), -EINVAL);
	CHECK(large != NULL);
	memset(large, 'x', AGENT_MESSAGE_MAX);
	large[AGENT_MESSAGE_MAX] = '\0';
	CHECK_EQ(agent_payload_add(&p, "k", large), -E2BIG);
	large[AGENT_MESSAGE_MAX - 3] = '\0';
	CHECK_EQ(agent_payload_add(&p, "k", large), 0);
	CHECK_EQ(p.size, AGENT_MESSAGE_MAX);
	CHECK_EQ(agent_payload_add(&p, "k", ""), -E2BIG);
	CHECK_EQ(p.size, AGENT_MESSAGE_MAX);
	free(large);
}

static void test_check(void)
{
	struct jsnap_error err = {0};

	CHECK_EQ(agent_payload_check("", 0, &err), 0);
	CHECK_EQ(agent_payload_check("a=b\0c=", 7, &err), 0);
	CHECK_EQ(agent_payload_check("a=b\0c=", 6, &err), -EPROTO);
	CHECK_EQ(agent_payload_check("a\0b=c", 6, &err), -EPROTO);
	CHECK_EQ(agent_payload_check("=b", 3, &err), -EPROTO);
	CHECK_EQ(agent_payload_check("", 1, &err), -EPROTO);
	CHECK(strlen(err.text) > 0);
}

/* The child sends what no socket buffer holds; the parent gets it in pieces. */
static void test_large_message(int *ends)
{
	CLEANUP_PAYLOAD struct agent_payload p = {0}, received = {0};
	struct agent_header header;
	int status;
	pid_t pid;

	for (int i = 0; i < 100000; i++)
		CHECK_EQ(agent_payload_addf(&p, "env", "VARIABLE_%d=%d", i, i * 3), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		_exit(agent_send(ends[0], AGENT_RESTORED, 5, &p, NULL) ? 1 : 0);
	CHECK_EQ(agent_receive(ends[1], 20000, &header, &received, NULL), 0);
	CHECK_EQ(header.type, AGENT_RESTORED);
	CHECK_EQ(header.sequence, 5);
	CHECK_EQ(received.size, p.size);
	CHECK(!memcmp(received.data, p.data, p.size));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void test_timeout(int *ends)
{
	struct agent_payload received = {0};
	struct agent_header header = {.magic = AGENT_MAGIC, .size = 10};
	struct jsnap_error err = {0};

	CHECK_EQ(agent_receive(ends[1], 20, &header, &received, &err), -ETIMEDOUT);
	CHECK_EQ(err.code, ETIMEDOUT);
	CHECK_EQ(write(ends[0], &header, sizeof(header)), sizeof(header));
	CHECK_EQ(agent_receive(ends[1], 20, &header, &received, &err), -ETIMEDOUT);
	CHECK(!received.data);
}

/* A malformed message is consumed, so that the next one is read. */
static void test_malformed(int *ends)
{
	static char text[] = "nothing";
	const struct agent_payload bad = {.data = text, .size = sizeof(text)};
	CLEANUP_PAYLOAD struct agent_payload received = {0};
	struct agent_header header;
	struct jsnap_error err = {0};

	CHECK_EQ(agent_send(ends[0], AGENT_PREPARE, 1, &bad, NULL), 0);
	CHECK_EQ(agent_send(ends[0], AGENT_STATUS, 2, NULL, NULL), 0);
	CHECK_EQ(agent_receive(ends[1], 1000, &header, &received, &err), -EPROTO);
	CHECK_EQ(header.sequence, 1);
	CHECK_EQ(agent_receive(ends[1], 1000, &header, &received, &err), 0);
	CHECK_EQ(header.sequence, 2);
}

/* Neither end dies of SIGPIPE, and an end in the middle is not mistaken for one in between. */
static void test_other_end_gone(int *ends)
{
	const struct agent_header header = {.magic = AGENT_MAGIC, .size = 10};
	struct agent_payload received = {0};
	struct agent_header got;

	CHECK_EQ(write(ends[0], &header, sizeof(header)), sizeof(header));
	close(steal_fd(&ends[0]));
	CHECK_EQ(agent_receive(ends[1], -1, &got, &received, NULL), -ECONNRESET);
	CHECK_EQ(agent_receive(ends[1], -1, &got, &received, NULL), -ENODATA);
	CHECK_EQ(agent_send(ends[1], AGENT_STATUS, 1, NULL, NULL), -EPIPE);
}

static void with_pair(void (*test)(int *ends), int flags)
{
	int ends[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | flags, 0, ends));
	test(ends);
	cleanup_close(&ends[0]);
	cleanup_close(&ends[1]);
}

int main(void)
{
	test_fields();
	test_refused_fields();
	test_check();
	with_pair(test_large_message, 0);
	with_pair(test_large_message, SOCK_NONBLOCK);
	with_pair(test_timeout, 0);
	with_pair(test_malformed, 0);
	with_pair(test_other_end_gone, 0);
	return 0;
}
