/*
 * From HOLD to RESTORED or RESUMED the application stands still, virtual threads among it, and
 * nothing that it was about when it was stopped makes that last: not a static initializer that
 * never ends, not an agent that hangs. What runs first afterwards sees the new world.
 */
#include "subject.h"

#include "../../unit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DUE_MS	       1500 /* Subject.tasks */
#define SLEPT_MS       2000
#define CYCLES	       100
#define DRAWING_CYCLES 40

static char folder[] = "/tmp/jsnap-test-hold-XXXXXX";
static char fifo[PATH_MAX], counter[PATH_MAX];

static void clean_up(void)
{
	unlink(fifo);
	unlink(counter);
	rmdir(folder);
}

static void make_files(void)
{
	CHECK(mkdtemp(folder) != NULL);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	snprintf(counter, sizeof(counter), "%s/counter", folder);
	atexit(clean_up);
	CHECK_EQ(mkfifo(fifo, 0600), 0);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(unsigned ms)
{
	poll(NULL, 0, (int)ms);
}

static void prepare(struct subject *subject)
{
	CLEANUP_PAYLOAD struct agent_payload answer = {0};

	subject_ask(subject, AGENT_PREPARE, NULL, AGENT_PREPARED, &answer);
}

static void hold(struct subject *subject, const char *seconds)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};

	if (seconds)
		agent_payload_add(&question, "seconds", seconds);
	subject_ask(subject, AGENT_HOLD, &question, AGENT_HELD, &answer);
	CHECK_EQ(agent_payload_u64(&answer, "held", 0), 1);
}

static void resume(struct subject *subject)
{
	struct jsnap_error err = {0};

	CHECK_EQ(agent_send(subject->control, AGENT_RESUMED, 0, NULL, &err), 0);
}

/* How many random states were made anew. */
static uint64_t restored(struct subject *subject, const char *zone)
{
	CLEANUP_PAYLOAD struct agent_payload question = {0}, answer = {0};
	char variable[64];

	snprintf(variable, sizeof(variable), "TZ=%s", zone);
	agent_payload_add(&question, "env", variable);
	agent_payload_add(&question, "env", "JSNAP_TEST_NEW=new");
	agent_payload_add(&question, "prop", "jsnap.test=set");
	subject_ask(subject, AGENT_RESTORED, &question, AGENT_REFRESHED, &answer);
	CHECK_EQ(agent_payload_u64(&answer, "props", 0), 1);
	return agent_payload_u64(&answer, "random", 0);
}

static void check_line(struct subject *subject, const char *expected)
{
	CHECK_STR(subject_line(subject), expected);
}

/* Nothing that is looked up waits for a class that is being initialized, neither before the threads
 * stop nor afterwards, when it would be for ever. */
static void test_initializer(const char *jdk)
{
	char seed[PATH_MAX + 32];
	const char *flags[] = {"-Djava.util.secureRandomSeed=true", seed, NULL};
	struct subject subject;

	snprintf(seed, sizeof(seed), "-Djava.security.egd=file:%s", fifo);
	subject_start(&subject, jdk, flags, "initializer");
	check_line(&subject, "ready");
	prepare(&subject);
	subject_go_on(&subject);
	check_line(&subject, "initializing");
	hold(&subject, NULL);
	resume(&subject);
	prepare(&subject);
	hold(&subject, NULL);
	resume(&subject);
	subject_go_on(&subject);
	check_line(&subject, "going on");
	subject_finish(&subject);
}

/* A class that was initialized after the look-up is found all the same, with or without counters.
 */
static void test_initialized(const char *jdk, const char *flag)
{
	const char *flags[] = {flag, NULL};
	struct subject subject;
	uint64_t before;

	subject_start(&subject, jdk, flags, "random");
	check_line(&subject, "ready");
	prepare(&subject);
	hold(&subject, NULL);
	before = restored(&subject, "UTC");
	prepare(&subject);
	subject_go_on(&subject);
	check_line(&subject, "initialized");
	hold(&subject, NULL);
	CHECK_EQ(restored(&subject, "UTC"), before + 1);
	subject_go_on(&subject);
	subject_finish(&subject);
}

