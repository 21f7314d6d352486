/* Rules for descriptors: patterns, jsnap's own form, CRaC's, order and defaults. */
#include "launcher/policy/crac_policies.h"
#include "launcher/policy/fd_policy.h"
#include "launcher/policy/glob.h"

#include "check.h"

#include <errno.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static void test_glob(void)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} cases[] = {
		{"/a/b", "/a/b", true},
		{"/a/b", "/a/bc", false},
		{"/a/*", "/a/b.log", true},
		{"/a/*", "/a/b/c", false},
		{"/a/**", "/a/b/c", true},
		{"**/*.log", "/var/log/x.log", true},
		{"**/*.log", "/var/log/x.log.1", false},
		{"**", "", true},
		{"*", "", true},
		{"?", "/", false},
		{"/a?c", "/abc", true},
		{"[a-c]x", "bx", true},
		{"[!a-c]x", "bx", false},
		{"[]]x", "]x", true},
		{"/x/{a,bc,}d", "/x/bcd", true},
		{"/x/{a,bc,}d", "/x/d", true},
		{"/x/{a,bc}d", "/x/abcd", false},
		{"{*.java,*.cl[a-z]ss}", "X.class", true},
		{"a,b}", "a,b}", true},
		{"\\*x", "*x", true},
		{"\\*x", "ax", false},
		{"*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
		 false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (glob_match(cases[i].pattern, cases[i].name) != cases[i].fits) {
			fprintf(stderr, "%s and %s\n", cases[i].pattern, cases[i].name);
			exit(1);
		}
	CHECK(!glob_valid("[a") && !glob_valid("{a") && !glob_valid("{a{b}}") &&
	      !glob_valid("a\\"));
	CHECK(!glob_match("[a", "[a"));
}

static struct sockaddr_in v4(const char *host, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	CHECK_EQ(inet_pton(AF_INET, host, &a.sin_addr), 1);
	return a;
}

static enum checkpoint_action of_file(struct fd_policy *policy, const char *path)
{
	return fd_policy_decide(
		policy, &(struct checkpoint_fd){.fd = 9, .kind = CHECKPOINT_FD_FILE, .name = path});
}

static enum checkpoint_action of_tcp(struct fd_policy *policy, const char *remote, int port)
{
	struct sockaddr_in local = v4("10.0.0.1", 40000), peer = v4(remote, port);

	return fd_policy_decide(policy, &(struct checkpoint_fd){.fd = 7,
								.kind = CHECKPOINT_FD_TCP,
								.name = "socket:[1]",
								.local = &local,
								.local_size = sizeof(local),
								.remote = &peer,
								.remote_size = sizeof(peer)});
}

