/* The words of --ready, the sockets of a process, quietness, and lines of output. */
#include "check.h"
#include "launcher/warm/quiet.h"
#include "launcher/warm/ready.h"
#include "launcher/warm/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_words(void)
{
	static const char *const texts[] = {"auto",
					    "tcp:8080",
					    "http://localhost/x",
					    "log:up in .* s",
					    "file:/run/up",
					    "exec:true",
					    "api",
					    "log:two"};
	struct jsnap_error err = {0};
	struct ready ready;

	CHECK_EQ(ready_parse(texts, 8, &ready, &err), 0);
	CHECK_EQ(ready.count, 8);
	CHECK_EQ(ready.conditions[1].port, 8080);
	CHECK_STR(ready.conditions[2].url.target, "/x");
	CHECK_STR(ready.conditions[3].word, "up in .* s");
	CHECK_STR(ready.conditions[4].word, "/run/up");
	CHECK_EQ(ready.n_patterns, 2);
	CHECK_EQ(ready.conditions[7].pattern, 1);
	ready_free(&ready);
}

static void test_bad_words(void)
{
	static const char *const bad[] = {
		"",	"Auto",	 "autox", "tcp:", "tcp:0",   "tcp:x",	"tcp:70000",
		"log:", "file:", "exec:", "apis", "http:/x", "sleep:3", "https://localhost/"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jsnap_error err = {0};
		struct ready ready;

		if (ready_parse(&bad[i], 1, &ready, &err) != -EINVAL) {
			fprintf(stderr, "not refused: %s\n", bad[i]);
			exit(1);
		}
		CHECK(strstr(err.text, "--ready"));
	}
}

static void test_socket_tables(void)
{
	static const char text[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
		"uid\n"
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 "
		"       "
		"0 11 1 0000000000000000 100 0 0 10 0\n"
		"   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000 "
		"       "
		"0 22 1 0000000000000000 20 4 30 10 -1\n"
		"garbage\n"
		"   2: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 "
		"0A "
		"00000000:00000000 00:00000000 00000000     0        0 33 1 0 100 0 0 10 0\n";
	static const uint64_t own[] = {11, 22};
	struct tcp_sockets sockets = {0};
	struct jsnap_error err = {0};

	CHECK_EQ(tcp_sockets_parse(text, NULL, 0, &sockets, &err), 0);
	CHECK_EQ(sockets.count, 3);
	CHECK(tcp_sockets_listen(&sockets, 22));
	tcp_sockets_free(&sockets);
	CHECK_EQ(tcp_sockets_parse(text, own, 2, &sockets, &err), 0);
	CHECK_EQ(sockets.count, 2);
	CHECK(tcp_sockets_listen(&sockets, 8080) && tcp_sockets_listen(&sockets, 0));
	CHECK(tcp_sockets_serve(&sockets));
	sockets.count = 1;
	CHECK(!tcp_sockets_serve(&sockets));
	CHECK(!tcp_sockets_listen(&sockets, 22));
	CHECK_EQ(sockets.sockets[1].remote_port, 50000);
	tcp_sockets_free(&sockets);
}

static void test_own_sockets(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	struct tcp_sockets sockets = {0};
	struct jsnap_error err = {0};

	CHECK_EQ(bind(listener, (struct sockaddr *)&address, size), 0);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	CHECK_EQ(tcp_sockets_read(getpid(), &sockets, &err), 0);
	CHECK(!tcp_sockets_listen(&sockets, ntohs(address.sin_port)));
	tcp_sockets_free(&sockets);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&address, size), 0);
	CHECK_EQ(tcp_sockets_read(getpid(), &sockets, &err), 0);
	CHECK(tcp_sockets_listen(&sockets, ntohs(address.sin_port)));
	tcp_sockets_free(&sockets);
	close(client);
	close(listener);
}

/* Samples every interval; returns after how many the window was quiet, or -1. */
static int quiet_after(uint64_t cpu_percent, uint64_t classes_each, bool serves, int samples)
{
	struct quiet quiet = {0};

	for (int i = 0; i < samples; i++) {
		struct quiet_sample s = {
			.time_ns = 1000 + (uint64_t)i * QUIET_INTERVAL_NS,
			.cpu_ns = (uint64_t)i * QUIET_INTERVAL_NS * cpu_percent / 100,
			.classes = (uint64_t)i * classes_each,
			.serves = serves,
		};

		if (quiet_add(&quiet, &s, NULL))
			return i;
	}
	return -1;
}

static void test_quiet(void)
{
	struct quiet quiet = {0};
	struct quiet_sample s = {.time_ns = 1};
	unsigned percent = 0;

	CHECK_EQ(quiet_after(0, 0, false, 500), QUIET_WINDOW_NS / QUIET_INTERVAL_NS);
	CHECK_EQ(quiet_after(QUIET_CPU_PERCENT, 0, false, 500),
		 QUIET_WINDOW_NS / QUIET_INTERVAL_NS);
	CHECK_EQ(quiet_after(QUIET_CPU_PERCENT + 5, 0, false, 500), -1);
	CHECK_EQ(quiet_after(0, 1, false, 500), -1);
	CHECK_EQ(quiet_after(200, 0, true, 500),
		 QUIET_SERVING * QUIET_WINDOW_NS / QUIET_INTERVAL_NS);
	CHECK_EQ(quiet_after(200, 1, true, 500), -1);
	CHECK(!quiet_add(&quiet, &s, &percent));
	s = (struct quiet_sample){.time_ns = 1 + QUIET_WINDOW_NS, .cpu_ns = QUIET_WINDOW_NS};
	CHECK(!quiet_add(&quiet, &s, &percent));
	CHECK_EQ(percent, 100);
	s.time_ns += QUIET_WINDOW_NS;
	s.compiles = QUIET_COMPILES + 1;
	CHECK(!quiet_add(&quiet, &s, &percent));
	s.time_ns += QUIET_WINDOW_NS;
	CHECK(quiet_add(&quiet, &s, &percent));
}

static void count_match(void *ctx, size_t pattern)
{
	((int *)ctx)[pattern]++;
}

static void test_lines(void)
{
	static const char *const patterns[] = {"^Started App in [0-9.]+ s$", "never", "x{3}"};
	static const char *const bad[] = {"("};
	static const char text[] = "boot\nStarted App in 1.5 s\r\nStarted App in 2 s\nlast axxxb";
	struct jsnap_error err = {0};
	struct relay_lines *lines = relay_lines_new(patterns, 3, &err);
	int matched[3] = {0};

	CHECK(lines);
	for (const char *p = text; *p; p++)
		relay_lines_feed(lines, p, 1, count_match, matched);
	CHECK_EQ(matched[0], 1);
	CHECK_EQ(matched[1], 0);
	CHECK_EQ(matched[2], 0); /* its line is not over yet */
	relay_lines_feed(lines, "\n", 1, count_match, matched);
	CHECK_EQ(matched[2], 1);
	for (size_t i = 0; i < 3 * RELAY_MAX_LINE; i++)
		relay_lines_feed(lines, "y", 1, count_match, matched);
	relay_lines_feed(lines, "never\n", 6, count_match, matched);
	CHECK_EQ(matched[1], 1);
	relay_lines_free(lines);
	CHECK(!relay_lines_new(bad, 1, &err));
	CHECK_EQ(err.code, EINVAL);
}

int main(void)
{
	test_words();
	test_bad_words();
	test_socket_tables();
	test_own_sockets();
	test_quiet();
	test_lines();
	return 0;
}
