/* The options' schema, the forms of values, ini files and the order of precedence. */
#include "check.h"

#include "conf/file.h"
#include "conf/form.h"
#include "conf/nearest.h"
#include "conf/sample.h"
#include "conf/values.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)

static void test_schema(void)
{
	for (size_t i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_option *a = &schema_options[i];

		CHECK(a->name && a->help && a->verbs && a->fallback);
		CHECK((a->section != NULL) == (a->key != NULL));
		CHECK((a->key != NULL) <= (a->variable != NULL));
		CHECK((a->kind == SCHEMA_ENUM) == (a->values != NULL));
		CHECK((a->kind == SCHEMA_FLAG) == (a->metavar == NULL));
		CHECK(schema_find_option(a->name, strlen(a->name)) == a);
		if (*a->fallback)
			CHECK_EQ(conf_check(a, a->fallback, NULL), 0);
		if (a->restore_fallback)
			CHECK_EQ(conf_check(a, a->restore_fallback, NULL), 0);
		for (size_t k = 0; k < i; k++) {
			const struct schema_option *b = &schema_options[k];

			CHECK(strcmp(a->name, b->name) != 0);
			CHECK(!a->variable || !b->variable ||
			      strcmp(a->variable, b->variable) != 0);
			CHECK(!a->key || !b->key || strcmp(a->key, b->key) != 0 ||
			      strcmp(a->section, b->section) != 0);
		}
	}
}