static void add(struct fd_policy *policy, const char *text)
{
	struct jsnap_error err = {0};
	struct fd_rule rule;

	if (fd_policy_parse(text, &rule, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK_EQ(err.code, 0);
	CHECK_EQ(fd_policy_add(policy, &rule, &err), 0);
}

static void test_rules(void)
{
	CLEANUP_FD_POLICY struct fd_policy policy = {0};
	static const char *const bad[] = {"tcp",	"tcp=",	       "tcp=perhaps",
					  "pipe:x=end", "fd=close",    "fd:x=end",
					  "file:=end",	"file:[a=end", "socket=end"};

	CHECK_EQ(of_tcp(&policy, "10.0.0.9", 5432), CHECKPOINT_CARRY);
	add(&policy, "tcp:10.0.0.9:5432=error");
	add(&policy, "tcp:*:5433=close");
	add(&policy, "tcp=end");
	add(&policy, "file:/var/log/**=reopen");
	add(&policy, "file:/a=b/x=close");
	CHECK_EQ(of_tcp(&policy, "10.0.0.9", 5432), CHECKPOINT_REFUSE);
	CHECK_EQ(of_tcp(&policy, "10.0.0.8", 5433), CHECKPOINT_CLOSE);
	CHECK_EQ(of_tcp(&policy, "10.0.0.8", 5432), CHECKPOINT_END);
	CHECK_EQ(of_file(&policy, "/var/log/a/b.log"), CHECKPOINT_REOPEN);
	CHECK_EQ(of_file(&policy, "/a=b/x"), CHECKPOINT_CLOSE);
	CHECK_EQ(of_file(&policy, "/etc/passwd"), CHECKPOINT_CARRY);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jsnap_error err = {0};
		struct fd_rule rule;

		CHECK_EQ(fd_policy_parse(bad[i], &rule, &err), -EINVAL);
		CHECK(strstr(err.text, bad[i]));
	}
}

/* Java's sockets are IPv6 with mapped addresses: rules see what Java shows. */
static void test_mapped(void)
{
	CLEANUP_FD_POLICY struct fd_policy policy = {0};
	struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = htons(5432)};
	struct checkpoint_fd fd = {.kind = CHECKPOINT_FD_TCP,
				   .name = "socket:[1]",
				   .remote = &peer,
				   .remote_size = sizeof(peer)};

	CHECK_EQ(inet_pton(AF_INET6, "::ffff:10.1.2.3", &peer.sin6_addr), 1);
	add(&policy, "tcp:10.1.2.3:5432=close");
	CHECK_EQ(fd_policy_decide(&policy, &fd), CHECKPOINT_CLOSE);
	CHECK_EQ(inet_pton(AF_INET6, "fe80::1", &peer.sin6_addr), 1);
	CHECK_EQ(fd_policy_decide(&policy, &fd), CHECKPOINT_CARRY);
	add(&policy, "tcp:\\[fe80::1\\]:5432=error");
	CHECK_EQ(fd_policy_decide(&policy, &fd), CHECKPOINT_REFUSE);
}

static void test_defaults(void)
{
	CLEANUP_FD_POLICY struct fd_policy own = {0};
	struct fd_policy policy = {.defaults = true, .before = &own};
	const struct checkpoint_fd pipe = {.kind = CHECKPOINT_FD_PIPE, .name = "pipe:[1]"};

	CHECK_EQ(of_tcp(&policy, "10.0.0.8", 5432), CHECKPOINT_END);
	CHECK_EQ(fd_policy_decide(&policy, &pipe), CHECKPOINT_END);
	CHECK_EQ(of_file(&policy, "/var/cache/nscd/hosts"), CHECKPOINT_REOPEN);
	CHECK_EQ(of_file(&policy, "/opt/app.jar"), CHECKPOINT_CARRY);
	add(&own, "tcp=error");
	CHECK_EQ(of_tcp(&policy, "10.0.0.8", 5432), CHECKPOINT_REFUSE);
}

/* The JVM's own files, unless a rule names one. */
static void test_spared(void)
{
	CLEANUP_FD_POLICY struct fd_policy own = {0};
	CLEANUP_FD_POLICY struct fd_policy policy = {.defaults = true, .before = &own};
	struct jsnap_error err = {0};

	CHECK_EQ(fd_policy_spare(&policy, "/proc/sys/../", true, &err), 0);
	CHECK_EQ(fd_policy_spare(&policy, "/etc//passwd", false, &err), 0);
	CHECK_EQ(fd_policy_spare(&policy, "/there/is/no/such", false, &err), 0);
	CHECK_EQ(policy.n_spared, 2);
	add(&own, "file:/etc/passw[d]=close");
	add(&own, "file:/proc/version=error");
	add(&own, "file=close");
	CHECK_EQ(of_file(&policy, "/etc/passwd"), CHECKPOINT_CARRY);
	CHECK_EQ(of_file(&policy, "/etc/passwd-"), CHECKPOINT_CLOSE);
	CHECK_EQ(of_file(&policy, "/proc/1"), CHECKPOINT_CARRY);
	CHECK_EQ(of_file(&policy, "/process"), CHECKPOINT_CLOSE);
	CHECK_EQ(of_file(&policy, "/proc/version"), CHECKPOINT_REFUSE);
	add(&own, "tcp=close");
	CHECK_EQ(of_tcp(&policy, "10.0.0.8", 5432), CHECKPOINT_CLOSE);
}

/* By its number one is meant. */
static void test_spared_number(void)
{
	CLEANUP_FD_POLICY struct fd_policy policy = {0};
	struct jsnap_error err = {0};

	CHECK_EQ(fd_policy_spare(&policy, "/etc/passwd", false, &err), 0);
	add(&policy, "fd:9=error");
	CHECK_EQ(of_file(&policy, "/etc/passwd"), CHECKPOINT_REFUSE);
}

