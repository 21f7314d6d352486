/*
 * A warm-up survives a server that listens before it serves and one that drops a connection now and
 * then, but not one that has stopped to answer; it asks one thing at a time.
 */
#include "base/io.h"
#include "check.h"
#include "launcher/warm/warmup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct supervise supervise;
/* Of the options. */
static uint64_t answer_ns, time_ns;
static bool finish;
static struct agent_client *agent; /* of the target; a warm-up ends when it asks */

struct server {
	unsigned refused_ms; /* how long it does not listen yet */
	int dropped;	     /* connections it closes without a word */
	int answered;	     /* requests it answers before it drops all others */
	int each;	     /* of those it drops one in so many; 0: none */
	unsigned thinks_ms;  /* before each answer */
};

static int bind_any(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&address, size), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void serve(int listener, const struct server *server)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
	char request[1024];

	if (server->refused_ms) {
		usleep(server->refused_ms * 1000);
		CHECK_EQ(listen(listener, 8), 0);
	}
	for (int n = 0;; n++) {
		int fd = accept(listener, NULL, NULL);
		bool drop = n < server->dropped || n >= server->dropped + server->answered ||
			    (server->each && n % server->each == server->each - 1);

		CHECK(fd >= 0);
		CHECK_EQ(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 2), 0);
		if (read(fd, request, sizeof(request)) > 0 && !drop) {
			usleep(server->thinks_ms * 1000);
			CHECK(write(fd, answer, sizeof(answer) - 1) > 0);
		}
		close(fd);
	}
}

static pid_t start(const struct server *server, char *ret_url, size_t size)
{
	uint16_t port;
	int listener = bind_any(&port);
	pid_t pid;

	if (!server->refused_ms)
		CHECK_EQ(listen(listener, 8), 0);
	pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		serve(listener, server);
	close(listener);
	snprintf(ret_url, size, "http://127.0.0.1:%u/", port);
	return pid;
}

static int warm(const struct server *server, uint64_t requests, uint64_t timeout_ms,
		struct warmup_result *ret_result, struct jsnap_error *err)
{
	const struct ready_target target = {.supervise = &supervise, .agent = agent};
	char url[64];
	const char *steps[] = {url};
	struct warmup_options options = {.what = "warm-up",
					 .steps = steps,
					 .n_steps = 1,
					 .requests = requests,
					 .answer_ns = answer_ns,
					 .time_ns = time_ns,
					 .finish = finish,
					 .until_asked = agent};
	pid_t pid = start(server, url, sizeof(url));
	int rc;