static void test_forms(void)
{
	struct jsnap_error err;
	uint64_t n = 7;
	uint16_t ports[2];
	bool b;

	CHECK_EQ(form_duration("500ms", &n, &err), 0);
	CHECK_EQ(n, 500000000);
	CHECK_EQ(form_duration("1.5s", &n, &err), 0);
	CHECK_EQ(n, 1500000000);
	CHECK_EQ(form_duration("2m", &n, &err), 0);
	CHECK_EQ(n, 120000000000);
	CHECK_EQ(form_duration("0", &n, &err), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(form_duration("7", &n, &err), -EINVAL);
	CHECK_EQ(form_duration("", &n, &err), -EINVAL);
	CHECK_EQ(form_duration("-1s", &n, &err), -EINVAL);
	CHECK_EQ(form_duration("infs", &n, &err), -EINVAL);
	CHECK_EQ(form_duration("99999999999d", &n, &err), -EINVAL);
	CHECK_EQ(form_integer("12", 0, 100, &n, &err), 0);
	CHECK_EQ(n, 12);
	CHECK_EQ(form_integer("12x", 0, 100, &n, &err), -EINVAL);
	CHECK_EQ(form_integer("101", 0, 100, &n, &err), -EINVAL);
	CHECK_EQ(form_integer("99999999999999999999", 0, UINT64_MAX, &n, &err), -EINVAL);
	CHECK_EQ(form_size("3G", 0, UINT64_MAX, &n, &err), 0);
	CHECK_EQ(n, 3ull << 30);
	CHECK_EQ(form_size("99999999999T", 0, UINT64_MAX, &n, &err), -EINVAL);
	CHECK_EQ(form_bool("Yes", &b, &err), 0);
	CHECK(b);
	CHECK_EQ(form_bool("maybe", &b, &err), -EINVAL);
	CHECK_EQ(form_ports("8080=9090", ports, &err), 0);
	CHECK_EQ(ports[1], 9090);
	CHECK_EQ(form_ports("8080=0", ports, &err), -EINVAL);
	CHECK_EQ(form_ports("8080", ports, &err), -EINVAL);
	CHECK_EQ(form_ready("log:Started in [0-9.]+ s", &err), 0);
	CHECK_EQ(form_ready("log:(", &err), -EINVAL);
	CHECK_EQ(form_ready("tcp:70000", &err), -EINVAL);
	CHECK_EQ(form_ready("https://x/", &err), -EINVAL);
	CHECK_EQ(form_ready("exec:", &err), -EINVAL);
	CHECK_EQ(form_warmup("http://localhost:8080/x", &err), 0);
	CHECK_EQ(form_warmup("localhost", &err), -EINVAL);
	CHECK_EQ(form_assignment("=x", &err), -EINVAL);
}

static void test_nearest(void)
{
	struct nearest nearest;

	nearest_begin(&nearest, "warm-up", 7);
	nearest_offer(&nearest, "store");
	CHECK(nearest.best == NULL);
	nearest_offer(&nearest, "warmup-time");
	nearest_offer(&nearest, "warmup");
	CHECK_STR(nearest.best, "warmup");
	nearest_begin(&nearest, "sotre", 5);
	nearest_offer(&nearest, "store");
	CHECK_EQ(nearest.distance, 1);
}

static int parse(struct conf_values *values, const char *text, struct jsnap_error *err)
{
	return conf_parse(values, text, strlen(text), "x.ini", CONF_GIVEN_FILE, NULL, err);
}

static void refused(const char *text, const char *place, const char *words)
{
	CLEANUP_CONF struct conf_values values = {0};
	struct jsnap_error err = {0};

	CHECK_EQ(conf_init(&values, &err), 0);
	CHECK(parse(&values, text, &err) < 0);
	HAS(err.text, place);
	HAS(err.text, words);
}

static void test_file_errors(void)
{
	refused("[restor]\ntids = walk\n", "x.ini:2: ", "did you mean [restore]?");
	refused("# c\n\n[restore]\ntid = walk\n", "x.ini:4: ", "did you mean \"tids\"?");
	refused("[restore]\ntids = wakl\n", "x.ini:2: ", "did you mean \"walk\"?");
	refused("[store]\nready = auto\n", "x.ini:2: ", "belongs to [warmup]");
	refused("[store]\nnonsense\n", "x.ini:2: ", "neither a [section]");
	refused("[store\ndir = x\n", "x.ini:1: ", "neither a [section]");
	refused("dir = /x\n", "x.ini:1: ", "in front of the first");
	refused("[log]\nquiet = on\nquiet = off\n", "x.ini:3: ", "in line 2");
	refused("[warmup]\ntime = 3\n", "x.ini:2: ", "not a duration");
}

static void test_file_values(void)
{
	CLEANUP_CONF struct conf_values values = {0};
	struct jsnap_error err = {0};
	static char text[70000];
	size_t n;

	/* far beyond inih's default of 200 bytes, with what it would take for a comment */
	n = (size_t)sprintf(text, "[restore]\nset-env = A=");
	memset(text + n, 'x', 65000);
	strcpy(text + n + 65000, " ; not a comment\nset-env = B=2\r\n[log]\nquiet = yes");
	CHECK_EQ(conf_init(&values, &err), 0);
	CHECK_EQ(parse(&values, text, &err), 0);
	CHECK_EQ(values.values[SCHEMA_SET_ENV].n_items, 2);
	CHECK_EQ(strlen(values.values[SCHEMA_SET_ENV].items[0]), 2 + 65000 + 16);
	CHECK_STR(values.values[SCHEMA_SET_ENV].items[1], "B=2");
	CHECK_STR(values.values[SCHEMA_SET_ENV].where, "x.ini:3");
	CHECK(conf_bool(&values, SCHEMA_QUIET));
	CHECK_EQ(conf_parse(&values, "[log]\n\0", 7, "x.ini", CONF_GIVEN_FILE, NULL, &err),
		 -EINVAL);
	CHECK_EQ(conf_load_file(&values, "/nonexistent/x", CONF_USER_FILE, NULL, &err), 0);
	CHECK_EQ(conf_load_file(&values, "/nonexistent/x", CONF_GIVEN_FILE, NULL, &err), -ENOENT);
	HAS(err.text, "/nonexistent/x");
}

static bool is_shop(void *ctx, const char *pattern)
{
	return ctx && strcmp(pattern, "shop*") == 0;
}

/* Of one application, with or without it. */
static void test_application(bool meant)
{
	static const char text[] = "[files shop*]\npolicy = tcp=error\n"
				   "[files]\npolicy = pipe=end\n"
				   "[restore other]\ntids = walk\n"
				   "[files   shop*]\npolicy = udp=close\n"
				   "[restore shop*]\ntids = clone3\n"
				   "[restore]\ntids = userns\n";
	CLEANUP_CONF struct conf_values values = {0};
	struct jsnap_error err = {0};
	const struct conf_application application = {is_shop, meant ? &values : NULL};
	const struct conf_value *policy = &values.values[SCHEMA_FD_POLICY];

	CHECK_EQ(conf_init(&values, &err), 0);
	CHECK_EQ(conf_parse(&values, text, strlen(text), "x.ini", CONF_SYSTEM_FILE, &application,
			    &err),
		 0);
	CHECK_EQ(policy->n_items, meant ? 2 : 1);
	CHECK_STR(policy->items[0], meant ? "tcp=error" : "pipe=end");
	CHECK_STR(policy->where, meant ? "x.ini:8" : "x.ini:4");
	CHECK_STR(conf_text(&values, SCHEMA_TIDS), meant ? "clone3" : "userns");
	/* Another file goes before both. */
	CHECK_EQ(conf_parse(&values, "[restore]\ntids = walk\n", 22, "y.ini", CONF_USER_FILE,
			    &application, &err),
		 0);
	CHECK_STR(conf_text(&values, SCHEMA_TIDS), "walk");
}

static void test_application_errors(void)
{
	refused("[restor shop]\ntids = walk\n", "x.ini:2: ", "did you mean [restore]?");
	refused("[restore shop]\ntid = walk\n", "x.ini:2: ", "did you mean \"tids\"?");
	refused("[restore shop]\ntids = wakl\n", "x.ini:2: ", "did you mean \"walk\"?");
	refused("[log shop]\nquiet = on\nquiet = off\n", "x.ini:3: ", "in line 2");
	refused("[log a.name.of.an.application.that.is.longer.than.it.may]\nquiet = on\n",
		"x.ini:2: ", "longer than 48");
}

static void test_precedence(void)
{
	CLEANUP_CONF struct conf_values values = {0};
	struct jsnap_error err = {0};
	char *env[] = {(char *)"JSNAP_TIDS=walk", (char *)"JSNAP_READY=tcp:1\ntcp:2",
		       (char *)"JSNAP_CPU=", NULL};
	char *bad[] = {(char *)"JSNAP_TIDS=nope", NULL};

	CHECK_EQ(conf_init(&values, &err), 0);
	CHECK_EQ(conf_set(&values, SCHEMA_READY, "api", CONF_OPTION, "--ready", &err), 0);
	CHECK_EQ(conf_set(&values, SCHEMA_READY, "tcp:9", CONF_OPTION, "--ready", &err), 0);
	CHECK_EQ(conf_load_env(&values, env, &err), 0);
	CHECK_EQ(parse(&values, "[restore]\ntids = clone3\nlsm = ignore\ncpu = x86-64-v3\n", &err),
		 0);
	CHECK_EQ(conf_set(&values, SCHEMA_LSM, "keep", CONF_SYSTEM_FILE, "s:1", &err), 0);
	CHECK_EQ(values.values[SCHEMA_READY].n_items, 2);
	CHECK_STR(values.values[SCHEMA_READY].items[0], "api");
	CHECK_STR(conf_text(&values, SCHEMA_TIDS), "walk");
	CHECK_STR(values.values[SCHEMA_TIDS].where, "JSNAP_TIDS");
	CHECK_STR(conf_text(&values, SCHEMA_LSM), "ignore");
	CHECK_EQ(conf_enum(&values, SCHEMA_CPU), 2);
	CHECK_EQ(conf_load_env(&values, bad, &err), -EINVAL);
	HAS(err.text, "JSNAP_TIDS: ");
}

static void test_verb_defaults(void)
{
	CLEANUP_CONF struct conf_values values = {0};

	CHECK_EQ(conf_init(&values, NULL), 0);
	CHECK_STR(conf_text(&values, SCHEMA_ON_RESTORE_FAILURE), "cold");
	CHECK_EQ(conf_verb_defaults(&values, SCHEMA_VERB_RUN, NULL), 0);
	CHECK_STR(conf_text(&values, SCHEMA_ON_RESTORE_FAILURE), "cold");
	CHECK_EQ(conf_verb_defaults(&values, SCHEMA_VERB_RESTORE, NULL), 0);
	CHECK_STR(conf_text(&values, SCHEMA_ON_RESTORE_FAILURE), "fail");
}

static void test_print(void)
{
	CLEANUP_CONF struct conf_values values = {0};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK_EQ(conf_init(&values, NULL), 0);
	CHECK_EQ(conf_set(&values, SCHEMA_TIDS, "walk", CONF_OPTION, "--tids", NULL), 0);
	conf_print(&values, out);
	fclose(out);
	HAS(text, "walk                     # --tids\n");
	HAS(text, "on-restore-failure   = cold                     # default\n");
	free(text);
}

/* The installed jsnap.ini is the schema's, and with every # taken away it is valid. */
static void test_sample(void)
{
	CLEANUP_CONF struct conf_values values = {0};
	struct jsnap_error err = {0};
	char *expected = NULL, *installed = NULL;
	size_t size, i, k = 0;
	FILE *out = open_memstream(&expected, &size);

	sample_write(out);
	fclose(out);
	if (read_file(FIXTURES "/../../conf/jsnap.ini", 65536, &installed, NULL) < 0 ||
	    strcmp(installed, expected) != 0) {
		int fd = open("jsnap.ini.expected", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		if (fd >= 0)
			CHECK_EQ(write_full(fd, expected, size), 0);
		fprintf(stderr, "conf/jsnap.ini differs from the schema; "
				"expected: jsnap.ini.expected\n");
		exit(1);
	}
	/* a "#" without a blank behind it is a value in its place */
	for (i = 0; i < size; i++)
		if (!(expected[i] == '#' && expected[i + 1] != ' '))
			expected[k++] = expected[i];
	CHECK_EQ(conf_init(&values, &err), 0);
	if (conf_parse(&values, expected, k, "jsnap.ini", CONF_GIVEN_FILE, NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	for (i = 0; i < SCHEMA_COUNT; i++) {
		const char *text = conf_text(&values, (enum schema_id)i);

		CHECK_STR(text ? text : "", schema_options[i].fallback);
		CHECK_EQ(values.values[i].source,
			 schema_options[i].key ? CONF_GIVEN_FILE : CONF_DEFAULT);
	}
	free(expected);
	free(installed);
}

/* What regcomp(3) would need gigabytes for is refused; what people write is not. */
static void test_regex_size(void)
{
	static const char *const good[] = {"log:Started .* in [0-9.]+ s",
					   "log:(a|b)+[]x]{2,4}\\(+",
					   "log:^[[:alpha:]]{1,200}$",
					   "log:((x+)y+)z+",
					   "log:((a*)+)+",
					   "log:(\\w+ )*started( in ([0-9]+\\.)?[0-9]+ s)?( .*)?",
					   "log:([a-z]+\\.)+([A-Z]\\w*)( .*)?$"};
	static const char *const bad[] = {"log:a{200}{200}{200}",
					  "log:a*++++++++++++",
					  "log:a*++++^^^^^^^^^a*++++b*++++c",
					  "log:(((((a*^)+^)+^)+^)+^)+",
					  "log:a**********$(b*****$)",
					  "log:((((((a*)+)+)+)+)+)+",
					  "log:j++++++++++++++++++++++++",
					  "log:(((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
					  "log:((a{90}b){90}c){9}",
					  "log:(((((((((((((((((((((((((((((((((((a"};
	struct jsnap_error err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_EQ(form_ready(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(form_ready(bad[i], &err), -EINVAL);
		CHECK(strstr(err.text, "too large"));
	}
}

int main(void)
{
	test_regex_size();
	test_schema();
	test_forms();
	test_nearest();
	test_file_errors();
	test_file_values();
	test_application(true);
	test_application(false);
	test_application_errors();
	test_precedence();
	test_verb_defaults();
	test_print();
	test_sample();
	return 0;
}
