/* See subject.h. */
#include "subject.h"

#include "../../unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAGS_MAX     40
#define ANSWER_MS     60000
#define WATCHDOG_SECS 240

static char class_folder[] = "/tmp/jsnap-test-agent-XXXXXX";
static pid_t running;

const char *subject_jdk(int argc, char **argv)
{
	const char *home = argc > 1 ? argv[1] : getenv("JAVA_HOME");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bin/javac", home ? home : "");
	if (!home || access(path, X_OK)) {
		fprintf(stderr, "skipped: no JDK: set JAVA_HOME or name one\n");
		exit(getenv("JSNAP_TEST_STRICT") ? 1 : 77);
	}
	alarm(WATCHDOG_SECS);
	signal(SIGPIPE, SIG_IGN);
	return home;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void clean_up(void)
{
	if (running)
		kill(running, SIGKILL);
	nftw(class_folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static pid_t spawn(const char *const *argv, int in, int out)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	if (in >= 0)
		dup2(in, 0);
	if (out >= 0)
		dup2(out, 1);
	execv(argv[0], (char *const *)argv);
	_exit(126);
}

void subject_compile(const char *jdk)
{
	char javac[PATH_MAX];
	const char *argv[] = {javac, "-d", class_folder, SUBJECT_SOURCES, NULL};
	int status;

	CHECK(mkdtemp(class_folder) != NULL);
	atexit(clean_up);
	snprintf(javac, sizeof(javac), "%s/bin/javac", jdk);
	CHECK(waitpid(spawn(argv, -1, -1), &status, 0) > 0);
	CHECK_EQ(status, 0);
}

void subject_start(struct subject *ret_subject, const char *jdk, const char *const *flags,
		   const char *mode)
{
	char java[PATH_MAX], agent[PATH_MAX];
	const char *argv[FLAGS_MAX + 8];
	int control[2], in[2], out[2], n = 0;
	struct agent_header header;
	struct jsnap_error err = {0};

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control));
	CHECK(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	CHECK(!fcntl(control[1], F_SETFD, 0));
	snprintf(java, sizeof(java), "%s/bin/java", jdk);
	snprintf(agent, sizeof(agent), "-agentpath:%s=fd=%d", AGENT_LIBRARY, control[1]);
	argv[n++] = java;
	argv[n++] = agent;
	for (; flags && *flags && n < FLAGS_MAX; flags++)
		argv[n++] = *flags;
	argv[n++] = "-cp";
	argv[n++] = class_folder;
	argv[n++] = "Subject";
	argv[n++] = mode;
	argv[n] = NULL;
	*ret_subject = (struct subject){.control = control[0]};
	ret_subject->pid = running = spawn(argv, in[0], out[1]);
	close(control[1]);
	close(in[0]);
	close(out[1]);
	ret_subject->in = fdopen(in[1], "w");
	ret_subject->out = fdopen(out[0], "r");
	if (agent_receive(control[0], ANSWER_MS, &header, &ret_subject->hello, &err))
		fprintf(stderr, "no HELLO: %s\n", err.text);
	CHECK_EQ(err.code, 0);
	CHECK_EQ(header.type, AGENT_HELLO);
}

void subject_ask(struct subject *subject, enum agent_message type,
		 const struct agent_payload *question, enum agent_message answer_type,
		 struct agent_payload *ret_answer)
{
	static uint32_t sequence;
	struct agent_header header;
	struct jsnap_error err = {0};

	CHECK(!agent_send(subject->control, type, ++sequence, question, &err));
	if (agent_receive(subject->control, ANSWER_MS, &header, ret_answer, &err))
		fprintf(stderr, "no answer: %s\n", err.text);
	CHECK_EQ(err.code, 0);
	CHECK_EQ(header.sequence, answer_type == AGENT_NOTE ? 0 : sequence);
	if (header.type == AGENT_ERROR && answer_type != AGENT_ERROR)
		fprintf(stderr, "the agent says: %s\n", agent_payload_get(ret_answer, "message"));
	CHECK_EQ(header.type, answer_type);
}

const char *subject_line(struct subject *subject)
{
	static char line[4096];

	if (!fgets(line, sizeof(line), subject->out)) {
		fprintf(stderr, "the program closed its output\n");
		exit(1);
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

void subject_go_on(struct subject *subject)
{
	CHECK(fputs("go on\n", subject->in) >= 0 && !fflush(subject->in));
}

void subject_finish(struct subject *subject)
{
	int status;

	CHECK_EQ(waitpid(subject->pid, &status, 0), subject->pid);
	running = 0;
	CHECK_EQ(status, 0);
	if (subject->control >= 0)
		close(subject->control);
	fclose(subject->in);
	fclose(subject->out);
	agent_payload_free(&subject->hello);
}

int subject_run(const char *jdk, const char *options, const char *mode)
{
	char java[PATH_MAX], agent[PATH_MAX];
	const char *argv[] = {java, agent, "-cp", class_folder, "Subject", mode, NULL};
	int status, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	snprintf(java, sizeof(java), "%s/bin/java", jdk);
	snprintf(agent, sizeof(agent), "-agentpath:%s%s", AGENT_LIBRARY, options);
	running = spawn(argv, null, null);
	CHECK_EQ(waitpid(running, &status, 0), running);
	running = 0;
	close(null);
	return status;
}
