/* jsnap's command line: what is jsnap's, what is java's, and what is a mistake. */
#include "check.h"

#include "launcher/options/options.h"
#include "launcher/options/settings.h"

#include <errno.h>

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)
#define MAX_WORDS	32

struct parsed {
	char *argv[MAX_WORDS];
	int argc, result;
	struct settings settings;
	struct jsnap_error err;
};

/* Splits at blanks, as a shell would without quotes. */
static struct parsed *parse(const char *line)
{
	static char buffer[1024];
	static struct parsed parsed;
	char *rest = buffer, *word;

	settings_free(&parsed.settings);
	memset(&parsed, 0, sizeof(parsed));
	snprintf(buffer, sizeof(buffer), "%s", line);
	while ((word = strsep(&rest, " ")))
		parsed.argv[parsed.argc++] = word;
	parsed.result = settings_load(parsed.argc, parsed.argv, &parsed.settings, &parsed.err);
	return &parsed;
}

static void rest_is(const struct parsed *p, const char *expected)
{
	char text[1024] = "";

	if (p->result < 0)
		fprintf(stderr, "%s\n", p->err.text);
	CHECK_EQ(p->result, 0);
	for (int i = 0; i < p->settings.argc; i++) {
		strcat(text, i ? " " : "");
		strcat(text, p->settings.argv[i]);
	}
	CHECK_STR(text, expected);
	CHECK(p->settings.argv[p->settings.argc] == NULL);
}

static void refused(const char *line, const char *words)
{
	struct parsed *p = parse(line);

	CHECK_EQ(p->result, -EINVAL);
	if (!strstr(p->err.text, words))
		fprintf(stderr, "%s\n", p->err.text);
	HAS(p->err.text, words);
}

static void test_java_part(void)
{
	rest_is(parse("jsnap run app.jar"), "app.jar");
	rest_is(parse("jsnap run --quiet -Xmx1g -jar app.jar --store x"),
		"-Xmx1g -jar app.jar --store x");
	rest_is(parse("jsnap run --tids walk --tids=userns @file app.jar"), "@file app.jar");
	CHECK_EQ(parse("jsnap run --tids walk --tids=userns x")->settings.tids, TIDS_USERNS);
	rest_is(parse("jsnap run --quiet -- --quiet app.jar"), "--quiet app.jar");
	rest_is(parse("jsnap run --add-opens java.base/java.lang=ALL-UNNAMED -cp x M"),
		"--add-opens java.base/java.lang=ALL-UNNAMED -cp x M");
	rest_is(parse("jsnap run --add-opens=a=b --module=x"), "--add-opens=a=b --module=x");
	rest_is(parse("jsnap run --version"), "--version");
	rest_is(parse("jsnap run -h"), "-h");
	rest_is(parse("jsnap --quiet run app.jar"), "app.jar");
}

static void test_mistakes(void)
{
	refused("jsnap run --warm-up http://x/ app.jar",
		"unknown option --warm-up; did you mean --warmup?");
	refused("jsnap run --add-open x app.jar", "did you mean --add-opens?");
	refused("jsnap run --zzzzzzzz app.jar", "see `jsnap run --help`");
	refused("jsnap run --pid 3 app.jar",
		"--pid is not an option of `jsnap run`; it belongs to checkpoint, dump");
	refused("jsnap run", "needs a program");
	refused("jsnap run --tids", "--tids needs a value");
	refused("jsnap run --tids= app.jar", "not empty");
	refused("jsnap run --tids wlak app.jar", "did you mean \"walk\"?");
	refused("jsnap run --quiet=perhaps app.jar", "neither on nor off");
	refused("jsnap rnu app.jar", "did you mean `jsnap run`?");
	refused("jsnap app.jar", "jsnap run app.jar");
	refused("jsnap -x", "unknown option -x");
	refused("jsnap list extra", "takes no operand");
	refused("jsnap inspect", "needs one snapshot");
	refused("jsnap inspect -x", "unknown option -x");
	refused("jsnap restore a b", "needs one snapshot");
	refused("jsnap dump --pid 1", "needs both");
	refused("jsnap prune", "needs to know what");
	refused("jsnap --json list --stale",
		"--stale is not an option of `jsnap list`; it belongs to prune");
	refused("jsnap --pid 3 list", "--pid is not an option");
}

