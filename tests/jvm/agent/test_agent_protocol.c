/*
 * The agent's answers about an application, what it makes of bad messages, and that nobody notices
 * when the launcher is gone.
 */
#include "subject.h"

#include "base/io.h"

#include "../../unit/check.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

static const char *status_of(struct subject *subject, const char *key)
{
	static char value[64];
	CLEANUP_PAYLOAD struct agent_payload answer = {0};

	subject_ask(subject, AGENT_STATUS, NULL, AGENT_STATE, &answer);
	CHECK(agent_payload_get(&answer, key) != NULL);
	snprintf(value, sizeof(value), "%s", agent_payload_get(&answer, key));
	return value;
}

static void await_main(struct subject *subject, const char *state)
{
	for (int i = 0; i < 200 && strcmp(status_of(subject, "main"), state) != 0; i++)
		usleep(20000);
	CHECK_STR(status_of(subject, "main"), state);
}

static void check_hello(const struct subject *subject)
{
	unsigned long start, end;

	CHECK_EQ(agent_payload_u64(&subject->hello, "protocol", 0), AGENT_PROTOCOL_VERSION);
	CHECK_EQ(agent_payload_u64(&subject->hello, "pid", 0), subject->pid);
	CHECK_STR(agent_payload_get(&subject->hello, "gc"), "g1");
	CHECK(agent_payload_get(&subject->hello, "version") != NULL);
	CHECK(agent_payload_get(&subject->hello, "vm") != NULL);
	CHECK_EQ(sscanf(agent_payload_get(&subject->hello, "heap"), "%lx-%lx", &start, &end), 2);
	CHECK(end > start);
}

static void check_unknown_type(struct subject *subject)
{
	CLEANUP_PAYLOAD struct agent_payload answer = {0};

	subject_ask(subject, (enum agent_message)77, NULL, AGENT_ERROR, &answer);
	CHECK(agent_payload_get(&answer, "message") != NULL);
}

/* The stream stays in step: the next question is answered. */
static void check_malformed_payload(struct subject *subject)
{
	static char text[] = "no equals sign";
	struct agent_payload question = {.data = text, .size = sizeof(text)};
	CLEANUP_PAYLOAD struct agent_payload answer = {0};

	subject_ask(subject, AGENT_PREPARE, &question, AGENT_ERROR, &answer);
	question.size--;
	agent_payload_free(&answer);
	subject_ask(subject, AGENT_PREPARE, &question, AGENT_ERROR, &answer);
}

/* Nothing after it can be trusted: an error, then the end of the channel. */
static void check_out_of_step(struct subject *subject, struct agent_header bad)
{
	CLEANUP_PAYLOAD struct agent_payload answer = {0}, nothing = {0};
	struct agent_header header;

	CHECK_EQ(write(subject->control, &bad, sizeof(bad)), sizeof(bad));
	CHECK_EQ(agent_receive(subject->control, 10000, &header, &answer, NULL), 0);
	CHECK_EQ(header.type, AGENT_ERROR);
	CHECK_EQ(agent_receive(subject->control, 10000, &header, &nothing, NULL), -ENODATA);
}

/* A header that comes in pieces is a header. */
static void check_pieces(struct subject *subject)
{
	const struct agent_header header = {
		.magic = AGENT_MAGIC, .type = AGENT_STATUS, .sequence = 4711};
	CLEANUP_PAYLOAD struct agent_payload answer = {0};
	struct agent_header reply;

	for (size_t i = 0; i < sizeof(header); i += 4) {
		CHECK_EQ(write(subject->control, (const char *)&header + i, 4), 4);
		usleep(5000);
	}
	CHECK_EQ(agent_receive(subject->control, 10000, &reply, &answer, NULL), 0);
	CHECK_EQ(reply.sequence, 4711);
}

static void test_parked(const char *jdk)
{
	struct subject subject;

	subject_start(&subject, jdk, (const char *[]){"-XX:+UseG1GC", "-Xcheck:jni", NULL}, "park");
	check_hello(&subject);
	CHECK_STR(subject_line(&subject), "ready");
	await_main(&subject, "parked");
	CHECK(atoi(status_of(&subject, "classes")) > 100);
	CHECK(atoi(status_of(&subject, "compiles")) > 0);
	CHECK(atoi(status_of(&subject, "uptime_ms")) > 0);
	check_unknown_type(&subject);
	check_malformed_payload(&subject);
	check_pieces(&subject);
	CHECK(!agent_send(subject.control, AGENT_RESUMED, 9, NULL, NULL));
	await_main(&subject, "parked");
	check_out_of_step(&subject, (struct agent_header){.magic = 1, .type = AGENT_STATUS});
	subject_go_on(&subject);
	CHECK_STR(subject_line(&subject), "going on");
	subject_finish(&subject);
}