	if (timeout_ms)
		options.deadline_ns = monotonic_ns() + timeout_ms * 1000000;
	*ret_result = (struct warmup_result){0};
	CHECK_EQ(warmup_check(&options, err), 0);
	rc = warmup_run(&options, &target, ret_result, err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return rc;
}

static void test_late_server(void)
{
	struct warmup_result result;
	struct jsnap_error err = {0};

	CHECK_EQ(warm(&(struct server){.refused_ms = 150, .answered = 100}, 20, 0, &result, &err),
		 0);
	CHECK_EQ(result.requests, 20);
	CHECK_EQ(warm(&(struct server){.dropped = 3, .answered = 100}, 20, 0, &result, &err), 0);
	CHECK_EQ(result.requests, 20);
}

static void test_careless_server(void)
{
	struct warmup_result result;
	struct jsnap_error err = {0};

	CHECK_EQ(warm(&(struct server){.answered = 100, .each = 4}, 20, 0, &result, &err), 0);
	CHECK_EQ(result.requests, 20);
}

/* Patience ends when nothing is answered any more. */
static void test_later_failure(void)
{
	struct warmup_result result;
	struct jsnap_error err = {0};

	CHECK_EQ(warm(&(struct server){.answered = 5}, 20, 0, &result, &err), -ECONNRESET);
	CHECK(strstr(err.text, "warm-up http://127.0.0.1:"));
	CHECK(strstr(err.text, "request 6"));
}

/* Patience ends with the time for all of it. */
static void test_never_serves(void)
{
	struct warmup_result result;
	struct jsnap_error err = {0};

	CHECK_EQ(warm(&(struct server){.refused_ms = 60000}, 20, 300, &result, &err), -ETIMEDOUT);
	CHECK_EQ(result.requests, 0);
}

/* One that does not listen yet has as long as for an answer. */
static void test_starts_late(void)
{
	struct warmup_result result;
	struct jsnap_error err = {0};

	answer_ns = 100000000;
	CHECK_EQ(warm(&(struct server){.refused_ms = 60000}, 20, 4000, &result, &err),
		 -ECONNREFUSED);
	answer_ns = 0;
}

static void test_slow_answers(void)
{
	const struct server slow = {.answered = 5, .thinks_ms = 300};
	struct warmup_result result;
	struct jsnap_error err = {0};

	answer_ns = 100000000;
	CHECK_EQ(warm(&slow, 1, 0, &result, &err), -ETIMEDOUT);
	CHECK(strstr(err.text, "no answer within 0.1 s"));
	answer_ns = 0;
	CHECK_EQ(warm(&slow, 1, 0, &result, &err), 0);
}

/* Time is up in the midst of the first answer. */
static void test_finish(void)
{
	const struct server slow = {.answered = 5, .thinks_ms = 300};
	struct warmup_result result;
	struct jsnap_error err = {0};

	time_ns = 50000000;
	CHECK_EQ(warm(&slow, 5, 0, &result, &err), 0);
	CHECK_EQ(result.requests, 0);
	CHECK(result.out_of_time);
	CHECK(result.unanswered);
	finish = true;
	CHECK_EQ(warm(&slow, 5, 0, &result, &err), 0);
	CHECK_EQ(result.requests, 1);
	CHECK(result.out_of_time);
	CHECK(!result.unanswered);
	time_ns = 0;
	finish = false;
}

/* Whoever asks for his snapshot answers no more. */
static void test_asked(void)
{
	struct agent_client client = {.fd = -1};
	struct warmup_result result;
	struct jsnap_error err = {0};
	int other;

	CHECK_EQ(agent_client_open(&supervise, &client, &other, &err), 0);
	CHECK_EQ(agent_send(other, AGENT_CHECKPOINT_REQUEST, 0, NULL, &err), 0);
	agent = &client;
	CHECK_EQ(warm(&(struct server){.answered = 1, .thinks_ms = 60000}, 20, 0, &result, &err),
		 0);
	CHECK(client.requested);
	CHECK(!result.out_of_time);
	agent = NULL;
	agent_client_close(&client);
	close(other);
}

/* A page that would answer when the time is up: the program is not ready. */
static void test_ready_in_time(void)
{
	const struct ready_target target = {.supervise = &supervise};
	CLEANUP_READY struct ready ready = {0};
	struct jsnap_error err = {0};
	char url[64];
	const char *conditions[] = {url};
	pid_t pid = start(&(struct server){.answered = 5, .thinks_ms = 2000}, url, sizeof(url));

	CHECK_EQ(ready_parse(conditions, 1, &ready, &err), 0);
	CHECK_EQ(ready_wait(&ready, &target, monotonic_ns() + 100000000, &err), -ETIMEDOUT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A resource's time, however long, is over before the launcher's patience with the agent is. */
static void test_patience(void)
{
	const uint64_t hour = 3600000000000;

	CHECK(agent_client_patience(1) >= AGENT_PREPARE_TIMEOUT_NS);
	CHECK(agent_client_patience(hour) > 2 * hour);
	CHECK_EQ(agent_client_patience(0), 0);
}

int main(void)
{
	struct jsnap_error err = {0};

	alarm(50);
	CHECK_EQ(supervise_begin(&supervise, &err), 0);
	test_late_server();
	test_careless_server();
	test_later_failure();
	test_never_serves();
	test_starts_late();
	test_slow_answers();
	test_finish();
	test_asked();
	test_ready_in_time();
	test_patience();
	supervise_end(&supervise);
	return 0;
}