static void test_operands(void)
{
	struct parsed *p = parse("jsnap restore - -- a --b");

	rest_is(p, "-");
	CHECK_EQ(p->settings.n_args, 2);
	CHECK_STR(p->settings.args[1], "--b");
	CHECK_EQ(p->settings.on_restore_failure, FAILURE_FAIL);
	p = parse("jsnap inspect abc --json");
	rest_is(p, "abc");
	CHECK(p->settings.json);
	CHECK(p->settings.args == NULL);
	refused("jsnap checkpoint --pid 3 app.jar", "would be another");
	refused("jsnap checkpoint --pid 3 --image x.jsnap", "--image has no effect");
	refused("jsnap checkpoint --warmup exec:true --pid 3", "--warmup has no effect");
	p = parse("jsnap dump --pid 12 --image f --leave-running");
	CHECK_EQ(p->settings.pid, 12);
	CHECK(p->settings.leave_running);
	p = parse("jsnap run --listen 80=8080 --listen 1=2 --label a=b --warmup-time 90s "
		  "--no-checkpoint --hot-copy off --log-format json x");
	CHECK_EQ(p->result, 0);
	CHECK_EQ(p->settings.n_listen_map, 2);
	CHECK_EQ(p->settings.listen_map[0][1], 8080);
	CHECK_EQ(p->settings.warmup_time_ns, 90000000000);
	CHECK_EQ(p->settings.log_format, LOG_FORMAT_JSON);
	CHECK(p->settings.no_checkpoint && !p->settings.hot_copy && p->settings.env_refresh);
	CHECK_STR(p->settings.labels[0], "a=b");
	CHECK_STR(p->settings.ready[0], "auto");
	CHECK_EQ(p->settings.on_restore_failure, FAILURE_COLD);
	p = parse("jsnap prune --older-than 7d --larger-than 2G --dry-run");
	CHECK_EQ(p->settings.older_than_ns, 7ull * 86400 * 1000000000);
	CHECK_EQ(p->settings.larger_than, 2ull << 30);
}

static void test_actions(void)
{
	CHECK_EQ(parse("jsnap")->settings.action, SETTINGS_HELP);
	CHECK_EQ(parse("jsnap --help")->settings.action, SETTINGS_HELP);
	CHECK_EQ(parse("jsnap -h")->settings.action, SETTINGS_HELP);
	CHECK_EQ(parse("jsnap --version")->settings.action, SETTINGS_VERSION);
	CHECK_EQ(parse("jsnap --print-config")->settings.action, SETTINGS_PRINT_CONFIG);
	CHECK_EQ(parse("jsnap run --print-config")->settings.action, SETTINGS_PRINT_CONFIG);
	CHECK_EQ(parse("jsnap run --help")->settings.action, SETTINGS_HELP);
	CHECK_STR(parse("jsnap help prune")->settings.verb, "prune");
	CHECK_EQ(parse("jsnap help prune")->settings.action, SETTINGS_HELP);
	CHECK_EQ(parse("jsnap run a")->settings.action, SETTINGS_RUN_VERB);
}

/* Every option a verb takes is in its help, and no other. */
static void test_help(void)
{
	for (const struct schema_verb *v = schema_verbs; v->name; v++) {
		char *text = NULL, name[64];
		size_t size;
		FILE *out = open_memstream(&text, &size);

		options_write_help(v, out);
		fclose(out);
		for (size_t i = 0; i < SCHEMA_COUNT; i++) {
			snprintf(name, sizeof(name), "\n  --%s%s", schema_options[i].name,
				 schema_options[i].metavar ? " " : "");
			CHECK_EQ(strstr(text, name) != NULL,
				 (schema_options[i].verbs & v->bit) != 0);
		}
		free(text);
	}
}

int main(void)
{
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_CONFIG_HOME");
	test_java_part();
	test_operands();
	test_actions();
	test_help();
	CHECK_EQ(parse("jsnap run --config /nonexistent/c app.jar")->result, -ENOENT);
	test_mistakes();
	settings_free(&parse("jsnap")->settings);
	return 0;
}