static void test_ended(const char *jdk)
{
	struct subject subject;

	subject_start(&subject, jdk, (const char *[]){"-XX:-UsePerfData", NULL}, "end");
	CHECK_STR(subject_line(&subject), "ready");
	await_main(&subject, "ended");
	CHECK(atoi(status_of(&subject, "classes")) > 100);
	check_out_of_step(&subject, (struct agent_header){.magic = AGENT_MAGIC,
							  .type = AGENT_PREPARE,
							  .size = AGENT_MESSAGE_MAX + 1});
	subject_go_on(&subject);
	subject_finish(&subject);
}

static int sockets_of(pid_t pid)
{
	char path[64], target[256];
	struct dirent *entry;
	int count = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	fds = opendir(path);
	CHECK(fds != NULL);
	while ((entry = readdir(fds))) {
		ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		count += !strncmp(target, "socket:", 7);
	}
	closedir(fds);
	return count;
}

static void test_launcher_gone(const char *jdk)
{
	struct subject subject;

	subject_start(&subject, jdk, NULL, "park");
	CHECK_STR(subject_line(&subject), "ready");
	CHECK_EQ(sockets_of(subject.pid), 1);
	close(subject.control);
	subject.control = -1;
	for (int i = 0; i < 200 && sockets_of(subject.pid); i++)
		usleep(20000);
	CHECK_EQ(sockets_of(subject.pid), 0);
	subject_go_on(&subject);
	CHECK_STR(subject_line(&subject), "going on");
	subject_finish(&subject);
}

/*
 * A VM that ends waits 300 ms for a thread that is in native code, as the agent's is; it must not
 * be there any more. The best of some runs counts, since other work may be going on.
 */
static void test_ends_at_once(const char *jdk)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		struct subject subject;
		uint64_t start;

		subject_start(&subject, jdk, NULL, "park");
		CHECK_STR(subject_line(&subject), "ready");
		subject_go_on(&subject);
		CHECK_STR(subject_line(&subject), "going on");
		start = monotonic_ns();
		subject_finish(&subject);
		if (monotonic_ns() - start < best)
			best = monotonic_ns() - start;
	}
	CHECK(best < 250000000);
}

/* As in a child that an application starts with its own arguments: nothing there is the channel. */
static void test_no_channel(const char *jdk)
{
	static const char *const options[] = {
		"", "=", "=fd=", "=fd=0", "=fd=-1", "=fd=77", "=fd=99999999999", "=nonsense"};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		CHECK_EQ(subject_run(jdk, options[i], "end"), 0);
}

/* Whoever has its answer asks no more: a snapshot that is wanted at once, before its thread is
 * awake, is announced when that has told its resources that it goes on. */
static void test_asked_at_once(const char *jdk)
{
	struct subject subject;

	subject_start(&subject, jdk, NULL, "asking");
	CHECK_STR(subject_line(&subject), "ready");
	for (int i = 0; i < 100; i++) {
		CLEANUP_PAYLOAD struct agent_payload request = {0}, answer = {0};
		struct agent_header header;

		subject_go_on(&subject);
		CHECK_STR(subject_line(&subject), "beforeCheckpoint by main");
		CHECK_EQ(agent_receive(subject.control, 10000, &header, &request, NULL), 0);
		CHECK_EQ(header.type, AGENT_CHECKPOINT_REQUEST);
		CHECK(!agent_send(subject.control, AGENT_RESUMED, 0, NULL, NULL));
		subject_ask(&subject, AGENT_PREPARE, NULL, AGENT_PREPARED, &answer);
		CHECK_STR(subject_line(&subject), "afterRestore by main");
		CHECK_STR(subject_line(&subject), "beforeCheckpoint by jsnap-announcement");
		CHECK(!agent_send(subject.control, AGENT_RESUMED, 0, NULL, NULL));
		CHECK_STR(subject_line(&subject), "afterRestore by jsnap-announcement");
	}
	fputs("end\n", subject.in);
	subject_go_on(&subject);
	subject_finish(&subject);
}

int main(int argc, char **argv)
{
	const char *jdk = subject_jdk(argc, argv);

	subject_compile(jdk);
	test_parked(jdk);
	test_ended(jdk);
	test_launcher_gone(jdk);
	test_ends_at_once(jdk);
	test_no_channel(jdk);
	test_asked_at_once(jdk);
	return 0;
}