static pid_t thread_called(pid_t pid, const char *name)
{
	char path[PATH_MAX], comm[32];
	struct dirent *entry;
	pid_t found = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	CHECK(tasks != NULL);
	while ((entry = readdir(tasks))) {
		int fd;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, entry->d_name);
		fd = entry->d_name[0] == '.' ? -1 : open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, comm, sizeof(comm) - 1);
		if (n > 0 && !strncmp(comm, name, strlen(name)))
			found = (pid_t)atoi(entry->d_name);
		if (fd >= 0)
			close(fd);
	}
	closedir(tasks);
	return found;
}

static bool has_output(struct subject *subject, int ms)
{
	struct pollfd out = {.fd = fileno(subject->out), .events = POLLIN};

	return poll(&out, 1, ms) > 0;
}

/* An agent that hangs is played by one that is stopped. */
static void test_watch(const char *jdk)
{
	struct subject subject;
	pid_t agent;
	int status;

	subject_start(&subject, jdk, NULL, "park");
	check_line(&subject, "ready");
	agent = thread_called(subject.pid, "jsnap-agent");
	CHECK(agent > 0);
	prepare(&subject);
	hold(&subject, "5");
	CHECK_EQ(ptrace(PTRACE_SEIZE, agent, 0, 0), 0);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, agent, 0, 0), 0);
	CHECK_EQ(waitpid(agent, &status, __WALL), agent);
	subject_go_on(&subject);
	CHECK(!has_output(&subject, 300));
	check_line(&subject, "going on");
	CHECK_EQ(ptrace(PTRACE_DETACH, agent, 0, 0), 0);
	subject_finish(&subject);
}

/* `seen`: at once and later, or, where somebody has the properties' monitor, only later. */
static void test_at_once(const char *jdk, const char *mode, const char *zone, const char *ready,
			 const char *seen_zone)
{
	char line[128];
	struct subject subject;

	setenv("TZ", zone, 1);
	subject_start(&subject, jdk, (const char *[]){"-Xcheck:jni", NULL}, mode);
	unsetenv("TZ");
	check_line(&subject, ready);
	prepare(&subject);
	hold(&subject, NULL);
	restored(&subject, "Asia/Tokyo");
	if (!strstr(mode, "owned")) {
		snprintf(line, sizeof(line), "at once set %s new", seen_zone);
		check_line(&subject, line);
	}
	subject_go_on(&subject);
	snprintf(line, sizeof(line), "later set %s", seen_zone);
	check_line(&subject, line);
	subject_go_on(&subject);
	subject_finish(&subject);
}

/* A default that is worked out after the agent has looked, and before the threads stop. */
static void test_late_zone(const char *jdk)
{
	struct subject subject;

	setenv("TZ", "Europe/Paris", 1);
	subject_start(&subject, jdk, (const char *[]){"-Xcheck:jni", NULL}, "late-zone");
	unsetenv("TZ");
	check_line(&subject, "ready");
	prepare(&subject);
	subject_go_on(&subject);
	check_line(&subject, "made Europe/Paris");
	hold(&subject, NULL);
	restored(&subject, "Asia/Tokyo");
	subject_go_on(&subject);
	check_line(&subject, "then Asia/Tokyo");
	subject_finish(&subject);
}

/* A pool that lends without a look is told to look, until what it has of before is gone. */
static void test_lender(const char *jdk)
{
	struct subject subject;

	subject_start(&subject, jdk, (const char *[]){"-Xcheck:jni", NULL}, "lender");
	check_line(&subject, "looks false true");
	prepare(&subject);
	hold(&subject, NULL);
	restored(&subject, "UTC");
	subject_go_on(&subject);
	check_line(&subject, "looks true true");
	check_line(&subject, "looks false true");
	subject_finish(&subject);
}

/* More objects of a class than are kept: the launcher is told, before the answer. */
static void test_crowd(const char *jdk)
{
	const char *flags[] = {"-Xmx600m", NULL};
	CLEANUP_PAYLOAD struct agent_payload note = {0}, answer = {0};
	struct agent_header header;
	struct subject subject;

	subject_start(&subject, jdk, flags, "crowd");
	check_line(&subject, "ready");
	prepare(&subject);
	subject_ask(&subject, AGENT_HOLD, NULL, AGENT_NOTE, &note);
	CHECK(strstr(agent_payload_get(&note, "message"),
		     "more than 1000000 objects of "
		     "Ljava/util/concurrent/ScheduledThreadPoolExecutor$ScheduledFutureTask;"));
	CHECK_EQ(agent_receive(subject.control, 60000, &header, &answer, NULL), 0);
	CHECK_EQ(header.type, AGENT_HELD);
	resume(&subject);
	subject_go_on(&subject);
	subject_finish(&subject);
}

