/* Restore or cold, and why: every answer of the decision, and the lines that tell it. */
#include "base/cleanup.h"
#include "check.h"
#include "launcher/supervise/environment.h"
#include "launcher/report/log.h"
#include "launcher/key/run_decision.h"

#include <errno.h>

static void expect(const struct run_facts *facts, enum run_action action, bool take,
		   const char *reason)
{
	struct run_decision d;

	run_decide(facts, &d);
	CHECK_EQ(d.action, action);
	CHECK_EQ(d.take, take);
	CHECK(action == RUN_RESTORE || (d.kind && d.kind[0]));
	CHECK(reason ? strstr(d.reason, reason) != NULL : !d.reason[0]);
}

static void test_decisions(void)
{
	expect(&(struct run_facts){0}, RUN_RESTORE, false, NULL);
	expect(&(struct run_facts){.no_snapshot = "java -version starts no program"}, RUN_COLD,
	       false, "java -version");
	expect(&(struct run_facts){.store_problem = "full"}, RUN_COLD, false, "full");
	expect(&(struct run_facts){.locked = true}, RUN_COLD, false, "another jsnap");
	expect(&(struct run_facts){.no_restore = true}, RUN_COLD, true, "--no-restore");
	expect(&(struct run_facts){.no_restore = true, .no_checkpoint = true}, RUN_COLD, false,
	       "--no-restore");
	expect(&(struct run_facts){.image = -ENOENT}, RUN_COLD, true, "no snapshot");
	expect(&(struct run_facts){.image = -EBADMSG, .image_problem = "damaged"}, RUN_COLD, true,
	       "damaged");
	expect(&(struct run_facts){.image = -ENOKEY, .image_problem = "encrypted"}, RUN_COLD, false,
	       "the snapshot is refused: encrypted");
	expect(&(struct run_facts){.image = -EKEYREJECTED, .image_problem = "plain"}, RUN_COLD,
	       true, "the snapshot is refused: plain");
	expect(&(struct run_facts){.image = -EPERM, .image_problem = "user 7"}, RUN_COLD, false,
	       "user 7");
	expect(&(struct run_facts){.stale = "app.jar changed"}, RUN_COLD, true, "app.jar changed");
	expect(&(struct run_facts){.stale = "app.jar changed", .no_checkpoint = true}, RUN_COLD,
	       false, "app.jar changed");
}

static void test_failures(void)
{
	struct run_facts f = {.failure = -EBUSY, .failure_text = "PID 7 is taken"};

	expect(&f, RUN_COLD, false, "PID 7 is taken");
	f.on_failure = FAILURE_FAIL;
	expect(&f, RUN_FAIL, false, "PID 7 is taken");
	f = (struct run_facts){.failure = -EBADMSG, .failure_text = "checksum"};
	expect(&f, RUN_COLD, true, "checksum");
	/* another machine, or other security modules: a new one is worth taking */
	f = (struct run_facts){.failure = -ESTALE, .failure_text = "label"};
	expect(&f, RUN_COLD, true, "label");
	f.no_checkpoint = true;
	expect(&f, RUN_COLD, false, "label");
}

static void test_lines(void)
{
	const struct log_field fields[] = {{.key = "name", .value = "a\"b\\c\n\x01"},
					   {.key = "ms", .number = 9.8}};
	char line[LOG_MAX_LINE], text[2 * LOG_MAX_LINE];
	size_t n = log_format_line(LOG_FORMAT_JSON, LOG_LEVEL_WARN, fields, 2, "t\tx", "T", line,
				   sizeof(line));

	line[n] = '\0';
	CHECK_STR(line, "{\"time\":\"T\",\"level\":\"warn\",\"name\":\"a\\\"b\\\\c\\n\\u0001\","
			"\"ms\":9.8,\"message\":\"t\\u0009x\"}\n");
	n = log_format_line(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, NULL, 0,
			    "a\nb \x1b]0;title\x07 \xc2\x9b \xc3\xa4", "T", line, sizeof(line));
	line[n] = '\0';
	CHECK_STR(line, "jsnap: a b ?]0;title? ?? \xc3\xa4\n"); /* a terminal obeys none of it */
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	n = log_format_line(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, NULL, 0, text, "T", line,
			    sizeof(line));
	CHECK_EQ(n, sizeof(line));
	CHECK_EQ(line[n - 1], '\n');
}

/* Cut before the character that does not fit, not within it. */
static void test_progress(void)
{
	static const char *const last[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		for (size_t before = LOG_PROGRESS_MAX - 5; before <= LOG_PROGRESS_MAX; before++) {
			size_t fits = before + strlen(last[i]) <= LOG_PROGRESS_MAX;
			char text[2 * LOG_PROGRESS_MAX], line[LOG_PROGRESS_MAX + 16],
				wanted[LOG_PROGRESS_MAX + 16];

			snprintf(text, sizeof(text), "%0*d%s", (int)before, 0, last[i]);
			snprintf(wanted, sizeof(wanted), "\r\033[Kjsnap: %0*d%s", (int)before, 0,
				 fits ? last[i] : "");
			CHECK_EQ(log_format_progress(text, line, sizeof(line)), strlen(wanted));
			CHECK_STR(line, wanted);
		}
}

static void test_environment(void)
{
	static const char block[] = "A=1\0LD_LIBRARY_PATH=/x\0B=";
	char *copy = malloc(sizeof(block));
	struct environment env;
	struct jsnap_error err = {0};
	char many[200][16];

	CHECK(copy);
	memcpy(copy, block, sizeof(block));
	CHECK_EQ(environment_split(copy, sizeof(block) - 1, &env, &err), -EBADMSG);
	CHECK_EQ(environment_split(copy, sizeof(block), &env, &err), 0);
	CHECK_EQ(env.count, 3);
	CHECK_STR(environment_get(&env, "LD_LIBRARY_PATH"), "/x");
	CHECK_STR(environment_get(&env, "B"), "");
	CHECK(!environment_get(&env, "LD"));
	CHECK_EQ(environment_set(&env, "A=2", &err), 0);
	CHECK_EQ(env.count, 3);
	CHECK_STR(environment_get(&env, "A"), "2");
	CHECK_EQ(environment_set(&env, "=2", &err), -EINVAL);
	CHECK_EQ(environment_set(&env, "A", &err), -EINVAL);
	for (int i = 0; i < 200; i++) {
		snprintf(many[i], sizeof(many[i]), "N%d=%d", i, i);
		CHECK_EQ(environment_set(&env, many[i], &err), 0);
	}
	CHECK_EQ(env.count, 203);
	CHECK(!env.vars[203]);
	CHECK_STR(environment_get(&env, "N199"), "199");
	environment_free(&env);
}

int main(void)
{
	test_decisions();
	test_failures();
	test_lines();
	test_progress();
	test_environment();
	return 0;
}
