/*
 * PREPARE leaves no dead object in the heap's memory, and harms no living one: a secret in dropped
 * objects is looked for in /proc/PID/mem, and threads that allocate and check what they have are
 * prepared over and over, with the VM verifying its heap.
 *
 * test_agent_prepare [JDK [ROUNDS]]
 */
#include "subject.h"

#include "../../unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SECRET_SIZE    48 /* as in Subject.java */
#define BLOCK	       (1u << 20)
#define DEFAULT_ROUNDS 25

static void secret_bytes(unsigned char *ret_secret)
{
	for (int i = 0; i < SECRET_SIZE; i++)
		ret_secret[i] = (unsigned char)('!' + (i * 37 + i * i * 11 + 5) % 89);
}

/* How many blocks of the Java heap hold the secret; what can't be read is not committed. */
static int secrets_in_heap(const struct subject *subject)
{
	static unsigned char block[BLOCK + SECRET_SIZE];
	unsigned char secret[SECRET_SIZE];
	unsigned long start, end, page = 4096;
	char path[64];
	int mem, found = 0;

	secret_bytes(secret);
	CHECK_EQ(sscanf(agent_payload_get(&subject->hello, "heap"), "%lx-%lx", &start, &end), 2);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)subject->pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(mem >= 0);
	while (start < end) {
		ssize_t n = pread(mem, block, sizeof(block), (off_t)start);

		if (n > 0 && memmem(block, (size_t)n, secret, sizeof(secret)))
			found++;
		start += n > 0 ? (n >= (ssize_t)BLOCK ? BLOCK : (unsigned long)n) : page;
	}
	close(mem);
	return found;
}

static void prepare(struct subject *subject, const char *scrub, struct agent_payload *ret_answer)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0};

	agent_payload_add(&question, "gc", "1");
	agent_payload_add(&question, "scrub", scrub);
	agent_payload_add(&question, "trim", "1");
	subject_ask(subject, AGENT_PREPARE, &question, AGENT_PREPARED, ret_answer);
}

static void test_secret(const char *jdk, const char *collector, bool scrubs)
{
	const char *flags[] = {"-XX:+UnlockExperimentalVMOptions",
			       collector,
			       "-Xcheck:jni",
			       "-Xlog:gc+init=error",
			       "-Xmx256m",
			       "-XX:+DisableExplicitGC",
			       NULL};
	CLEANUP_PAYLOAD struct agent_payload answer = {0};
	struct subject subject;

	subject_start(&subject, jdk, flags, "secret");
	CHECK_STR(subject_line(&subject), "spread");
	prepare(&subject, "0", &answer);
	agent_payload_free(&answer);
	if (scrubs)
		CHECK(secrets_in_heap(&subject) > 0);
	subject_go_on(&subject);
	CHECK_STR(subject_line(&subject), "dropped");
	prepare(&subject, "1", &answer);
	printf("%s %s: %s -> %s bytes, %s scrubbed, %s ms\n", jdk, collector,
	       agent_payload_get(&answer, "heap_before"), agent_payload_get(&answer, "heap_after"),
	       agent_payload_get(&answer, "scrubbed"), agent_payload_get(&answer, "gc_ms"));
	if (scrubs) {
		CHECK_EQ(secrets_in_heap(&subject), 0);
		CHECK(agent_payload_u64(&answer, "scrubbed", 0) > 0);
		CHECK(agent_payload_u64(&answer, "heap_after", 0) <
		      agent_payload_u64(&answer, "heap_before", 0));
	} else {
		CHECK_EQ(agent_payload_u64(&answer, "scrubbed", 1), 0);
		CHECK_EQ(agent_payload_u64(&answer, "scrub_error", 0), ENOTSUP);
	}
	subject_go_on(&subject);
	CHECK_STR(subject_line(&subject), "2000 kept");
	subject_finish(&subject);
}

static void test_churn(const char *jdk, const char *collector, const char *flag, int rounds)
{
	const char *flags[] = {collector,
			       "-Xmx128m",
			       "-XX:+UnlockDiagnosticVMOptions",
			       "-XX:+VerifyBeforeGC",
			       "-XX:+VerifyAfterGC",
			       flag,
			       NULL};
	struct subject subject;

	subject_start(&subject, jdk, flags, "churn");
	CHECK_STR(subject_line(&subject), "ready");
	for (int i = 0; i < rounds; i++) {
		CLEANUP_PAYLOAD struct agent_payload answer = {0};

		prepare(&subject, "1", &answer);
		CHECK(agent_payload_u64(&answer, "scrubbed", 0) > 0);
	}
	subject_go_on(&subject);
	CHECK_STR(subject_line(&subject), "wrong 0");
	subject_finish(&subject);
	printf("%s %s %s: %d rounds\n", jdk, collector, flag ? flag : "", rounds);
}

/* Collections are put off while a thread is in a JNI critical section (JDK 17 and 21), or go around
 * what it holds (from 22 on, G1): either way one happens in the end. */
static void test_critical(const char *jdk, const char *collector)
{
	struct subject subject;

	subject_start(&subject, jdk, (const char *[]){collector, NULL}, "critical");
	CHECK_STR(subject_line(&subject), "ready");
	for (int i = 0; i < 3; i++) {
		CLEANUP_PAYLOAD struct agent_payload answer = {0};

		prepare(&subject, "1", &answer);
		CHECK(agent_payload_u64(&answer, "scrubbed", 0) > 0);
		printf("%s %s critical: %s ms\n", jdk, collector,
		       agent_payload_get(&answer, "gc_ms"));
	}
	subject_go_on(&subject);
	CHECK_STR(subject_line(&subject), "done");
	subject_finish(&subject);
}

int main(int argc, char **argv)
{
	const char *jdk = subject_jdk(argc, argv);
	int rounds = argc > 2 ? atoi(argv[2]) : DEFAULT_ROUNDS;

	if (argc > 2)
		alarm(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	subject_compile(jdk);
	test_secret(jdk, "-XX:+UseSerialGC", true);
	test_secret(jdk, "-XX:+UseParallelGC", true);
	test_secret(jdk, "-XX:+UseG1GC", true);
	test_secret(jdk, "-XX:+UseZGC", false);
	test_secret(jdk, "-XX:+UseEpsilonGC", false);
	test_critical(jdk, "-XX:+UseSerialGC");
	test_critical(jdk, "-XX:+UseParallelGC");
	test_critical(jdk, "-XX:+UseG1GC");
	test_churn(jdk, "-XX:+UseSerialGC", "-XX:-UsePerfData", rounds);
	test_churn(jdk, "-XX:+UseParallelGC", NULL, rounds);
	test_churn(jdk, "-XX:+UseG1GC", NULL, rounds);
	test_churn(jdk, "-XX:+UseG1GC", "-XX:+UseTransparentHugePages", rounds / 4);
	return 0;
}