static int parse(struct fd_policy *policy, const char *text, struct jsnap_error *err)
{
	return crac_policies_parse(policy, text, strlen(text), "rules.yaml", err);
}

static void test_crac(void)
{
	CLEANUP_FD_POLICY struct fd_policy policy = {.defaults = true};
	struct jsnap_error err = {0};
	const struct checkpoint_fd raw = {
		.fd = 123, .kind = CHECKPOINT_FD_OTHER, .name = "anon_inode:x"};
	struct sockaddr_in local = v4("0.0.0.0", 8080);
	const struct checkpoint_fd listener = {.kind = CHECKPOINT_FD_LISTENER,
					       .name = "socket:[2]",
					       .local = &local,
					       .local_size = sizeof(local)};

	CHECK_EQ(parse(&policy,
		       "type: file\npath: /path/to/my/file\naction: close\n---\n# Here is some "
		       "comment\ntype: FILE\r\npath: **/*.log\naction: reopen\n---\n"
		       "type: socket\nremotePort: 5432\nremoteAddress: 10.0.0.9\naction: "
		       "error\n---\n"
		       "type: socket\nfamily: ip\nlocalPort: 8080\naction: Ignore\nwarn: "
		       "false\n---\n"
		       "type: socket\naction: close\n---\n"
		       "type: filedescriptor\nvalue: 123\naction: close\n---\n"
		       "type: FileDescriptor\nregex: ^anon_inode:(x|y)$\naction: error\n",
		       &err),
		 0);
	CHECK_EQ(of_file(&policy, "/path/to/my/file"), CHECKPOINT_CLOSE);
	CHECK_EQ(of_file(&policy, "/tmp/x.log"), CHECKPOINT_REOPEN);
	CHECK_EQ(of_file(&policy, "/tmp/x"), CHECKPOINT_CARRY);
	CHECK_EQ(of_tcp(&policy, "10.0.0.9", 5432), CHECKPOINT_REFUSE);
	CHECK_EQ(of_tcp(&policy, "10.0.0.8", 5432), CHECKPOINT_END);
	CHECK_EQ(fd_policy_decide(&policy, &listener), CHECKPOINT_CARRY);
	local.sin_port = htons(8081);
	CHECK_EQ(fd_policy_decide(&policy, &listener), CHECKPOINT_CLOSE);
	CHECK_EQ(fd_policy_decide(&policy, &raw), CHECKPOINT_CLOSE);
}

static void test_crac_errors(void)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"type: file\npth: /x\naction: close", "rules.yaml:2"},
		{"type: file\n", "needs both"},
		{"action: close\n---\n", "needs both"},
		{"type: tape\naction: close", "tape"},
		{"type: pipe\naction: reopen", "no action \"reopen\""},
		{"type: socket\nlocalPort: 99999\naction: close", "99999"},
		{"type: file\npath: [a\naction: close", "left open"},
		{"type: filedescriptor\nregex: (\naction: close", "regular expression"},
		{"nothing", "neither"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP_FD_POLICY struct fd_policy policy = {0};
		struct jsnap_error err = {0};

		CHECK_EQ(parse(&policy, cases[i].text, &err), -EINVAL);
		if (!strstr(err.text, cases[i].words))
			fprintf(stderr, "%s\n", err.text);
		CHECK(strstr(err.text, cases[i].words));
	}
}

static void test_property(void)
{
	char java[] = "java", first[] = "-Djdk.crac.resource-policies=a", other[] = "-Xmx1g";
	char last[] = "-Djdk.crac.resource-policies=b.yaml";
	char *const argv[] = {java, first, other, last, NULL}, *const none[] = {java, NULL};

	CHECK_STR(crac_policies_property(argv), "b.yaml");
	CHECK(!crac_policies_property(none));
}

int main(void)
{
	test_glob();
	test_rules();
	test_mapped();
	test_defaults();
	test_spared();
	test_spared_number();
	test_crac();
	test_crac_errors();
	test_property();
	return 0;
}