/* Everything that goes by nanoTime, and fixed rates of Timers, keep the time that they had left. */
static void test_tasks(const char *jdk)
{
	struct subject subject;
	uint64_t armed, awake;
	int tasks = 0;

	subject_start(&subject, jdk, NULL, "tasks");
	check_line(&subject, "ready");
	prepare(&subject);
	armed = now_ms();
	subject_go_on(&subject);
	check_line(&subject, "armed");
	prepare(&subject);
	hold(&subject, NULL);
	awake = now_ms() - armed;
	sleep_ms(SLEPT_MS);
	restored(&subject, "UTC");
	for (; tasks < 7; tasks++) {
		char name[32];
		long long ran;

		CHECK_EQ(sscanf(subject_line(&subject), "%31s %lld", name, &ran), 2);
		fprintf(stderr, "%s: %lld ms after the restore\n", name, ran);
		if (strcmp(name, "timer-once") != 0 && strcmp(name, "timer-delay") != 0)
			CHECK(ran + (long long)awake + 10 >= DUE_MS);
	}
	subject_finish(&subject);
}

/* Whoever draws is stopped where it does not: else it would put its old seed back. Code that is
 * interpreted can be stopped anywhere. */
static void test_drawing(const char *jdk)
{
	const char *flags[] = {"-Xint", "--add-opens=java.base/java.lang=ALL-UNNAMED", NULL};
	struct subject subject;
	int jumps = 0;

	subject_start(&subject, jdk, flags, "drawing");
	check_line(&subject, "drawn");
	for (int i = 0; i < DRAWING_CYCLES; i++) {
		prepare(&subject);
		hold(&subject, NULL);
		restored(&subject, "UTC");
		subject_go_on(&subject);
		check_line(&subject, "drawn");
	}
	subject_go_on(&subject);
	CHECK_EQ(sscanf(subject_line(&subject), "jumped %d", &jumps), 1);
	/* Without it there are several that are lost. One may be that got no processor. */
	CHECK(jumps >= 4 * DRAWING_CYCLES - 1);
	subject_finish(&subject);
}

static uint32_t count(void)
{
	uint32_t n = 0;
	int fd = open(counter, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, &n, sizeof(n), 0), (ssize_t)sizeof(n));
	close(fd);
	return __builtin_bswap32(n);
}

static void test_virtual(const char *jdk)
{
	struct subject subject;
	uint32_t before;

	setenv("JSNAP_TEST_COUNTER", counter, 1);
	subject_start(&subject, jdk, NULL, "virtual");
	if (!strcmp(subject_line(&subject), "none")) {
		subject_finish(&subject);
		return;
	}
	for (int i = 0; i < CYCLES; i++) {
		prepare(&subject);
		before = count();
		while (count() == before)
			sleep_ms(1);
		hold(&subject, NULL);
		before = count();
		sleep_ms(10);
		CHECK_EQ(count(), before);
		resume(&subject);
	}
	subject_go_on(&subject);
	check_line(&subject, "ended");
	subject_finish(&subject);
}

int main(int argc, char **argv)
{
	const char *jdk = subject_jdk(argc, argv);

	subject_compile(jdk);
	make_files();
	test_initializer(jdk);
	test_initialized(jdk, "-XX:+UsePerfData");
	test_initialized(jdk, "-XX:-UsePerfData");
	test_watch(jdk);
	test_at_once(jdk, "at-once-derived", "Europe/Paris", "ready Europe/Paris", "Asia/Tokyo");
	test_at_once(jdk, "at-once-derived", "JST-8", "ready GMT+08:00", "Asia/Tokyo");
	test_at_once(jdk, "at-once-chosen", "Europe/Paris", "ready Europe/Paris", "Europe/Paris");
	test_at_once(jdk, "at-once-chosen", "UTC", "ready UTC", "UTC");
	test_at_once(jdk, "at-once-property", "UTC", "ready America/Lima", "America/Lima");
	test_at_once(jdk, "at-once-owned", "UTC", "ready UTC", "Asia/Tokyo");
	test_at_once(jdk, "at-once-owned-virtual", "UTC", "ready UTC", "Asia/Tokyo");
	test_late_zone(jdk);
	test_crowd(jdk);
	test_lender(jdk);
	test_tasks(jdk);
	test_drawing(jdk);
	test_virtual(jdk);
	return 0;
}
